import HTTP
import JSON
import Persistence
import Runtime
import SagaCore
import Values
import Wire
import WorkflowEngine
import Workflows

extension API {
  /// The longest that a request may wait for a saga's end.
  static let longestWait = Duration.seconds(60)
  /// The most bytes of events in one answer, unless one event alone has more. Less than what the engine reads, so that
  /// an answer that is cut short knows that more follow.
  private static let mostHistoryBytes = 8 << 20

  var sagaRoutes: [Route] {
    [
      Route(.startSaga, startSaga),
      Route(.listSagas, listSagas),
      Route(.getSaga, showSaga),
      Route(.listEvents, showHistory),
      Route(.sendSignal, sendSignal),
      Route(.getSagaByKey, showSagaOfKey),
      Route(.sendSignalByKey, sendSignalByKey),
    ]
  }

  private func startSaga(_ call: Call) async throws -> HTTPServerResponse {
    let wait = try call.query.duration("wait", atMost: Self.longestWait)
    let user = try call.user()
    let from = try call.origin()
    let key = try call.request.idempotencyKey()
    var body = try BodyReader(call.request)
    let input = body.value("input", isRequired: true)
    let wanted = readVersion(&body)
    let hasTags = body.has("tags")
    let tags = body.identifiers("tags", count: 16, length: 100)
    try body.finish()
    let started = try await engine.start(
      StartRequest(
        workflow: try call.path.value("name"), version: wanted.version, wantsDraft: wanted.isLatestDraft,
        input: input ?? .null, idempotencyKey: key, tags: hasTags ? tags : nil, by: user, from: from))
    var headers: HTTPHeaders = ["Location": "/v1/sagas/\(started.id)"]
    headers[Self.seenHeader] = await seen(started.id)
    do {
      return try await show(started.id, waiting: wait, status: started.isNew ? 201 : 200, headers: headers)
    } catch let error as StoreError {
      log.warning(
        "Could not read a saga after its start; answering that the outcome is unknown", ("saga", "\(started.id)"),
        ("error", "\(error)"))
      throw OutcomeUnknown("Saga \(started.id) has been started.", saga: started.id)
    }
  }

  /// Reads the version to start: a number from 1, a number below zero for a draft, or `draft` for the latest draft.
  private func readVersion(_ body: inout BodyReader) -> (version: Int?, isLatestDraft: Bool) {
    let wanted = body.read("version", "must be an integer from 1, \"draft\", or -3 for draft 3") { value in
      value == "draft" || value.workflowVersion != nil ? value : nil
    }
    return (wanted?.workflowVersion, wanted == "draft")
  }

  private func showSaga(_ call: Call) async throws -> HTTPServerResponse {
    let wait = try call.query.duration("wait", atMost: Self.longestWait)
    let id = try call.path.sagaID()
    if let version = try call.query.integer("version", in: 1...Int.max) {
      if wait != nil { throw call.query.invalid("wait", "goes without version: what was does not change") }
      return .json(try await engine.saga(id, version: version).response(at: environment.now()).json)
    }
    return try await show(id, waiting: wait)
  }

  /// - Parameter wait: the time to wait for the saga's end before the answer.
  func show(
    _ id: UniqueID, waiting wait: Duration? = nil, status: Int = 200, headers: HTTPHeaders = [:]
  ) async throws -> HTTPServerResponse {
    let saga =
      if let wait, wait > .zero { try await engine.waitForEnd(of: id, atMost: wait) } else {
        try await engine.saga(id)
      }
    return .json(saga.response(at: environment.now()).json, status: status, headers: headers)
  }

  private func listSagas(_ call: Call) async throws -> HTTPServerResponse {
    let (request, cursor) = try SagaListReader(call.query, shardCount: engine.shardCount).request(at: environment.now())
    let page = try await engine.list(request)
    let now = environment.now()
    return .json(
      SagaListResponse(
        sagas: page.sagas.map { SagaSummary($0, at: now) }, next: SagaListReader.seal(page.next, cursor),
        facets: page.facets.map { .init($0) }, behind: page.isBehind,
        lists: .init(page.lists)
      ).json)
  }

