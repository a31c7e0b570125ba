import JSON
import Runtime
import Server
import Values
import Workflows

private let idOperand = OperandSpec("ID", help: "the saga's id")

let cancelCommand = CommandSpec(
  "cancel", summary: "turn a saga back: what it did is undone",
  about: [
    "New attempts stop, attempts in flight settle, then what was done is undone in reverse order. Past a pivot, the "
      + "point of no return, a saga can't be cancelled."
  ],
  operands: [idOperand], options: [.reason] + acting,
  examples: [
    .init(says: "The patient withdrew", line: "saga cancel ID --reason 'the patient withdrew consent'"),
    .init(says: "Who asks can be said too", line: "saga cancel ID --user anna --reason 'wrong plate'"),
  ]
) { try await act(.cancelSaga, $0) }

let retryCommand = CommandSpec(
  "retry", summary: "try what a saga is stuck on again",
  about: [
    "After its cause is mended: the step, or the undo, gets its attempts anew. All stuck steps, unless --step.",
    "With --input it is a new round, under a new key; so it is refused while the step may have happened.",
  ],
  operands: [idOperand],
  options: [
    OptionSpec("step", value: "STEP", help: "only this one"),
    OptionSpec(
      "input", value: "JSON", help: "with --step: what it reads instead of the saga's input (JSON, a file, or -)"),
    .reason,
  ] + acting,
  examples: [
    .init(says: "The freezer answers again", line: "saga retry ID --reason 'storage service is back'"),
    .init(says: "One step only", line: "saga retry ID --step releasePosition --reason 'ticket 4711'"),
    .init(
      says: "It was refused for its input: a new round",
      line: "saga retry ID --step load --input fixed.json --reason 'wrong well'"),
  ]
) { invocation in
  let input = try invocation.arguments.value("input").map { try invocation.value(of: $0, option: "input") }
  let step = invocation.arguments.value("step")
  if input != nil, step == nil { throw invocation.usage("--input is for one step: say which with --step STEP") }
  return try await act(.retrySaga, invocation) { body in
    if let step { body["step"] = .string(step) }
    if let input { body["input"] = input }
  }
}

let resolveCommand = CommandSpec(
  "resolve", summary: "say what happened, where the engine can't know",
  about: [
    "For a stuck step whose outcome is unknown: go and look, then say --happened or --did-not-happen. For an undo that "
      + "failed and was then done by hand: --undone."
  ],
  operands: [idOperand],
  options: [
    OptionSpec("step", value: "STEP", help: "the stuck step"),
    OptionSpec("happened", help: "the step took effect"),
    OptionSpec("did-not-happen", help: "the step took no effect"),
    OptionSpec("undone", help: "its undo has been done by hand"),
    OptionSpec("output", value: "JSON", help: "with --happened: what it would have answered (JSON, a file, or -)"),
    .reason,
  ] + acting,
  examples: [
    .init(says: "Seen in the freezer", line: "saga resolve ID --step store --happened --reason 'seen by J. M.'"),
    .init(says: "Freed by hand", line: "saga resolve ID --step allocate --undone --reason 'freed in the LIMS'"),
  ]
) { invocation in
  guard let step = invocation.arguments.value("step") else { throw invocation.usage("resolve wants --step STEP") }
  let said = [("happened", "happened"), ("did-not-happen", "didNotHappen"), ("undone", "undone")]
    .filter { invocation.arguments.has($0.0) }
  guard let outcome = said.first?.1, said.count == 1 else {
    throw invocation.usage("resolve wants one of --happened, --did-not-happen, --undone")
  }
  let output = try invocation.arguments.value("output").map { try invocation.value(of: $0, option: "output") }
  if output != nil, outcome != "happened" { throw invocation.usage("--output goes with --happened") }
  return try await act(.resolveSaga, invocation) { body in
    body["step"] = .string(step)
    body["outcome"] = .string(outcome)
    if let output { body["output"] = output }
  }
}

