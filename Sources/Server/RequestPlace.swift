import HTTP
import Runtime

/// The threads that handle a request. Because of them, a monitor and an operator never wait behind large requests.
enum RequestPlace {
  /// A body up to this size is read in less than a millisecond.
  static let smallBody = 64 << 10

  static func of(_ request: HTTPServerRequest) -> (pool: WorkPool, priority: TaskPriority) {
    switch request.path {
    case "/healthz", "/readyz", "/metrics", "/v1/stats": return (.monitors, .high)
    default: break
    }
    // A verb, a signal or an approval: a small request with an effect. A workflow takes longer to read, whatever its
    // size.
    let isSmall = request.method == "POST" && request.body.count <= smallBody
    if isSmall, !request.path.hasPrefix("/v1/workflows") { return (.verbs, .high) }
    return (.requests, .medium)
  }
}