  private func showHistory(_ call: Call) async throws -> HTTPServerResponse {
    let after = try call.query.integer("after", in: 0...Int.max, default: 0)
    let limit = try call.query.integer("limit", in: 1...1_000, default: 100)
    let id = try call.path.sagaID()
    // One event more than requested shows whether more follow.
    let lines = try await engine.history(of: id, after: after, limit: limit + 1)
    var page = lines.prefix(limit)
    // A page ends where an answer would become too large.
    let meter = Meter(Budget(steps: .max, bytes: Self.mostHistoryBytes))
    if let large = page.firstIndex(where: { !meter.produce($0.data) }), large > 0 { page = page[..<large] }
    let next = page.count < lines.count ? page.last?.version : nil
    return .json(HistoryResponse(events: page.map { .init($0) }, next: next).json)
  }

  private func showSagaOfKey(_ call: Call) async throws -> HTTPServerResponse {
    let wait = try call.query.duration("wait", atMost: Self.longestWait)
    return try await show(try await sagaOfKey(call), waiting: wait)
  }

  private func sagaOfKey(_ call: Call) async throws -> UniqueID {
    try await engine.saga(of: try call.path.value("name"), startedBy: try call.path.value("key"))
  }

  private func sendSignal(_ call: Call) async throws -> HTTPServerResponse {
    try await send(try call.path.value("name"), in: call, to: try call.path.sagaID())
  }

  private func sendSignalByKey(_ call: Call) async throws -> HTTPServerResponse {
    let id = try await sagaOfKey(call)
    var response = try await send(try call.path.value("signal"), in: call, to: id)
    response.headers[Self.seenHeader] = await seen(id)
    return response
  }

  private func send(_ name: String, in call: Call, to id: UniqueID) async throws -> HTTPServerResponse {
    let user = try call.user()
    let from = try call.origin()
    let key = try call.request.idempotencyKey()
    var body = JSON.null
    if !call.request.body.isEmpty {
      body = try JSONDocument(body: call.request).root
    }
    let signal = SignalGiven(
      name: name, id: key, body: body, by: user, from: from, roles: call.caller.labRoles)
    let answer: SignalAnswer
    do {
      answer = try await engine.signal(id, signal, formerIDs: [])
    } catch let refusal as Refusal where refusal.code == EngineErrorCode.signalRoleMissing {
      access.refusals.count(refusal.code)
      log.info(
        "A signal was refused", ("code", refusal.code), ("saga", "\(id)"), ("signal", name), ("by", user),
        ("address", call.request.remoteAddress))
      throw refusal
    }
    return .json(
      SignalResponse(answer, to: name, of: id).json, status: answer.word == .kept && !answer.isRepeat ? 202 : 200)
  }
}

extension SignalResponse {
  /// The members `became`, `by` and `at` of a repeat are about the first signal.
  fileprivate init(_ answer: SignalAnswer, to name: String, of saga: UniqueID) {
    self.init(
      saga: saga.description, signal: name, answer: answer.isRepeat ? "repeated" : answer.word.rawValue,
      became: answer.isRepeat ? answer.word.rawValue : nil, step: answer.step,
      phase: answer.phase == .undo ? StepPhase.undo.rawValue : nil, candidates: answer.candidates, by: answer.by,
      at: answer.at, version: answer.version)
  }
}

extension PathParameters {
  /// The saga that the path names.
  func sagaID() throws(Problem) -> UniqueID {
    let text = try value("id")
    guard let id = UniqueID(text) else {
      throw Problem(
        Fault(
          ServerErrorCode.sagaIDMalformed,
          "A saga's id is a UUID as 019c8a5e-7b1c-7d2e-8f3a-0123456789ab, not \(quoted(text)).", parameter: "id"))
    }
    return id
  }
}