let abandonCommand = CommandSpec(
  "abandon", summary: "give a stuck saga up as it stands",
  about: [
    "The last resort: nothing more is done or undone, and whoever abandons it answers for what is left in the lab. The "
      + "history keeps who and why."
  ],
  operands: [idOperand], options: [.reason] + acting,
  examples: [
    .init(says: "Cleaned up by hand", line: "saga abandon ID --reason 'tube destroyed, report 2026-17'"),
    .init(says: "See first what is left", line: "saga show ID"),
  ]
) { try await act(.abandonSaga, $0) }

let pauseCommand = CommandSpec(
  "pause", summary: "hold a saga: nothing new starts",
  about: [
    "Nothing new starts, forward or undo, and the saga's clock stands: backoff, waits and its timeout. Attempts under "
      + "way are recorded, signals are kept. Other verbs are recorded, and take effect with the resume."
  ],
  operands: [idOperand], options: [.reason] + acting,
  examples: [
    .init(says: "The freezer is being defrosted", line: "saga pause ID --reason 'freezer F2 until noon'"),
    .init(says: "And then", line: "saga resume ID --reason 'F2 is cold again'"),
  ]
) { try await act(.pauseSaga, $0) }

let resumeCommand = CommandSpec(
  "resume", summary: "have a paused saga go on",
  about: ["Every moment that was to come comes later by as long as the pause was."],
  operands: [idOperand], options: [.reason] + acting,
  examples: [
    .init(says: "Go on", line: "saga resume ID --reason 'F2 is cold again'"),
    .init(says: "Who paused it, and why?", line: "saga why ID"),
  ]
) { try await act(.resumeSaga, $0) }

let compensateCommand = CommandSpec(
  "compensate", summary: "turn a saga back, as the operator's judgement",
  about: [
    "As cancel does; the history then says that it was not the requester's wish but the operator's judgement. Past a "
      + "pivot it is refused."
  ],
  operands: [idOperand], options: [.reason] + acting,
  examples: [
    .init(says: "It would end badly", line: "saga compensate ID --reason 'contaminated plate'"),
    .init(says: "See it turn back", line: "saga show ID"),
  ]
) { try await act(.compensateSaga, $0) }

let skipCommand = CommandSpec(
  "skip", summary: "go on without a step",
  about: [
    "For a step that has not begun, waits, is between attempts, or that the saga is stuck on. What later steps read of "
      + "it is --output. What may have happened is not skipped but resolved; an undo is never skipped."
  ],
  operands: [idOperand],
  options: [
    OptionSpec("step", value: "STEP", help: "the step"),
    OptionSpec("output", value: "JSON", help: "what later steps read as its output (JSON, a file, or -)"), .reason,
  ] + acting,
  examples: [
    .init(
      says: "Weighed by hand",
      line: "saga skip ID --step weigh --output '{\"grams\": 4}' --reason 'scale broken'"),
    .init(says: "Nobody need be told", line: "saga skip ID --step notify --reason 'the ward knows'"),
  ]
) { invocation in
  let step = try invocation.step()
  let output = try invocation.arguments.value("output").map { try invocation.value(of: $0, option: "output") }
  return try await act(.skipStep, invocation) { body in
    body["step"] = .string(step)
    if let output { body["output"] = output }
  }
}

let runNowCommand = CommandSpec(
  "run-now", summary: "don't wait for the next attempt, or the end of a delay",
  about: [
    "What waits for a moment is due at once: a step, or an undo, between two attempts, and a delay. All of them, unless "
      + "--step. A signal is not a moment: send it."
  ],
  operands: [idOperand],
  options: [OptionSpec("step", value: "STEP", help: "only this one"), .reason] + acting,
  examples: [
    .init(says: "The service is back", line: "saga run-now ID --reason 'storage answers again'"),
    .init(says: "One step only", line: "saga run-now ID --step incubate --reason 'grown already'"),
  ]
) { invocation in
  try await act(.runNow, invocation) { body in invocation.arguments.value("step").map { body["step"] = .string($0) } }
}

