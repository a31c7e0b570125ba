import JSON

private let idOperand = OperandSpec("ID", help: "the saga's id")

let cancelCommand = CommandSpec(
  "cancel", summary: "turn a saga back: what it did is undone",
  about: [
    "New attempts stop, attempts in flight settle, then what was done is undone in reverse order. Past a pivot, the "
      + "point of no return, a saga can't be cancelled."
  ],
  operands: [idOperand], options: [.reason, .user, .server, .json],
  examples: [
    .init(says: "The patient withdrew", line: "saga cancel ID --reason 'the patient withdrew consent'"),
    .init(says: "Who asks can be said too", line: "saga cancel ID --user anna --reason 'wrong plate'"),
  ]
) { try await act("cancel", $0) }

let retryCommand = CommandSpec(
  "retry", summary: "try what a saga is stuck on again",
  about: ["After its cause is mended: the step, or the undo, gets its attempts anew. All stuck steps, unless --step."],
  operands: [idOperand],
  options: [OptionSpec("step", value: "STEP", help: "only this one"), .reason, .user, .server, .json],
  examples: [
    .init(says: "The freezer answers again", line: "saga retry ID --reason 'storage service is back'"),
    .init(says: "One step only", line: "saga retry ID --step releasePosition --reason 'ticket 4711'"),
  ]
) { invocation in
  try await act("retry", invocation) { body in invocation.arguments.value("step").map { body["step"] = .string($0) } }
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
    .reason, .user, .server, .json,
  ],
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
  return try await act("resolve", invocation) { body in
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
  operands: [idOperand], options: [.reason, .user, .server, .json],
  examples: [
    .init(says: "Cleaned up by hand", line: "saga abandon ID --reason 'tube destroyed, report 2026-17'"),
    .init(says: "See first what is left", line: "saga show ID"),
  ]
) { try await act("abandon", $0) }

/// Sends an operator's verb with its reason, and draws the saga as it then stands.
private func act(_ verb: String, _ invocation: Invocation, _ complete: (inout JSONObject) -> Void = { _ in })
  async throws -> ExitStatus
{
  let id = try invocation.sagaID()
  guard let reason = invocation.arguments.value("reason"), reason.contains(where: { !$0.isWhitespace }) else {
    throw invocation.usage("\(verb) wants --reason TEXT: why? The history keeps it")
  }
  var body: JSONObject = ["reason": .string(reason)]
  complete(&body)
  invocation.show(try await invocation.client.post(["v1", "sagas", id, verb], body: .object(body)))
  return .success
}
