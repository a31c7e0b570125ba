import HTTP
import JSON
import Runtime
import WorkflowEngine

// What an operator does. Each is kept in the saga's history with who, when and why.
extension API {
  var operatingRoutes: [Route] {
    [
      Route("POST", "/v1/sagas/{id}/cancel", cancel),
      Route("POST", "/v1/sagas/{id}/retry", retry),
      Route("POST", "/v1/sagas/{id}/resolve", resolve),
      Route("POST", "/v1/sagas/{id}/abandon", abandon),
      Route("GET", "/v1/stats", showStats),
    ]
  }

  private func cancel(_ call: Call) async throws -> HTTPServerResponse {
    let (id, user, reason) = try readVerb(call)
    _ = try await engine.cancel(id, by: user, reason: reason)
    return try await show(id)
  }

  private func abandon(_ call: Call) async throws -> HTTPServerResponse {
    let (id, user, reason) = try readVerb(call)
    _ = try await engine.abandon(id, by: user, reason: reason)
    return try await show(id)
  }

  /// A verb that needs a reason and nothing else.
  private func readVerb(_ call: Call) throws(Problem) -> (id: UniqueID, user: String, reason: String) {
    let id = try call.path.sagaID()
    let user = try call.request.user()
    var body = try BodyReader(call.request)
    let reason = body.reason()
    try body.finish()
    return (id, user, reason ?? "")
  }

  private func retry(_ call: Call) async throws -> HTTPServerResponse {
    let id = try call.path.sagaID()
    let user = try call.request.user()
    var body = try BodyReader(call.request)
    let reason = body.reason() ?? ""
    let step = body.text("step", isRequired: false)
    try body.finish()
    if let step {
      _ = try await engine.retry(id, step: step, by: user, reason: reason)
    } else {
      try await retryAll(id, by: user, reason: reason)
    }
    return try await show(id)
  }

  private func retryAll(_ id: UniqueID, by user: String, reason: String) async throws {
    let state = try await engine.saga(id).state
    guard !state.blockers.isEmpty else {
      let code = state.end == nil ? EngineErrorCode.sagaNotStuck : EngineErrorCode.sagaEnded
      throw Refusals.problem(code, "The saga is \(state.status.rawValue): no step of it waits to be retried.")
    }
    for blocker in state.blockers {
      _ = try await engine.retry(id, step: blocker.step, by: user, reason: reason)
    }
  }

  private func resolve(_ call: Call) async throws -> HTTPServerResponse {
    let id = try call.path.sagaID()
    let user = try call.request.user()
    var body = try BodyReader(call.request)
    let reason = body.reason()
    let step = body.text("step", isRequired: true)
    let outcome = body.choice("outcome", of: ["happened", "didNotHappen", "undone"])
    let output = body.value("output", isRequired: false)
    let resolution: Resolution
    switch outcome {
    case "happened": resolution = .happened(output: output ?? .null)
    case "didNotHappen": resolution = .didNotHappen
    default: resolution = .undone
    }
    if output != nil, let outcome, outcome != "happened" {
      body.refuse("output", "goes with the outcome happened only")
    }
    try body.finish()
    _ = try await engine.resolve(id, step: step ?? "", as: resolution, by: user, reason: reason ?? "")
    return try await show(id)
  }

  private func showStats(_ call: Call) async throws -> HTTPServerResponse {
    let counts = try await engine.counts()
    let sagas = SagaStatus.allCases.map { ($0.rawValue, JSON.int(counts[$0] ?? 0)) }
    return .json(["at": .string(environment.now().description), "sagas": .object(JSONObject(sagas))])
  }
}
