import HTTP
import Runtime
import Values

/// Which threads handle a request, so that a monitor and an operator never wait behind large bodies and long answers.
enum RequestPlace {
  /// A body up to this size is read in less than a millisecond.
  static let smallBody = 64 << 10

  static func of(_ request: HTTPServerRequest) -> (pool: WorkPool, priority: TaskPriority) {
    switch request.path {
    case "/healthz", "/readyz", "/metrics", "/v1/stats": return (.monitors, .high)
    default: break
    }
    // A verb, a signal, an approval: what changes something and is small. A workflow is read with care, whatever its size.
    let isSmall = request.method == "POST" && request.body.count <= smallBody
    if isSmall, !request.path.hasPrefix("/v1/workflows") { return (.verbs, .high) }
    return (.requests, .medium)
  }
}
