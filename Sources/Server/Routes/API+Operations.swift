import HTTP
import JSON
import Persistence
import Runtime
import SagaCore
import Values
import Wire
import WorkflowEngine

// A verb on many sagas: first a preview, then exactly its sagas, at a rate. And the approval of a second person.
extension API {
  var operationRoutes: [Route] {
    [
      Route(.beginOperation, beginOperation),
      Route(.listOperations, listOperations),
      Route(.getOperation, showOperation),
      Route(.listOperationSagas, listResults),
      decision(.approveOperation) { try await $0.approve($1, $2) },
      decision(.declineOperation) { try await $0.decline($1, $2) },
      decision(.stopOperation) { try await $0.stop($1, $2) },
    ]
  }

  private func beginOperation(_ call: Call) async throws -> HTTPServerResponse {
    let user = try call.user()
    let from = try call.origin()
    let key = try call.request.idempotencyKey()
    var body = try BodyReader(call.request)
    let name = body.choice("verb", of: OperatorVerb.Name.allCases.map(\.rawValue))
      .flatMap(OperatorVerb.Name.init(rawValue:))
    let isPreview = body.flag("dryRun") ?? false
    let target = try OperationReader.target(&body, at: environment.now())
    let verb = name.map { Self.read($0, &body) }
    if name == .migrate, case .filter(let query, _)? = target, query.workflow == nil {
      body.refuse("filter", "must name the workflow: a number of a version means nothing without it")
    }
    // A preview takes what the operation takes, so that one body serves both.
    let reason = isPreview ? body.text("reason", isRequired: false, atMost: 1_000) : body.reason()
    let rate = body.number("rate", in: OperationPace.rates)
    let ramp = body.duration("ramp", atMost: OperationPace.longestRamp)
    let selection = body.text("selection", isRequired: false)
    if !isPreview, selection == nil, case .filter? = target {
      body.refuse(
        "selection", "is missing: ask with \"dryRun\": true first, look at it, and pass the selection that it names")
    }
    try body.finish()
    // `finish` has refused a request without a verb or a target.
    guard let verb, let target else { throw Problem([]) }
    if isPreview {
      let preview = try await engine.preview(verb, target)
      let names = await engine.names(of: preview.items.map(\.saga))
      return .json(OperationPreviewResponse(preview, of: verb, names: names).json)
    }
    let begun = try await engine.begin(
      OperationRequest(
        verb, target, selection: selection,
        pace: OperationPace(rate: rate ?? OperationPace.usualRate, ramp: ramp ?? .zero),
        by: OperatorAct(by: user, reason: reason ?? "", from: from)),
      key: key)
    return .json(
      begun.operation.json, status: begun.isNew ? 202 : 200,
      headers: ["Location": "/v1/operations/\(begun.operation.id)"])
  }

  private func listOperations(_ call: Call) async throws -> HTTPServerResponse {
    let status = try call.query.choice("status", Operation.Status.self)
    let limit = try call.query.integer("limit", in: 1...200, default: 50)
    let cursor = SealedCursor(list: "operations", filters: [status?.rawValue])
    let after = try cursor.document(call.query.text("cursor"))
    let page = try await engine.operations(status: status, after: after, limit: limit)
    let next = page.next.map { cursor.seal("\($0.sort)|\($0.id)") }
    return .json(.members(["operations": .array(page.operations), "next": .text(next)]))
  }

  private func showOperation(_ call: Call) async throws -> HTTPServerResponse {
    let operation = try await engine.operation(call.path.operationID())
    let standing = try await engine.standing(of: operation)
    var json = operation.json.objectValue ?? [:]
    json["standing"] = .object(
      JSONObject(SagaStatus.allCases.compactMap { status in standing[status].map { (status.rawValue, JSON.int($0)) } }))
    return .json(.object(json))
  }

  private func listResults(_ call: Call) async throws -> HTTPServerResponse {
    let outcome = try call.query.choice("outcome", OperationOutcome.self)
    let limit = try call.query.integer("limit", in: 1...1_000, default: 100)
    let operation = try await engine.operation(call.path.operationID())
    let cursor = SealedCursor(list: "operation", filters: [operation.id.description, outcome?.rawValue])
    let start = try cursor.open(call.query.text("cursor")).map { text throws(Problem) in
      guard let place = Int(digits: text) else { throw SealedCursor.malformed }
      return place
    }
    var rows: [(saga: UniqueID, result: OperationResult?)] = []
    var next: Int?
    // By place in the operation, which never changes.
    for (index, saga) in operation.plan.sagas.enumerated().dropFirst(start ?? 0) {
      let result = operation.results[saga]
      if let outcome, outcome != OperationOutcome(result) { continue }
      if rows.count == limit {
        next = index
        break
      }
      rows.append((saga, result))
    }
    let names = await engine.names(of: rows.map(\.saga))
    let results = rows.map { saga, result in
      OperationSagasResponse.Result(
        saga: saga.description, title: names[saga]?.title, key: names[saga]?.key,
        outcome: OperationOutcome(result).rawValue, version: result?.version, code: result?.refusal?.code,
        message: result?.refusal?.message)
    }
    return .json(OperationSagasResponse(sagas: results, next: next.map { cursor.seal("\($0)") }).json)
  }

  private func decision(
    _ endpoint: Endpoint,
    _ decide: @escaping @Sendable (any SagaEngine, UniqueID, OperatorAct) async throws -> Operation
  ) -> Route {
    Route(endpoint) { call in
      let id = try call.path.operationID()
      let act = (user: try call.user(), from: try call.origin())
      var body = try BodyReader(call.request)
      let reason = body.reason() ?? ""
      try body.finish()
      return .json(try await decide(engine, id, OperatorAct(by: act.user, reason: reason, from: act.from)).json)
    }
  }
}

/// The result of an operation for one saga.
enum OperationOutcome: String, CaseIterable {
  case done, refused, left

  init(_ result: OperationResult?) {
    switch result {
    case nil: self = .left
    case let result?: self = result.refusal == nil ? .done : .refused
    }
  }
}

extension OperationPreviewResponse {
  fileprivate init(_ preview: OperationPreview, of verb: OperatorVerb, names: [UniqueID: SagaName]) {
    let refused = preview.items.count { $0.refusal != nil }
    self.init(
      dryRun: true, verb: verb.name.rawValue, request: verb.json, sagas: preview.items.count,
      takes: preview.items.count - refused, refuses: refused, selection: preview.selection,
      needsApproval: preview.needsApproval,
      items: preview.items.map {
        Item(
          saga: $0.saga.description, title: names[$0.saga]?.title, key: names[$0.saga]?.key, workflow: $0.workflow,
          status: $0.status?.rawValue, takes: $0.refusal == nil, code: $0.refusal?.code, message: $0.refusal?.message)
      })
  }
}

extension PathParameters {
  /// The operation that the path names.
  func operationID() throws(Problem) -> UniqueID {
    let text = try value("id")
    guard let id = UniqueID(text) else {
      throw Problem(
        Fault(
          ServerErrorCode.operationIDMalformed,
          "An operation's id is a UUID as 019c8a5e-7b1c-7d2e-8f3a-0123456789ab, not \(quoted(text)).", parameter: "id"))
    }
    return id
  }
}
