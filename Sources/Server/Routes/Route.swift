import HTTP

/// One route of the server with what handles it.
struct Route: Sendable {
  let endpoint: Endpoint
  let handle: @Sendable (Call) async throws -> HTTPServerResponse
  var facts: RouteFacts { endpoint.facts }

  init(_ endpoint: Endpoint, _ handle: @escaping @Sendable (Call) async throws -> HTTPServerResponse) {
    self.endpoint = endpoint
    self.handle = handle
  }
}

/// A request that has found its route, and whose caller may use it.
struct Call: Sendable {
  let request: HTTPServerRequest
  let caller: Caller
  let path: PathParameters
  let query: QueryReader
}
