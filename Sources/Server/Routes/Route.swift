import HTTP

/// One operation of the API. `docs/schema/openapi.json` describes each; a test holds the two together.
struct Route: Sendable {
  let method: String
  /// As `/v1/sagas/{id}`.
  let pattern: String
  /// The query parameters that it takes.
  let query: [String]
  /// Whether it is refused until every open saga has been recovered.
  let needsEngine: Bool
  let handle: @Sendable (Call) async throws -> HTTPServerResponse

  init(
    _ method: String, _ pattern: String, query: [String] = [], needsEngine: Bool = true,
    _ handle: @escaping @Sendable (Call) async throws -> HTTPServerResponse
  ) {
    self.method = method
    self.pattern = pattern
    self.query = query
    self.needsEngine = needsEngine
    self.handle = handle
  }
}

/// A request that has found its route.
struct Call: Sendable {
  let request: HTTPServerRequest
  let path: PathParameters
  let query: QueryReader
}
