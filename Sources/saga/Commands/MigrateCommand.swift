import JSON
import Runtime
import Server
import Values
import Wire

let migrateCommand = CommandSpec(
  "migrate", summary: "move running sagas to another version of their workflow",
  about: [
    "Moves the open sagas of version A to version B, where B fits what a saga has begun. The others stay where they are, "
      + "and the command says why. `saga diff A B` shows what keeps a saga. A version is NAME@2; NAME@draft is the latest "
      + "draft, and NAME@draft-2 is draft 2.",
    "With --dry-run it only says which sagas would move. Without --saga the engine moves all open sagas of A as an "
      + "operation, at a limited rate, and continues after a restart. A verb that requires approval waits for "
      + "`saga ops approve`.",
  ],
  operands: [
    OperandSpec("A", help: "the version on which the sagas are: NAME@VERSION"),
    OperandSpec("B", help: "the version to which they move: NAME@VERSION"),
  ],
  options: [
    OptionSpec("saga", value: "ID", repeats: true, help: "exactly this saga, and every other that is named"),
    OptionSpec("dry-run", help: "only say which sagas would move, and why others would not"),
    OptionSpec("rate", value: "N", help: "sagas a second; else 10"),
    OptionSpec("ramp", value: "TIME", help: "how long the rate takes to rise, as 30s; else 0s"),
    OptionSpec("wait", help: "wait for the end of the operation"),
    OptionSpec("key", value: "KEY", help: "the Idempotency-Key; else a new one"), .reason, .user, .server, .json,
  ],
  examples: [
    .init(says: "Which sagas would move?", line: "saga migrate store-tube@1 store-tube@2 --dry-run"),
    .init(
      says: "Move them", line: "saga migrate store-tube@1 store-tube@2 --wait --reason 'new address'"),
    .init(
      says: "Move one trial to the latest draft",
      line: "saga migrate tube@draft-2 tube@draft --saga ID --reason 'corrected'"),
  ]
) { try await Migration($0).run() }

/// The move of sagas from one version of a workflow to another.
private struct Migration {
  private let invocation: Invocation
  private let workflow: String
  private let from: VersionWord
  private let to: VersionWord
  private let sagas: [String]

  init(_ invocation: Invocation) async throws {
    self.invocation = invocation
    guard case .registered(let workflow, let from) = try WorkflowPlace(invocation, 0).kind,
      case .registered(let other, let to) = try WorkflowPlace(invocation, 1).kind
    else { throw invocation.usage("migrate wants A and B as NAME@VERSION, because the engine has the sagas") }
    guard workflow == other else {
      throw invocation.usage("a saga stays in its workflow: \(workflow) and \(other) are two workflows")
    }
    guard from != to else { throw invocation.usage("A and B are the same version") }
    self.workflow = workflow
    self.from = from
    self.to = to
    var sagas: [String] = []
    for saga in invocation.arguments.values("saga") { sagas.append(try await invocation.sagaID(named: saga)) }
    self.sagas = sagas
  }

  func run() async throws -> ExitStatus {
    let isDryRun = invocation.arguments.has("dry-run")
    let reason = isDryRun ? nil : try invocation.reason()
    let (from, to) = (try await number(from), try await number(to))
    guard from != to else { throw invocation.usage("A and B are the same version: \(VersionName.long(to))") }
    if let reason, sagas.count == 1 { return try await move(sagas[0], from: from, to: to, because: reason) }
    var request = NewOperationRequest(verb: "migrate")
    request.members.to = to
    if sagas.isEmpty {
      request.filter = [
        "workflow": .string(workflow), "version": .int(from), "status": ["running", "compensating", "stuck"],
      ]
    } else {
      request.sagas = sagas
    }
    request.dryRun = true
    let answer = try await invocation.client.post(.beginOperation, body: request.json)
    let preview: OperationPreviewResponse = try answer.read()
    if isDryRun, invocation.json {
      invocation.terminal.line(answer.json.text(.pretty))
      return .success
    }
    if !invocation.json {
      let drawing = MovePreviewLines(preview: preview, workflow: workflow, from: from, to: to, style: invocation.style)
      for line in drawing.lines { invocation.terminal.line(line) }
    }
    guard let reason else { return .success }
    guard preview.takes > 0 else { return preview.sagas == 0 ? .success : .failure }
    request.dryRun = false
    request.reason = reason
    if sagas.isEmpty { request.selection = preview.selection }
    return try await begin(request)
  }

  /// Returns the number of a version. The engine knows which draft is the latest.
  private func number(_ version: VersionWord) async throws -> Int {
    switch version {
    case .number(let number): number
    case .latestDraft: try await WorkflowPlace.workflow(workflow, version, invocation).version
    }
  }

  /// Moves one saga by the verb itself.
  private func move(_ saga: String, from: Int, to: Int, because reason: String) async throws -> ExitStatus {
    let now: SagaResponse = try await invocation.client.get(.getSaga, saga).readUnchanged()
    // A saga that is there already may have moved by this request, whose answer was lost. The engine knows its key.
    guard now.workflow == workflow, now.version == from || now.version == to else {
      throw invocation.usage(
        "saga \(saga) is on \(now.workflow) \(VersionName.short(now.version)), not on \(workflow) \(VersionName.short(from))"
      )
    }
    var members = VerbMembers()
    members.to = to
    let body = VerbRequest(reason: reason, members)
    let request = APIRequest(
      .migrateSaga, saga, headers: [("Idempotency-Key", key)], body: body.json.bytes())
    try invocation.show(try await invocation.client.answer(to: request, again: 2))
    return .success
  }

  private func begin(_ request: NewOperationRequest) async throws -> ExitStatus {
    var request = request
    request.rate = try invocation.rate()
    request.ramp = invocation.arguments.value("ramp")
    let post = APIRequest(.beginOperation, headers: [("Idempotency-Key", key)], body: request.json.bytes())
    return try await invocation.follow(try await invocation.client.answer(to: post, again: 2))
  }

  private var key: String { invocation.arguments.value("key") ?? invocation.environment.newID().description }
}

/// Which sagas would move, and why the others would not.
struct MovePreviewLines {
  let preview: OperationPreviewResponse
  let workflow: String
  let from: Int
  let to: Int
  let style: Style

  var lines: [String] {
    let name = "\(workflow) \(VersionName.short(from))"
    guard !preview.items.isEmpty else { return ["No saga of \(name) is open."] }
    var lines = [style.bold("\(FileReport.count(preview.items.count, "saga")) of \(name):")]
    lines.append("  \(Layout.padLeft("\(preview.takes)", to: 5))  can move to \(VersionName.short(to))")
    for (reason, sagas) in refused.sorted(by: { ($1.value.count, $0.key) < ($0.value.count, $1.key) }) {
      let words = Layout.wrap(Layout.printable(reason), width: 71)
      lines += words.enumerated().map { index, line in
        "  \(Layout.padLeft(index == 0 ? "\(sagas.count)" : "", to: 5))  \(line)"
      }
      let named = sagas.prefix(3).joined(separator: ", ") + (sagas.count > 3 ? ", …" : "")
      lines += Layout.wrap(named, width: 71).map { style.dim("         " + $0) }
    }
    if preview.needsApproval { lines.append("A second person has to approve the move before it starts.") }
    return lines
  }

  /// The ids of the sagas that can't move, by the reason.
  private var refused: [String: [String]] {
    var refused: [String: [String]] = [:]
    for item in preview.items where !item.takes {
      refused[item.message ?? item.code ?? "", default: []].append(item.saga)
    }
    return refused
  }
}
