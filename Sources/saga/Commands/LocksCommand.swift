import JSON
import Runtime
import Server
import Wire

let locksCommand = CommandSpec(
  "locks", summary: "show who holds the turns of each key, and who waits",
  about: [
    "A step, a group or a workflow with \"concurrency\" waits for its turn of a key. Shows for each key who holds a turn "
      + "and who waits, in their order. A turn is free when its holder has settled or ended: cancel the saga that holds "
      + "it, or skip or resolve its step, when it can't go on."
  ],
  operands: [OperandSpec("KEY", .atMostOne, help: "only this key")],
  options: [
    OptionSpec("limit", value: "N", help: "keys a page, at most 200"),
    OptionSpec("cursor", value: "CURSOR", help: "the cursor of the page before"),
    .server, .json,
  ],
  examples: [
    .init(says: "Who uses which instrument?", line: "saga locks"),
    .init(says: "Who waits for one of them?", line: "saga locks HiSeq-1"),
  ]
) { invocation in
  var query: [(name: String, value: String)] = []
  let key = invocation.arguments.operand(0)
  if let key { query.append(("key", key)) }
  if let limit = try invocation.number("limit") { query.append(("limit", "\(limit)")) }
  if let cursor = invocation.arguments.value("cursor") { query.append(("cursor", cursor)) }
  let answer = try await invocation.client.get(.listTurns, query: query)
  if invocation.json {
    invocation.terminal.line(answer.json.text(.pretty))
    return .success
  }
  let turns: TurnsResponse = try answer.read()
  let drawing = LockDrawing(turns: turns, key: key, now: invocation.environment.now(), style: invocation.style)
  invocation.terminal.write(drawing.lines().map { $0 + "\n" }.joined())
  return .success
}
