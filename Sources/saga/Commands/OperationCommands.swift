import JSON
import Runtime
import Server
import Values
import Wire

let opsPreviewCommand = CommandSpec(
  "ops", "preview", summary: "show what a verb on many sagas would do",
  about: [
    "Lists the sagas that match, and which of them would refuse the verb and why. Then prints the command that runs "
      + "exactly this operation. The filters are those of `saga list`."
  ],
  operands: OperationWords.operands, options: OperationWords.options + [.server, .json],
  examples: [
    .init(says: "All sagas with storage errors", line: "saga ops preview retry --stuck --error 'storage.*'"),
    .init(
      says: "Pause all sagas of a workflow",
      line: "saga ops preview pause --workflow sample-processing --status running"),
  ]
) { invocation in
  let words = try await OperationWords(invocation)
  var request = words.request
  request.dryRun = true
  let preview = try await invocation.client.post(.beginOperation, body: request.json)
  if invocation.json {
    invocation.terminal.line(preview.json.text(.pretty))
  } else {
    let drawing = OperationPreviewLines(preview: try preview.read(), words: words.shown, style: invocation.style)
    for line in drawing.lines { invocation.terminal.line(line) }
  }
  return .success
}

let opsRunCommand = CommandSpec(
  "ops", "run", summary: "run the operation of a preview",
  about: [
    "Acts on exactly the sagas of the preview that --selection names, or on none. The engine runs the operation at a "
      + "limited rate and continues after a restart. --wait shows the progress until the end. The history of each saga "
      + "keeps the reason.",
    "A verb that requires approval waits for `saga ops approve`.",
  ],
  operands: OperationWords.operands,
  options: OperationWords.options + [
    OptionSpec("selection", value: "NAME", help: "the selection that the preview printed"),
    OptionSpec("rate", value: "N", help: "sagas a second; else 10"),
    OptionSpec("ramp", value: "TIME", help: "how long the rate takes to rise, as 30s; else 0s"),
    OptionSpec("wait", help: "wait for the end"),
    OptionSpec("request-key", value: "KEY", help: "the Idempotency-Key; else a new one"), .reason, .user, .server,
    .json,
  ],
  examples: [
    .init(says: "First", line: "saga ops preview retry --stuck"),
    .init(
      says: "Then, at a rising rate",
      line: "saga ops run retry --stuck --selection NAME --ramp 1m --reason 'F2 is back'"),
  ]
) { invocation in
  let words = try await OperationWords(invocation)
  var operation = words.request
  operation.reason = try invocation.reason()
  operation.selection = invocation.arguments.value("selection")
  if operation.selection == nil, operation.filter != nil {
    throw invocation.usage("ops run wants --selection NAME: `saga ops preview` prints it")
  }
  operation.rate = try invocation.rate()
  operation.ramp = invocation.arguments.value("ramp")
  let key = invocation.arguments.value("request-key") ?? invocation.environment.newID().description
  let request = APIRequest(
    .beginOperation, headers: [("Idempotency-Key", key)], body: operation.json.bytes())
  let begun = try await invocation.client.answer(to: request, again: 2)
  return try await invocation.follow(begun)
}

let opsListCommand = CommandSpec(
  "ops", "list", summary: "list operations, the newest first",
  about: ["Lists verbs on many sagas, and verbs that wait for a second person."],
  options: [
    OptionSpec(
      "status", value: "STATUS", words: ["waiting", "running", "finished", "stopped", "declined"],
      help: "waiting, running, finished, stopped, or declined"),
    OptionSpec("limit", value: "N", help: "operations a page, at most 200; else 50"),
    OptionSpec("cursor", value: "CURSOR", help: "the cursor of the page before"), .server, .json,
  ],
  examples: [
    .init(says: "Which operations wait for a second person?", line: "saga ops list --status waiting"),
    .init(says: "The last ten operations", line: "saga ops list --limit 10"),
  ]
) { invocation in
  var query: [(name: String, value: String)] = []
  for name in ["status", "limit", "cursor"] {
    if let value = invocation.arguments.value(name) { query.append((name, value)) }
  }
  let answer = try await invocation.client.get(.listOperations, query: query)
  if invocation.json {
    invocation.terminal.line(answer.json.text(.pretty))
    return .success
  }
  let page: OperationListResponse = try answer.read()
  if page.operations.isEmpty { invocation.terminal.line("No operations.") }
  for operation in page.operations {
    let drawing = OperationLines(operation: operation, now: invocation.environment.now(), style: invocation.style)
    for line in drawing.short { invocation.terminal.line(line) }
  }
  if let next = page.next { invocation.terminal.line(invocation.style.dim("More: --cursor \(next)")) }
  return .success
}

private let idOperand = OperandSpec("ID", help: "the operation's id")

