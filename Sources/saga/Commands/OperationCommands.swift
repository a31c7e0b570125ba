import JSON
import Runtime
import Server
import Values
import Wire

let opsPreviewCommand = CommandSpec(
  "ops", "preview", summary: "what a verb on many sagas would do",
  about: [
    "Says exactly which sagas are found, and which of them would refuse the verb and why; then the command that does just "
      + "that. Sagas are found as `saga list` finds them."
  ],
  operands: OperationWords.operands, options: OperationWords.options + [.server, .json],
  examples: [
    .init(says: "All that storage broke", line: "saga ops preview retry --stuck --error 'storage.*'"),
    .init(says: "Hold a workflow's runs", line: "saga ops preview pause --workflow sample-processing --status running"),
  ]
) { invocation in
  let words = try OperationWords(invocation)
  var body = words.body
  body["dryRun"] = true
  let preview = try await invocation.client.post(.beginOperation, body: .object(body))
  if invocation.json {
    invocation.terminal.line(preview.json.text(.pretty))
  } else {
    let drawing = OperationPreviewLines(preview: try preview.read(), words: words.shown, style: invocation.style)
    for line in drawing.lines { invocation.terminal.line(line) }
  }
  return .success
}

let opsRunCommand = CommandSpec(
  "ops", "run", summary: "do what a preview has shown",
  about: [
    "Acts on exactly the sagas of the preview that --selection names, or on none. The engine carries it out by itself, so "
      + "many sagas a second, and goes on after a restart; --wait watches until it is through. The reason is kept in "
      + "each saga's history.",
    "Where the verb takes two people it waits: `saga ops approve`.",
  ],
  operands: OperationWords.operands,
  options: OperationWords.options + [
    OptionSpec("selection", value: "NAME", help: "the preview's name for exactly these sagas"),
    OptionSpec("rate", value: "N", help: "sagas a second; 10"),
    OptionSpec("ramp", value: "TIME", help: "how long the rate takes to rise, as 30s; none"),
    OptionSpec("wait", help: "until it is through"),
    OptionSpec("request-key", value: "KEY", help: "the Idempotency-Key; else one is made up"), .reason, .user, .server,
    .json,
  ],
  examples: [
    .init(says: "First", line: "saga ops preview retry --stuck"),
    .init(
      says: "Then, gently",
      line: "saga ops run retry --stuck --selection NAME --ramp 1m --reason 'F2 is back'"),
  ]
) { invocation in
  let words = try OperationWords(invocation)
  var body = words.body
  body["reason"] = .string(try invocation.reason())
  if let selection = invocation.arguments.value("selection") {
    body["selection"] = .string(selection)
  } else if body["filter"] != nil {
    throw invocation.usage("ops run wants --selection NAME: look at `saga ops preview` first, which says it")
  }
  if let rate = invocation.arguments.value("rate") {
    guard let number = Double(rate) else { throw invocation.usage("--rate wants a number, not \"\(rate)\"") }
    body["rate"] = .number(JSONNumber(number))
  }
  if let ramp = invocation.arguments.value("ramp") { body["ramp"] = .string(ramp) }
  let key = invocation.arguments.value("request-key") ?? invocation.environment.newID().description
  let request = APIRequest(
    .beginOperation, headers: [("Idempotency-Key", key)], body: JSON.object(body).bytes())
  let begun = try await invocation.client.answer(to: request, again: 2)
  return try await invocation.follow(begun)
}

let opsListCommand = CommandSpec(
  "ops", "list", summary: "list operations, the newest first",
  about: ["Verbs on many sagas, and those that wait for a second person."],
  options: [
    OptionSpec("status", value: "STATUS", help: "waiting, running, finished, stopped, or declined"),
    OptionSpec("limit", value: "N", help: "how many, at most 200; 50"),
    OptionSpec("cursor", value: "CURSOR", help: "the page that the page before named"), .server, .json,
  ],
  examples: [
    .init(says: "What waits for a second person?", line: "saga ops list --status waiting"),
    .init(says: "What was done lately?", line: "saga ops list --limit 10"),
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
  "ops", "show", summary: "how far an operation is, and how its sagas stand",
  about: ["With --sagas, also each saga that refused, and why; --wait watches until it is through."],
  operands: [idOperand],
  options: [
    OptionSpec("sagas", help: "those that refused, and why"), OptionSpec("wait", help: "until it is through"), .server,
    .json,
  ],
  examples: [
    .init(says: "How far is it?", line: "saga ops show ID"),
    .init(says: "Which refused?", line: "saga ops show ID --sagas"),
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
      invocation.terminal.line("\(result.saga)  \(result.code ?? "")")
      invocation.terminal.line("  " + invocation.style.dim(Layout.clip(result.message ?? "", to: 78)))
    }
    cursor = page.next
  } while cursor != nil
  return status
}

let opsStopCommand = CommandSpec(
  "ops", "stop", summary: "stop an operation; what it has done stays done",
  about: ["Sagas that it had not come to are left as they are."],
  operands: [idOperand], options: [.reason, .user, .server, .json],
  examples: [
    .init(says: "It does more harm than good", line: "saga ops stop ID --reason 'F2 is down again'"),
    .init(says: "What has it done?", line: "saga ops show ID"),
  ]
) { try await decide(.stopOperation, $0) }

let opsApproveCommand = CommandSpec(
  "ops", "approve", summary: "agree, as a second person",
  about: ["Then it begins. Whoever asked for it can't be the one who agrees; both must have names."],
  operands: [idOperand], options: [.reason, .user, .server, .json],
  examples: [
    .init(says: "Look first", line: "saga ops show ID"),
    .init(says: "Then", line: "saga ops approve ID --user ben --reason 'checked against the freezer log'"),
  ]
) { try await decide(.approveOperation, $0) }

let opsDeclineCommand = CommandSpec(
  "ops", "decline", summary: "don't agree: nothing is done",
  about: ["It waits no longer. Whoever asked for it may take it back so, too."],
  operands: [idOperand], options: [.reason, .user, .server, .json],
  examples: [
    .init(says: "The tube is there after all", line: "saga ops decline ID --reason 'found in F3'"),
    .init(says: "What waits?", line: "saga ops list --status waiting"),
  ]
) { try await decide(.declineOperation, $0) }

private func decide(_ endpoint: Endpoint, _ invocation: Invocation) async throws -> ExitStatus {
  let body: JSON = ["reason": .string(try invocation.reason())]
  try invocation.showOperation(try await invocation.client.post(endpoint, try invocation.required(0), body: body))
  return .success
}

extension Invocation {
  fileprivate func reason() throws(UsageError) -> String {
    guard let reason = arguments.value("reason"), reason.contains(where: { !$0.isWhitespace }) else {
      throw usage("\(command.name) wants --reason TEXT: the history keeps it for the auditor")
    }
    return reason
  }

  /// Shows an operation; with `--wait`, after its end.
  fileprivate func follow(_ begun: EngineAnswer) async throws -> ExitStatus {
    var answer = begun
    if arguments.has("wait") {
      var operation: OperationResponse = try answer.read()
      var last: String?
      while operation.endedAt == nil {
        let line = OperationLines(operation: operation, now: environment.now(), style: style).progress
        if !json, line != last { terminal.line(line) }
        last = line
        try await environment.clock.sleep(until: environment.now() + .milliseconds(500))
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