let extendCommand = CommandSpec(
  "extend", summary: "put off a saga's deadline, or the end of a step's wait",
  about: ["Later, never earlier. A saga that was overdue is not, once its new deadline is ahead."],
  operands: [idOperand],
  options: [
    OptionSpec("by", value: "TIME", help: "how much later: 90s, 30m, 2h"),
    OptionSpec("until", value: "MOMENT", help: "until when: 2026-03-01T18:00:00Z"),
    OptionSpec("step", value: "STEP", help: "a step that waits; else the saga"), .reason,
  ] + acting,
  examples: [
    .init(says: "The courier is late", line: "saga extend ID --by 2h --reason 'courier stuck in traffic'"),
    .init(
      says: "Only one wait",
      line: "saga extend ID --step approve --until 2026-03-02T12:00:00Z --reason 'away'"),
  ]
) { invocation in
  let (by, until) = (invocation.arguments.value("by"), invocation.arguments.value("until"))
  guard (by == nil) != (until == nil) else { throw invocation.usage("extend wants one of --by TIME, --until MOMENT") }
  if let by, DurationText.parse(by) == nil { throw invocation.usage("--by wants a time as 2h, not \"\(by)\"") }
  if let until, Timestamp(until) == nil {
    throw invocation.usage("--until wants a moment as 2026-03-01T18:00:00Z, not \"\(until)\"")
  }
  return try await act(.extendDeadline, invocation) { body in
    if let step = invocation.arguments.value("step") { body["step"] = .string(step) }
    if let by { body["by"] = .string(by) }
    if let until { body["until"] = .string(until) }
  }
}

let rewindCommand = CommandSpec(
  "rewind", summary: "undo a step and all that follows, and begin again there",
  about: [
    "What the steps did is undone in reverse order; then they begin again, in a new round, with nothing left of the old "
      + "one. Beside them nothing new starts meanwhile. A pivot that has been passed is never gone back across."
  ],
  operands: [idOperand], options: [OptionSpec("to", value: "STEP", help: "the step to go back to"), .reason] + acting,
  examples: [
    .init(says: "The wrong plate was loaded", line: "saga rewind ID --to loadPlate --reason 'plate 7, not 1'"),
    .init(says: "See how far it is", line: "saga show ID"),
  ]
) { invocation in
  guard let step = invocation.arguments.value("to") else { throw invocation.usage("rewind wants --to STEP") }
  return try await act(.rewindSaga, invocation) { $0["step"] = .string(step) }
}

/// What every verb takes besides its reason.
private let acting: [OptionSpec] = [
  OptionSpec("seen", value: "N", help: "the last event you saw: refused if someone has acted since"),
  OptionSpec("key", value: "KEY", help: "the Idempotency-Key; else one is made up"), .user, .server, .json,
]

extension Invocation {
  /// `--step`, where a verb can't do without.
  fileprivate func step() throws(UsageError) -> String {
    guard let step = arguments.value("step") else { throw usage("\(command.name) wants --step STEP") }
    return step
  }
}

/// Sends a verb with its reason and prints the saga. The key makes a repeat harmless, so a request without an answer is
/// sent again.
private func act(_ verb: Endpoint, _ invocation: Invocation, _ complete: (inout JSONObject) -> Void = { _ in })
  async throws -> ExitStatus
{
  let id = try invocation.sagaID()
  guard let reason = invocation.arguments.value("reason"), reason.contains(where: { !$0.isWhitespace }) else {
    throw invocation.usage("\(invocation.command.name) wants --reason TEXT: the history keeps it for the auditor")
  }
  var body: JSONObject = ["reason": .string(reason)]
  complete(&body)
  if let seen = try invocation.number("seen") { body["expectedVersion"] = .int(seen) }
  let key = invocation.arguments.value("key") ?? invocation.environment.newID().description
  let request = APIRequest(verb, id, headers: [("Idempotency-Key", key)], body: JSON.object(body).bytes())
  try invocation.show(try await invocation.client.answer(to: request, again: 2))
  return .success
}