let opsShowCommand = CommandSpec(
  "ops", "show", summary: "show the progress and the sagas of an operation",
  about: ["With --sagas it lists each saga that refused, and why. --wait shows the progress until the end."],
  operands: [idOperand],
  options: [
    OptionSpec("sagas", help: "the sagas that refused, and why"), OptionSpec("wait", help: "wait for the end"), .server,
    .json,
  ],
  examples: [
    .init(says: "Its progress", line: "saga ops show ID"),
    .init(says: "Which sagas refused?", line: "saga ops show ID --sagas"),
  ]
) { invocation in
  let id = try invocation.required(0)
  let status = try await invocation.follow(try await invocation.client.get(.getOperation, id))
  guard invocation.arguments.has("sagas"), !invocation.json else { return status }
  var cursor: String?
  repeat {
    let page: OperationSagasResponse = try await invocation.client.get(
      .listOperationSagas, id,
      query: [("outcome", "refused"), ("limit", "1000")] + (cursor.map { [("cursor", $0)] } ?? [])
    ).read()
    for result in page.sagas {
      let name = (result.title ?? result.key).map { Layout.clip(Layout.printable($0), to: 80) }
      if let name { invocation.terminal.line(invocation.style.bold(name)) }
      invocation.terminal.line("\(result.saga)  \(result.code ?? "")")
      invocation.terminal.line("  " + invocation.style.dim(Layout.clip(result.message ?? "", to: 78)))
    }
    cursor = page.next
  } while cursor != nil
  return status
}

let opsStopCommand = CommandSpec(
  "ops", "stop", summary: "stop an operation",
  about: ["What it has done stays done. The other sagas are not changed."],
  operands: [idOperand], options: [.reason, .user, .server, .json],
  examples: [
    .init(says: "It does more harm than good", line: "saga ops stop ID --reason 'F2 is down again'"),
    .init(says: "What has it done?", line: "saga ops show ID"),
  ]
) { try await decide(.stopOperation, $0) }

let opsApproveCommand = CommandSpec(
  "ops", "approve", summary: "approve an operation as the second person",
  about: ["Then the operation begins. The person who asked for it can't approve it. Both persons need names."],
  operands: [idOperand], options: [.reason, .user, .server, .json],
  examples: [
    .init(says: "Look first", line: "saga ops show ID"),
    .init(says: "Then", line: "saga ops approve ID --user ben --reason 'checked against the freezer log'"),
  ]
) { try await decide(.approveOperation, $0) }

let opsDeclineCommand = CommandSpec(
  "ops", "decline", summary: "decline an operation: nothing is done",
  about: ["The operation ends. The person who asked for it can decline it, too."],
  operands: [idOperand], options: [.reason, .user, .server, .json],
  examples: [
    .init(says: "The tube was found", line: "saga ops decline ID --reason 'found in F3'"),
    .init(says: "Which operations wait?", line: "saga ops list --status waiting"),
  ]
) { try await decide(.declineOperation, $0) }

private func decide(_ endpoint: Endpoint, _ invocation: Invocation) async throws -> ExitStatus {
  let request = DecisionRequest(reason: try invocation.reason())
  let id = try invocation.required(0)
  try invocation.showOperation(try await invocation.client.post(endpoint, id, body: request.json))
  return .success
}

extension Invocation {
  func reason() throws(UsageError) -> String {
    guard let reason = arguments.value("reason"), reason.contains(where: { !$0.isWhitespace }) else {
      throw usage("\(command.name) wants --reason TEXT: the history keeps it for the auditor")
    }
    return reason
  }

  /// `--rate`: sagas a second.
  func rate() throws(UsageError) -> Double? {
    guard let rate = arguments.value("rate") else { return nil }
    guard let number = Double(rate), number.isFinite else { throw usage("--rate wants a number, not \"\(rate)\"") }
    return number
  }

  /// Shows an operation; with `--wait`, after its end.
  func follow(_ begun: EngineAnswer) async throws -> ExitStatus {
    var answer = begun
    if arguments.has("wait") {
      var operation: OperationResponse = try answer.read()
      var last: String?
      while operation.endedAt == nil {
        let line = OperationLines(operation: operation, now: environment.now(), style: style).progress
        if !json, line != last { terminal.line(line) }
        last = line
        try await environment.sleep(for: .milliseconds(500))
        answer = try await client.get(.getOperation, operation.id)
        operation = try answer.read()
      }
    }
    try showOperation(answer)
    return .success
  }

  func showOperation(_ answer: EngineAnswer) throws {
    if json {
      terminal.line(answer.json.text(.pretty))
      return
    }
    let drawing = OperationLines(operation: try answer.read(), now: environment.now(), style: style)
    for line in drawing.lines { terminal.line(line) }
  }
}
