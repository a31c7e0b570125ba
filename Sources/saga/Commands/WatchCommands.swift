import JSON
import Runtime
import Server
import Values
import Wire

let showCommand = CommandSpec(
  "show", summary: "draw a saga with its steps",
  about: [
    "Draws the steps in order with their status, time, attempts, errors and undos. For a saga that needs an operator it "
      + "prints the commands that help. A step with forEach has one line with the counts of its items, and below it "
      + "the first ones that failed. Nine or more steps that do the same side by side, as the wells of a plate, have one "
      + "line, too: --all draws each.",
    "With --calls it shows what the saga sent to each participant and what was answered: status, chosen headers, and at "
      + "most 2 KB of a body. Secrets are masked. With --json it prints a line of JSON for each call.",
    "With --tree it shows the saga with its child sagas and the sagas above it. Of many children it shows those that are "
      + "stuck, paused or overdue, and counts the others.",
  ],
  operands: [.saga],
  options: [
    OptionSpec("calls", help: "show what was sent and what was answered, the newest last"),
    OptionSpec("step", value: "STEP", help: "with --calls: only the calls of this step, or item as 'STEP[KEY]'"),
    OptionSpec("tree", help: "show the saga among its parents and children"),
    OptionSpec("all", help: "a line for each step, also for many that do the same side by side"),
    OptionSpec("version", value: "N", help: "the saga as it was after event N, without what can be done now"),
    .server, .json,
  ],
  examples: [
    .init(says: "How is this saga?", line: "saga show 019c8a5e-7b1c-7d2e-8f3a-0123456789ab"),
    .init(says: "How are the wells of this plate?", line: "saga show ID --tree"),
    .init(says: "Why did the service refuse it?", line: "saga show ID --calls --step storeSample"),
  ]
) { invocation in
  if invocation.arguments.has("tree") {
    if invocation.arguments.has("calls") || invocation.arguments.has("step") {
      throw invocation.usage("--tree goes without --calls and --step")
    }
    return try await invocation.showTree()
  }
  if invocation.arguments.has("calls") { return try await showCalls(invocation) }
  if invocation.arguments.value("step") != nil { throw invocation.usage("--step goes with --calls") }
  if let version = try invocation.number("version") {
    let id = try await invocation.sagaID()
    let past = try await invocation.client.get(.getSaga, id, query: [("version", "\(version)")])
    try invocation.show(past, pastEvent: version)
    return .success
  }
  let answer = try await invocation.client.get(.getSaga, try await invocation.sagaID())
  let failed = invocation.json ? [:] : try await FailedItems.read(of: try answer.read(), invocation.client)
  try invocation.show(answer, failedItems: failed)
  return .success
}

/// Prints a saga's calls, page by page.
private func showCalls(_ invocation: Invocation) async throws -> ExitStatus {
  let id = try await invocation.sagaID()
  let lines = CallLines(style: invocation.style)
  var cursor: String?
  var isEmpty = true
  repeat {
    var query = [("limit", "100")]
    if let step = invocation.arguments.value("step") { query.append(("step", step)) }
    if let cursor { query.append(("cursor", cursor)) }
    let answer = try await invocation.client.get(.listCalls, id, query: query)
    let page: CallsResponse = try answer.read()
    for (call, json) in zip(page.calls, answer.json["calls"]?.arrayValue ?? []) {
      isEmpty = false
      for line in invocation.json ? [json.text()] : lines.lines(of: call) { invocation.terminal.line(line) }
    }
    cursor = page.next
  } while cursor != nil
  if isEmpty, !invocation.json { invocation.terminal.line("No calls yet.") }
  return .success
}

let eventsCommand = CommandSpec(
  "events", summary: "print the events of a saga",
  about: [
    "Prints every event of the saga's history in order, with its time in UTC. --follow waits for more until the saga ends."
  ],
  operands: [.saga],
  options: [
    OptionSpec("after", value: "N", help: "only the events after event N"),
    OptionSpec("follow", help: "wait for more until the saga ends"),
    .server, .json,
  ],
  examples: [
    .init(says: "The whole history", line: "saga events 019c8a5e-7b1c-7d2e-8f3a-0123456789ab"),
    .init(says: "Watch it happen, one JSON a line", line: "saga events ID --follow --json"),
  ]
) { invocation in
  let after = try invocation.number("after") ?? 0
  return try await followEvents(
    invocation, of: try await invocation.sagaID(), after: after, follow: invocation.arguments.has("follow"))
}

