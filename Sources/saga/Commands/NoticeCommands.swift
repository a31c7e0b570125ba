import JSON

let noticesCommand = CommandSpec(
  "notices", summary: "is everybody told what needs a person?",
  about: [
    "Stuck and overdue sagas, and what waits for an approval, are told where people are: webhooks, and a topic of Kafka. "
      + "Shows for each of these what waits, since when it fails and why, and what was given up. Exit status 1 when one "
      + "of them isn't told."
  ],
  options: [.server, .json],
  examples: [
    .init(says: "Are they?", line: "saga notices"),
    .init(says: "What was given up, for a program", line: "saga notices --json | saga query '$..letters[*]'"),
  ]
) { invocation in
  let notices = try await invocation.client.get("v1", "notices")
  let drawing = NoticeDrawing(notices: notices, style: invocation.style)
  if invocation.json {
    invocation.terminal.line(notices.text(.pretty))
  } else {
    invocation.terminal.write(drawing.lines().map { $0 + "\n" }.joined())
  }
  return drawing.isAnyoneUntold ? .failure : .success
}

let noticesResendCommand = CommandSpec(
  "notices", "resend", summary: "send once more what was given up",
  about: [
    "Sends a destination the notices that were given up, the oldest first, until all have been tried, three in a row have "
      + "failed, or 10 seconds have passed. What arrives is given up no more. Exit status 1 when some are left."
  ],
  operands: [OperandSpec("NAME", help: "the destination, as `saga notices` shows it")],
  options: [OptionSpec("id", value: "ID", help: "this notice alone"), .user, .server, .json],
  examples: [
    .init(says: "The pager has been mended", line: "saga notices resend night-shift"),
    .init(
      says: "One of them", line: "saga notices resend night-shift --id 019c8a5e-7b1c-7d2e-8f3a-0123456789ab/17"),
  ]
) { invocation in
  let name = try invocation.required(0)
  var body: JSONObject = ["destination": .string(name)]
  body["id"] = invocation.arguments.value("id").map(JSON.string)
  let answer = try await invocation.client.post(["v1", "notices", "resend"], body: .object(body))
  let left = answer["left"]?.intValue ?? 0
  if invocation.json {
    invocation.terminal.line(answer.text(.pretty))
  } else {
    invocation.terminal.write(NoticeDrawing.lines(ofResend: answer, invocation.style).map { $0 + "\n" }.joined())
  }
  return left == 0 ? .success : .failure
}

let noticesTestCommand = CommandSpec(
  "notices", "test", summary: "send a test notice, and see what comes back",
  about: [
    "Sends one of the engine's destinations a notice of the type notice.test, signed like any other, and shows what it "
      + "answers. When it arrives, notices that wait for that destination are sent at once."
  ],
  operands: [OperandSpec("NAME", help: "the destination, as `saga notices` shows it")],
  options: [.user, .server, .json],
  examples: [
    .init(says: "Does it arrive?", line: "saga notices test night-shift"),
    .init(says: "Over Kafka", line: "saga notices test kafka"),
  ]
) { invocation in
  let name = try invocation.required(0)
  let answer = try await invocation.client.post(["v1", "notices", "test"], body: ["destination": .string(name)])
  let isDelivered = answer["delivered"]?.boolValue == true
  if invocation.json {
    invocation.terminal.line(answer.text(.pretty))
    return isDelivered ? .success : .failure
  }
  let seconds = answer["tookSeconds"]?.doubleValue ?? 0
  if isDelivered {
    let mark = invocation.style.colour("✓ delivered", .green)
    invocation.terminal.line("\(mark) in \(seconds) s; it answered \(answer.text("answer") ?? "")")
    return .success
  }
  let problem = answer["problem"]
  let code = problem?.text("code").map { " [\($0)]" } ?? ""
  let text = "! not delivered: \(problem?.text("message") ?? "")\(code)"
  for line in Layout.wrap(text, width: 78) { invocation.terminal.line(invocation.style.colour(line, .red)) }
  return .failure
}
