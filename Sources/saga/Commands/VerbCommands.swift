import JSON
import Runtime
import Server
import Values
import Wire
import Workflows

private let idOperand = OperandSpec.saga
private let stepOperand = OperandSpec(
  "STEP", .atMostOne, help: "a step, or one item of a step with forEach as 'STEP[KEY]'; the same as --step")

let cancelCommand = CommandSpec(
  "cancel", summary: "turn a saga back and undo its steps",
  about: [
    "The saga starts no new attempts and waits for those in flight. Then it undoes its steps in reverse order. After its "
      + "pivot, the point of no return, a saga can't be cancelled."
  ],
  operands: [idOperand], options: [.reason] + acting,
  examples: [
    .init(says: "The patient withdrew", line: "saga cancel ID --reason 'the patient withdrew consent'"),
    .init(says: "In the name of another person", line: "saga cancel ID --user anna --reason 'wrong plate'"),
  ]
) { try await act(.cancelSaga, $0) }

let retryCommand = CommandSpec(
  "retry", summary: "retry the stuck steps of a saga",
  about: [
    "Use it after you have fixed the cause. The step, or its undo, gets all its attempts again. Without --step every "
      + "stuck step is retried. A failed item of a step with forEach can be retried while the others still run.",
    "With --input the step starts a new round with a new key. The engine refuses that while the step may have happened.",
  ],
  operands: [idOperand, stepOperand],
  options: [
    OptionSpec("step", value: "STEP", help: "only this step"),
    OptionSpec(
      "input", value: "JSON", help: "with --step: replaces the input of the step (JSON, a file, or -)"),
    .reason,
  ] + acting,
  examples: [
    .init(says: "The freezer answers again", line: "saga retry ID --reason 'storage service is back'"),
    .init(says: "One item only", line: "saga retry ID 'demultiplex[LIB-7]' --reason 'ticket 4711'"),
    .init(
      says: "The input was wrong: a new round",
      line: "saga retry ID --step load --input fixed.json --reason 'wrong well'"),
  ]
) { invocation in
  let input = try invocation.arguments.value("input").map { try invocation.value(of: $0, option: "input") }
  let step = try invocation.namedStep()
  if input != nil, step == nil { throw invocation.usage("--input wants --step STEP too") }
  return try await act(.retrySaga, invocation) { members in
    members.step = step
    members.input = input
  }
}

let resolveCommand = CommandSpec(
  "resolve", summary: "record what happened in a step",
  about: [
    "For a stuck step with an unknown outcome: check the participant, then use --happened or --did-not-happen. For an "
      + "undo that failed and that you then did by hand: --undone."
  ],
  operands: [idOperand, stepOperand],
  options: [
    OptionSpec("step", value: "STEP", help: "the stuck step"),
    OptionSpec("happened", help: "the step took effect"),
    OptionSpec("did-not-happen", help: "the step took no effect"),
    OptionSpec("undone", help: "the step was undone by hand"),
    OptionSpec("output", value: "JSON", help: "with --happened: the output of the step (JSON, a file, or -)"),
    .reason,
  ] + acting,
  examples: [
    .init(says: "Seen in the freezer", line: "saga resolve ID --step store --happened --reason 'seen by J. M.'"),
    .init(says: "Freed by hand", line: "saga resolve ID --step allocate --undone --reason 'freed in the LIMS'"),
  ]
) { invocation in
  let step = try invocation.step()
  let said = [("happened", "happened"), ("did-not-happen", "didNotHappen"), ("undone", "undone")]
    .filter { invocation.arguments.has($0.0) }
  guard let outcome = said.first?.1, said.count == 1 else {
    throw invocation.usage("resolve wants one of --happened, --did-not-happen, --undone")
  }
  let output = try invocation.arguments.value("output").map { try invocation.value(of: $0, option: "output") }
  if output != nil, outcome != "happened" { throw invocation.usage("--output goes with --happened") }
  return try await act(.resolveSaga, invocation) { members in
    members.step = step
    members.outcome = outcome
    members.output = output
  }
}