/// Prints a saga's events; with `follow`, until it has ended.
/// - Parameter seen: the last event that is not printed.
func followEvents(_ invocation: Invocation, of id: String, after seen: Int, follow: Bool) async throws -> ExitStatus {
  var after = seen
  var drawing = EventLine(style: invocation.style)
  while true {
    // The end is read before the events, so that all events of an ended saga are printed.
    let ended =
      follow ? try await invocation.client.get(.getSaga, id).read(SagaResponse.self).endedAt != nil : true
    var more = true
    while more {
      let answer = try await invocation.client.get(.listEvents, id, query: [("after", "\(after)"), ("limit", "1000")])
      let page: HistoryResponse = try answer.read()
      for (event, json) in zip(page.events, answer.json["events"]?.arrayValue ?? []) {
        for line in invocation.json ? [json.text()] : drawing.lines(of: event) { invocation.terminal.line(line) }
      }
      after = max(after, page.events.last?.version ?? after)
      more = page.next != nil && !page.events.isEmpty
    }
    if ended { return .success }
    try await invocation.environment.sleep(for: .milliseconds(400))
  }
}

let signalCommand = CommandSpec(
  "signal", summary: "send a signal that a step waits for",
  about: [
    "A signal goes to one step: the first that waits for its name, itself or for its undo, and accepts it. The engine "
      + "keeps a signal that comes before its step waits. A repeat with the same key and body changes nothing and says "
      + "what became of the signal. Without --key every signal is a new one."
  ],
  operands: [
    .saga, OperandSpec("NAME", help: "the signal's name in the workflow"),
  ],
  options: [
    OptionSpec("body", value: "JSON", help: "the body: JSON, a file, or - for standard input; else null"),
    OptionSpec("key", value: "KEY", help: "the Idempotency-Key"),
    .user, .server, .json,
  ],
  examples: [
    .init(says: "QA approves", line: "saga signal ID approval --body '{\"approved\": true}'"),
    .init(says: "Results of an instrument", line: "saga signal ID results --body results.json --key RUN-17"),
  ]
) { invocation in
  let id = try await invocation.sagaID()
  let name = try invocation.required(1)
  let body = try invocation.arguments.value("body").map { try invocation.value(of: $0, option: "body") } ?? .null
  let request = APIRequest(
    .sendSignal, id, name,
    headers: [("Idempotency-Key", invocation.arguments.value("key") ?? invocation.environment.newID().description)],
    body: body.bytes())
  let answer = try await invocation.client.answer(to: request, again: 2)
  if invocation.json {
    invocation.terminal.line(answer.json.text(.pretty))
    return .success
  }
  invocation.terminal.line(SignalLine.text(of: try answer.read()))
  return .success
}

/// The result of a signal, in one line.
enum SignalLine {
  static func text(of answer: SignalResponse) -> String {
    guard answer.answer == "repeated" else {
      return "\(answer.answer): \(what(answer.answer, of: answer) ?? "the engine says no more")"
    }
    let became = answer.became.flatMap { what($0, of: answer) } ?? "the signal is known"
    return "repeated: \(answer.by) sent it at \(answer.at). Nothing was done again; \(became)"
  }

  private static func what(_ word: String, of answer: SignalResponse) -> String? {
    switch word {
    case "taken":
      return answer.step.map {
        "\(answer.phase == "undo" ? "the undo of " : "")step \($0), which waited for \(answer.signal), took it"
      }
    case "kept":
      let steps = answer.candidates.joined(separator: ", ")
      return "no step waits for \(answer.signal) yet"
        + (steps.isEmpty ? "" : "; the first of these steps that accepts it takes it: \(steps)")
    default: return nil
    }
  }
}
