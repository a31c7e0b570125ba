import JSON
import Server
import Wire

let noticesCommand = CommandSpec(
  "notices", summary: "show the destinations of notices and their state",
  about: [
    "The engine sends notices of stuck and overdue sagas, and of operations that wait for an approval, to webhooks and "
      + "to a Kafka topic. Shows for each destination how many notices wait, since when and why delivery fails, and "
      + "which notices were given up. Exit status 1 when a destination gets no notices."
  ],
  options: [.server, .json],
  examples: [
    .init(says: "Do notices arrive?", line: "saga notices"),
    .init(
      says: "The notices that were given up, for a program", line: "saga notices --json | saga query '$..letters[*]'"),
  ]
) { invocation in
  let answer = try await invocation.client.get(.getNotices)
  let notices: NoticesResponse = try answer.read()
  let drawing = NoticeDrawing(destinations: notices.destinations, style: invocation.style)
  if invocation.json {
    invocation.terminal.line(answer.json.text(.pretty))
  } else {
    invocation.terminal.write(drawing.lines().map { $0 + "\n" }.joined())
  }
  return drawing.isAnyFailing ? .failure : .success
}

let noticesResendCommand = CommandSpec(
  "notices", "resend", summary: "send notices again that were given up",
  about: [
    "Sends a destination the notices that were given up, the oldest first. Stops when all were tried, when three in a "
      + "row have failed, or after 10 seconds. A notice that arrives is removed. Exit status 1 when some are left."
  ],
  operands: [OperandSpec("NAME", help: "the destination, as `saga notices` shows it")],
  options: [OptionSpec("id", value: "ID", help: "only this notice"), .user, .server, .json],
  examples: [
    .init(says: "The pager works again", line: "saga notices resend night-shift"),
    .init(
      says: "One notice", line: "saga notices resend night-shift --id 019c8a5e-7b1c-7d2e-8f3a-0123456789ab/17"),
  ]
) { invocation in
  let name = try invocation.required(0)
  let body = NoticeRequest(destination: name, id: invocation.arguments.value("id"))
  let answer = try await invocation.client.post(.resendNotices, body: body.json)
  let resend: NoticeResendResponse = try answer.read()
  if invocation.json {
    invocation.terminal.line(answer.json.text(.pretty))
  } else {
    invocation.terminal.write(NoticeDrawing.lines(of: resend, invocation.style).map { $0 + "\n" }.joined())
  }
  return resend.left == 0 ? .success : .failure
}

let noticesTestCommand = CommandSpec(
  "notices", "test", summary: "send a test notice and show the answer",
  about: [
    "Sends a destination a signed notice of the type notice.test and shows its answer. When the notice arrives, the "
      + "engine sends the notices that wait for the destination at once."
  ],
  operands: [OperandSpec("NAME", help: "the destination, as `saga notices` shows it")],
  options: [.user, .server, .json],
  examples: [
    .init(says: "Does it arrive?", line: "saga notices test night-shift"),
    .init(says: "Over Kafka", line: "saga notices test kafka"),
  ]
) { invocation in
  let name = try invocation.required(0)
  let answer = try await invocation.client.post(.testNotices, body: NoticeRequest(destination: name).json)
  let test: NoticeTestResponse = try answer.read()
  if invocation.json {
    invocation.terminal.line(answer.json.text(.pretty))
    return test.delivered ? .success : .failure
  }
  if test.delivered {
    let mark = invocation.style.colour("✓ delivered", .green)
    let seconds = test.tookSeconds / .seconds(1)
    invocation.terminal.line("\(mark) in \(seconds) s; it answered \(test.answer ?? "")")
    return .success
  }
  let text = "! not delivered: " + (test.problem.map { "\($0.message) [\($0.code)]" } ?? "")
  for line in Layout.wrap(text, width: 78) { invocation.terminal.line(invocation.style.colour(line, .red)) }
  return .failure
}