let abandonCommand = CommandSpec(
  "abandon", summary: "give up a stuck saga as it is",
  about: [
    "The last resort: the engine does and undoes nothing more. You are responsible for what is left in the lab. The "
      + "history keeps your name and reason."
  ],
  operands: [idOperand], options: [.reason] + acting,
  examples: [
    .init(says: "Cleaned up by hand", line: "saga abandon ID --reason 'tube destroyed, report 2026-17'"),
    .init(says: "First: what is left?", line: "saga show ID"),
  ]
) { try await act(.abandonSaga, $0) }

let pauseCommand = CommandSpec(
  "pause", summary: "pause a saga: nothing new starts",
  about: [
    "The saga starts no attempts and no undos. Its clock stops: backoffs, waits and its timeout. The engine still records "
      + "attempts in flight and keeps signals. Other verbs are recorded and take effect after the resume."
  ],
  operands: [idOperand], options: [.reason] + acting,
  examples: [
    .init(says: "The freezer is being defrosted", line: "saga pause ID --reason 'freezer F2 until noon'"),
    .init(says: "Afterwards", line: "saga resume ID --reason 'F2 is cold again'"),
  ]
) { try await act(.pauseSaga, $0) }

let resumeCommand = CommandSpec(
  "resume", summary: "resume a paused saga",
  about: ["Every pending time of the saga moves by the length of the pause."],
  operands: [idOperand], options: [.reason] + acting,
  examples: [
    .init(says: "Go on", line: "saga resume ID --reason 'F2 is cold again'"),
    .init(says: "Who paused it, and why?", line: "saga why ID"),
  ]
) { try await act(.resumeSaga, $0) }

let compensateCommand = CommandSpec(
  "compensate", summary: "turn a saga back on the decision of an operator",
  about: [
    "Does the same as cancel. The history says that an operator decided it, not the requester. After the pivot it is "
      + "refused."
  ],
  operands: [idOperand], options: [.reason] + acting,
  examples: [
    .init(says: "The plate is unusable", line: "saga compensate ID --reason 'contaminated plate'"),
    .init(says: "See it turn back", line: "saga show ID"),
  ]
) { try await act(.compensateSaga, $0) }

let skipCommand = CommandSpec(
  "skip", summary: "skip a step",
  about: [
    "For a step that has not begun, that waits, that is between attempts, or that is stuck. Later steps read --output as "
      + "its output. A step that may have happened can't be skipped: use resolve. An undo can't be skipped."
  ],
  operands: [idOperand, stepOperand],
  options: [
    OptionSpec("step", value: "STEP", help: "the step"),
    OptionSpec("output", value: "JSON", help: "what later steps read as its output (JSON, a file, or -)"), .reason,
  ] + acting,
  examples: [
    .init(
      says: "Weighed by hand",
      line: "saga skip ID --step weigh --output '{\"grams\": 4}' --reason 'scale broken'"),
    .init(says: "The notice is not needed", line: "saga skip ID --step notify --reason 'the ward knows'"),
  ]
) { invocation in
  let step = try invocation.step()
  let output = try invocation.arguments.value("output").map { try invocation.value(of: $0, option: "output") }
  return try await act(.skipStep, invocation) { members in
    members.step = step
    members.output = output
  }
}

let runNowCommand = CommandSpec(
  "run-now", summary: "start the next attempt, or end a delay, now",
  about: [
    "Makes everything due that waits for a time: steps and undos between two attempts, and delays. With --step only this "
      + "step. It doesn't replace a signal: use `saga signal`."
  ],
  operands: [idOperand],
  options: [OptionSpec("step", value: "STEP", help: "only this one"), .reason] + acting,
  examples: [
    .init(says: "The service is back", line: "saga run-now ID --reason 'storage answers again'"),
    .init(says: "One step only", line: "saga run-now ID --step incubate --reason 'grown already'"),
  ]
) { invocation in
  try await act(.runNow, invocation) { $0.step = invocation.arguments.value("step") }
}

