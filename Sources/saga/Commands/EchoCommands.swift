import JSON

let echoCommand = CommandSpec(
  "echo", summary: "how far is what Kafka has been told behind?",
  about: [
    "Every event goes to Kafka, and no saga waits for it. Shows whether all is told, how many events are not, what "
      + "stands in the way, and which shards are behind; then how the engine's own consumers stand."
  ],
  options: [.server, .json],
  examples: [
    .init(says: "Is all told?", line: "saga echo"),
    .init(says: "Every shard, for a program", line: "saga echo --json | saga query '$.shards[*]'"),
  ]
) { invocation in
  let echo = try await invocation.client.get("v1", "echo")
  if invocation.json {
    invocation.terminal.line(echo.text(.pretty))
  } else {
    let drawing = EchoDrawing(echo: echo, style: invocation.style)
    invocation.terminal.write(drawing.lines().map { $0 + "\n" }.joined())
  }
  return .success
}

let echoRewindCommand = CommandSpec(
  "echo", "rewind", summary: "send events to Kafka once more",
  about: [
    "For a topic that was lost or made anew, or events that it refused. What stands behind a position is sent again, "
      + "each event with the shard and position that it had, by which readers know it for a repeat."
  ],
  options: [
    OptionSpec("to", value: "POSITION", help: "the last position that is not sent again; 0 sends all that is kept"),
    OptionSpec("shard", value: "N", help: "only this shard; else every one"),
    .reason, .user, .server, .json,
  ],
  examples: [
    .init(says: "All of it, to a new topic", line: "saga echo rewind --to 0 --reason 'the topic was made anew'"),
    .init(
      says: "What one shard's letter named", line: "saga echo rewind --shard 7 --to 4710 --reason 'ticket 4711'"),
  ]
) { invocation in
  guard let position = try invocation.number("to") else {
    throw invocation.usage("echo rewind wants --to POSITION: behind which events are sent again")
  }
  guard let reason = invocation.arguments.value("reason"), reason.contains(where: { !$0.isWhitespace }) else {
    throw invocation.usage("echo rewind wants --reason TEXT: why? It is kept for the auditor")
  }
  var body: JSONObject = ["to": .int(position)]
  if let shard = try invocation.number("shard") { body["shard"] = .int(shard) }
  body["reason"] = .string(reason)
  let answer = try await invocation.client.post(["v1", "echo", "rewind"], body: .object(body))
  if invocation.json {
    invocation.terminal.line(answer.text(.pretty))
    return .success
  }
  let events = answer["events"]?.intValue ?? 0
  invocation.terminal.line(
    events == 0
      ? "Nothing stands behind that position: nothing is sent again."
      : "\(FileReport.count(events, "event")) \(events == 1 ? "is" : "are") sent again; `saga echo` shows how far.")
  return .success
}
