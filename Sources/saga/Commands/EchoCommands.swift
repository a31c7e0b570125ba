import JSON
import Server
import Wire

let echoCommand = CommandSpec(
  "echo", summary: "show how far Kafka is behind the store",
  about: [
    "The echo sends every event to Kafka. No saga waits for it. Shows how many events it has not sent, the problem "
      + "that blocks it, and the shards that are behind; then the state of the engine's own consumers."
  ],
  options: [.server, .json],
  examples: [
    .init(says: "Is every event sent?", line: "saga echo"),
    .init(says: "Every shard, for a program", line: "saga echo --json | saga query '$.shards[*]'"),
  ]
) { invocation in
  let echo = try await invocation.client.get(.getEcho)
  if invocation.json {
    invocation.terminal.line(echo.json.text(.pretty))
  } else {
    let drawing = EchoDrawing(echo: try echo.read(), style: invocation.style)
    invocation.terminal.write(drawing.lines().map { $0 + "\n" }.joined())
  }
  return .success
}

let echoRewindCommand = CommandSpec(
  "echo", "rewind", summary: "send events to Kafka again",
  about: [
    "For a topic that was lost or created again, or that refused events. Sends the events after a position again, each "
      + "with its old shard and position, so that readers recognise the repeat."
  ],
  options: [
    OptionSpec("to", value: "POSITION", help: "the last position that is not sent again; 0 sends all events"),
    OptionSpec("shard", value: "N", help: "only this shard; else every shard"),
    .reason, .user, .server, .json,
  ],
  examples: [
    .init(says: "All events, to a new topic", line: "saga echo rewind --to 0 --reason 'the topic was created again'"),
    .init(
      says: "The shard and position of a dead letter",
      line: "saga echo rewind --shard 7 --to 4710 --reason 'ticket 4711'"),
  ]
) { invocation in
  guard let position = try invocation.number("to") else {
    throw invocation.usage("echo rewind wants --to POSITION: the events after it are sent again")
  }
  guard let reason = invocation.arguments.value("reason"), reason.contains(where: { !$0.isWhitespace }) else {
    throw invocation.usage("echo rewind wants --reason TEXT: the history keeps it for the auditor")
  }
  let body = EchoRewindRequest(to: position, shard: try invocation.number("shard"), reason: reason)
  let answer = try await invocation.client.post(.rewindEcho, body: body.json)
  if invocation.json {
    invocation.terminal.line(answer.json.text(.pretty))
    return .success
  }
  let events = try answer.read(EchoRewindResponse.self).events
  invocation.terminal.line(
    events == 0
      ? "No event is stored after that position: nothing is sent again."
      : "\(FileReport.count(events, "event")) \(events == 1 ? "is" : "are") sent again; `saga echo` shows how far.")
  return .success
}
