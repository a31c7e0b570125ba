import HTTP
import SagaCore
import Values

// The live stream: server-sent events.
extension API {
  var liveRoutes: [Route] {
    [Route(.streamEvents, streamEvents)]
  }

  // The compiler (Swift 6.3.1) crashes when it optimises this function.
  @_optimize(none)
  private func streamEvents(_ call: Call) async throws -> HTTPServerResponse {
    let filter = try Self.filter(of: call)
    let last = call.request.headers["Last-Event-ID"].flatMap { $0.isEmpty ? nil : $0 }
    let stream = try await live.join(filter, after: last, while: mayStillRead(call))
    return HTTPServerResponse(
      headers: [
        "Content-Type": "text/event-stream", "Cache-Control": "no-store",
        // Without this header reverse proxies buffer answers.
        "X-Accel-Buffering": "no",
      ], body: .stream(stream))
  }
  private static func filter(of call: Call) throws(Problem) -> LiveFilter {
    let saga = try call.query.text("saga").map { text throws(Problem) in
      guard let id = UniqueID(text) else {
        throw Problem(
          Fault(ServerErrorCode.parameterInvalid, "\(quoted(text)) is not a saga's id.", parameter: "saga"))
      }
      return id
    }
    return LiveFilter(
      saga: saga, workflow: try call.query.text("workflow"),
      statuses: Set(try call.query.choices("status", SagaStatus.self).map(\.rawValue)))
  }

  private func mayStillRead(_ call: Call) -> @Sendable () -> Bool {
    { [access, environment] in access.stillMay(.view, call.caller, in: call.request, environment) }
  }
}