let extendCommand = CommandSpec(
  "extend", summary: "extend a saga's deadline, or the wait of a step",
  about: ["The new time must be later than the old one. A saga whose new deadline is ahead is no longer overdue."],
  operands: [idOperand],
  options: [
    OptionSpec("by", value: "TIME", help: "how much later: 90s, 30m, 2h"),
    OptionSpec("until", value: "TIME", help: "the new time: 2026-03-01T18:00 (UTC), or with a zone"),
    OptionSpec("step", value: "STEP", help: "a waiting step; else the saga"), .reason,
  ] + acting,
  examples: [
    .init(says: "The transport is late", line: "saga extend ID --by 2h --reason 'stuck in traffic'"),
    .init(
      says: "Only one wait",
      line: "saga extend ID --step approve --until 2026-03-02T12:00:00Z --reason 'away'"),
  ]
) { invocation in
  let (by, until) = (invocation.arguments.value("by"), invocation.arguments.value("until"))
  guard (by == nil) != (until == nil) else { throw invocation.usage("extend wants one of --by TIME, --until TIME") }
  if let by, DurationText.parse(by) == nil { throw invocation.usage("--by wants a time as 2h, not \"\(by)\"") }
  let end = until.flatMap(TimeWord.absolute)
  if let until, end == nil {
    throw UsageError(
      "--until wants a time as 2026-03-01T18:00 (UTC) or 2026-03-01T18:00+01:00, not \"\(until)\"",
      of: invocation.command, code: CLIErrorCode.timeInvalid)
  }
  return try await act(.extendDeadline, invocation) { members in
    members.step = invocation.arguments.value("step")
    members.by = by
    members.until = until.flatMap { Timestamp($0) == nil ? end?.description : $0 }
  }
}

let rewindCommand = CommandSpec(
  "rewind", summary: "undo a step and those after it, and start again there",
  about: [
    "Undoes the steps in reverse order, then starts them again in a new round. No other step starts meanwhile. A rewind "
      + "can't go back before a pivot that has succeeded."
  ],
  operands: [idOperand],
  options: [OptionSpec("step", formerly: "to", value: "STEP", help: "the step to go back to"), .reason] + acting,
  examples: [
    .init(says: "The wrong plate was loaded", line: "saga rewind ID --step loadPlate --reason 'plate 7, not 1'"),
    .init(says: "Show its progress", line: "saga show ID"),
  ]
) { invocation in
  let step = try invocation.step()
  return try await act(.rewindSaga, invocation) { $0.step = step }
}

/// The options that every verb has besides its reason.
private let acting: [OptionSpec] = [
  OptionSpec(
    "expected-version", formerly: "seen", value: "N", help: "the last event you saw; refused when there is a later one"),
  OptionSpec("key", value: "KEY", help: "the Idempotency-Key; else a new one"), .user, .server, .json,
]

extension Invocation {
  /// The step or item of a verb that requires one.
  fileprivate func step() throws(UsageError) -> String {
    guard let step = try namedStep() else { throw usage("\(command.name) wants --step STEP") }
    return step
  }

  /// The step or item that the second operand or `--step` names; nil without both.
  fileprivate func namedStep() throws(UsageError) -> String? {
    guard let operand = arguments.operand(1) else { return arguments.value("step") }
    if arguments.value("step") != nil {
      throw usage("\(command.name) wants the step once: as \"\(operand)\" or as --step")
    }
    return operand
  }
}

/// Sends a verb with its reason and prints the saga. The key makes a repeat harmless, so a request without an answer is
/// sent again.
private func act(_ verb: Endpoint, _ invocation: Invocation, _ complete: (inout VerbMembers) -> Void = { _ in })
  async throws -> ExitStatus
{
  let id = try await invocation.sagaID()
  guard let reason = invocation.arguments.value("reason"), reason.contains(where: { !$0.isWhitespace }) else {
    throw invocation.usage("\(invocation.command.name) wants --reason TEXT: the history keeps it for the auditor")
  }
  var members = VerbMembers()
  complete(&members)
  let body = VerbRequest(reason: reason, members, expectedVersion: try invocation.number("expected-version"))
  let key = invocation.arguments.value("key") ?? invocation.environment.newID().description
  let request = APIRequest(verb, id, headers: [("Idempotency-Key", key)], body: body.json.bytes())
  try invocation.show(try await invocation.client.answer(to: request, again: 2))
  return .success
}
