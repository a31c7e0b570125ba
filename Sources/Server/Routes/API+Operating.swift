import HTTP
import JSON
import Persistence
import Runtime
import SagaCore
import Values
import Wire
import WorkflowEngine
import Workflows

// The verbs of an operator. The saga's history keeps who used each, when, why and from where.
extension API {
  var operatingRoutes: [Route] {
    OperatorVerb.Name.allCases.map(verb) + [Route(.forgetSaga, forget), Route(.getStats, showStats)]
  }

  /// Reads the members of a verb from a body.
  static func read(_ verb: OperatorVerb.Name, _ body: inout BodyReader) -> OperatorVerb {
    switch verb {
    case .cancel: .cancel
    case .compensate: .compensate
    case .abandon: .abandon
    case .pause: .pause
    case .resume: .resume
    case .retry: .retry(step: body.step(isRequired: false), input: body.object("input"))
    case .resolve: readResolve(&body)
    case .skip:
      .skip(step: body.step(isRequired: true) ?? "", output: body.value("output", isRequired: false))
    case .runNow: .runNow(step: body.step(isRequired: false))
    case .extend: readExtend(&body)
    case .rewind: .rewind(step: body.step(isRequired: true) ?? "")
    case .migrate: readMigrate(&body)
    }
  }

  /// The route of a verb on one saga.
  private func verb(_ name: OperatorVerb.Name) -> Route {
    Route(.verb(name)) { call in
      let id = try call.path.sagaID()
      let user = try call.user()
      let from = try call.origin()
      let key = try call.request.idempotencyKey()
      var body = try BodyReader(call.request)
      let reason = body.reason() ?? ""
      let expected = body.integer("expectedVersion", from: 1)
      let verb = Self.read(name, &body)
      try body.finish()
      let act = OperatorAct(by: user, reason: reason, from: from, commandID: key)
      let request = OperatorRequest(verb, by: act, expectedVersion: expected)
      if try await engine.needsApproval(verb, of: id) {
        let operation = try await engine.ask(id, request)
        return .json(operation.json, status: 202, headers: ["Location": "/v1/operations/\(operation.id)"])
      }
      _ = try await engine.operate(id, request)
      do {
        return try await show(id)
      } catch let error as StoreError {
        log.warning(
          "Could not read a saga after a verb; answering that the outcome is unknown", ("saga", "\(id)"),
          ("error", "\(error)"))
        throw OutcomeUnknown("The saga has taken “\(name.rawValue)”.")
      }
    }
  }

  /// Destroys the key of an ended saga's sensitive values. It can't be undone, so an operation on many sagas can't do it.
  private func forget(_ call: Call) async throws -> HTTPServerResponse {
    let id = try call.path.sagaID()
    let user = try call.user()
    let from = try call.origin()
    let key = try call.request.idempotencyKey()
    var body = try BodyReader(call.request)
    let reason = body.reason() ?? ""
    try body.finish()
    _ = try await engine.forget(id, OperatorAct(by: user, reason: reason, from: from, commandID: key))
    return try await show(id)
  }

  private static func readResolve(_ body: inout BodyReader) -> OperatorVerb {
    let step = body.step(isRequired: true) ?? ""
    let outcome = body.choice("outcome", of: ["happened", "didNotHappen", "undone"])
    let output = body.value("output", isRequired: false)
    if output != nil, let outcome, outcome != "happened" {
      body.refuse("output", "goes with the outcome happened only")
    }
    switch outcome {
    case "happened": return .resolve(step: step, .happened(output: output ?? .null))
    case "didNotHappen": return .resolve(step: step, .didNotHappen)
    default: return .resolve(step: step, .undone)
    }
  }

  private static func readMigrate(_ body: inout BodyReader) -> OperatorVerb {
    let version = body.read("to", "must be an integer from 1, or -3 for draft 3", isRequired: true) {
      $0.workflowVersion
    }
    // A missing version is never carried out: `finish` throws the mistake.
    return .migrate(to: version ?? 1)
  }

  private static func readExtend(_ body: inout BodyReader) -> OperatorVerb {
    let step = body.step(isRequired: false)
    let by = body.text("by", isRequired: false)
    let until = body.text("until", isRequired: false)
    switch (by, until) {
    case (let text?, nil):
      if let length = DurationText.parse(text) { return .extend(step: step, .by(length)) }
      body.refuse("by", "must be a duration, as 90s, 30m, 2h or PT2H")
    case (nil, let text?):
      if let moment = Timestamp(text) { return .extend(step: step, .until(moment)) }
      body.refuse("until", "must be a date-time, as 2026-03-01T08:15:30Z")
    case (nil, nil): body.refuse("by", "is missing: use it, or /until")
    case (_?, _?): body.refuse("until", "can't be used together with /by")
    }
    // Never carried out: `finish` throws the mistake that was found above.
    return .extend(step: step, .by(.zero))
  }

  /// The most held sagas that the counts name.
  private static let mostHeld = 100

  private func showStats(_ call: Call) async throws -> HTTPServerResponse {
    // What lists lack is asked first: it may be missing in the counts, and nothing else may.
    let lists = try await engine.projections()
    let counts = try await engine.counts()
    return .json(
      StatsResponse(
        at: environment.now(), sagas: Counts(SagaStatus.allCases.map { ($0.rawValue, counts[$0] ?? 0) }),
        held: engine.held.prefix(Self.mostHeld).map {
          .init(id: $0.id.description, since: $0.since, paused: $0.isPaused)
        },
        lists: .init(lists)
      ).json)
  }
}

extension BodyReader {
  /// Returns the id of a step, or of an item as `STEP[KEY]`.
  fileprivate mutating func step(isRequired: Bool) -> String? {
    text("step", isRequired: isRequired, atMost: ItemID.longest)
  }
}
