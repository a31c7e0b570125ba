import JSON
import Runtime
import Server
import Values
import Wire

let showCommand = CommandSpec(
  "show", summary: "draw a saga: its steps, where each stands, and why",
  about: [
    "Draws the steps in their order with their states, times, attempts and errors, what was undone, and, when the saga "
      + "waits for an operator, the commands that would help."
  ],
  operands: [OperandSpec("ID", help: "the saga's id")],
  options: [.server, .json],
  examples: [
    .init(says: "What became of it?", line: "saga show 019c8a5e-7b1c-7d2e-8f3a-0123456789ab"),
    .init(
      says: "Only its output", line: "saga show ID --json | saga query '$.output'"),
  ]
) { invocation in
  try invocation.show(try await invocation.client.get(.getSaga, try invocation.sagaID()))
  return .success
}

let eventsCommand = CommandSpec(
  "events", summary: "print a saga's history, event by event",
  about: [
    "Every transition of a saga is an event, in order, with its moment. --follow goes on until the saga has ended."
  ],
  operands: [OperandSpec("ID", help: "the saga's id")],
  options: [
    OptionSpec("after", value: "N", help: "only what came after event N"),
    OptionSpec("follow", help: "wait for more, until the saga has ended"),
    .server, .json,
  ],
  examples: [
    .init(says: "The whole history", line: "saga events 019c8a5e-7b1c-7d2e-8f3a-0123456789ab"),
    .init(says: "Watch it happen, one JSON a line", line: "saga events ID --follow --json"),
  ]
) { try await followEvents($0, follow: $0.arguments.has("follow")) }

/// Prints a saga's events; with `follow`, until it has ended.
func followEvents(_ invocation: Invocation, follow: Bool) async throws -> ExitStatus {
  let id = try invocation.sagaID()
  var after = try invocation.number("after") ?? 0
  let line = EventLine(style: invocation.style)
  while true {
    // The end is read before the events, so that all events of an ended saga are printed.
    let ended =
      follow ? try await invocation.client.get(.getSaga, id).read(SagaResponse.self).endedAt != nil : true
    var more = true
    while more {
      let answer = try await invocation.client.get(.listEvents, id, query: [("after", "\(after)"), ("limit", "1000")])
      let page: HistoryResponse = try answer.read()
      for (event, json) in zip(page.events, answer.json["events"]?.arrayValue ?? []) {
        invocation.terminal.line(invocation.json ? json.text() : line.text(of: event))
      }
      after = max(after, page.events.last?.version ?? after)
      more = page.next != nil && !page.events.isEmpty
    }
    if ended { return .success }
    try await invocation.environment.clock.sleep(until: invocation.environment.now() + .milliseconds(400))
  }
}

let signalCommand = CommandSpec(
  "signal", summary: "send a signal that a step waits for",
  about: [
    "A signal goes to one step: to the first that waits for its name and accepts it. One that comes before its step "
      + "waits is kept. The same key and body again change nothing, and say what became of the signal. Without --key one "
      + "is made up, and the signal is a new one."
  ],
  operands: [
    OperandSpec("ID", help: "the saga's id"), OperandSpec("NAME", help: "the signal's name, as the workflow has it"),
  ],
  options: [
    OptionSpec("body", value: "JSON", help: "what it says: JSON, a file, or - for standard input; else null"),
    OptionSpec("key", value: "KEY", help: "the Idempotency-Key"),
    .user, .server, .json,
  ],
  examples: [
    .init(says: "QA approves", line: "saga signal ID approval --body '{\"approved\": true}'"),
    .init(says: "What the instrument wrote", line: "saga signal ID results --body results.json --key RUN-17"),
  ]
) { invocation in
  let id = try invocation.sagaID()
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

/// What became of a signal, in one line.
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
    case "taken": return answer.step.map { "step \($0), which waited for \(answer.signal), took it" }
    case "kept":
      let steps = answer.candidates.joined(separator: ", ")
      return "no step waits for \(answer.signal) yet"
        + (steps.isEmpty ? "" : "; the first of these steps that accepts it takes it: \(steps)")
    default: return nil
    }
  }
}
