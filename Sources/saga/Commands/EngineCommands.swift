import JSON
import Values

let statusCommand = CommandSpec(
  "status", summary: "is the engine up, and how many sagas are where?",
  about: [
    "Asks the engine whether it takes requests, counts its sagas, and says how the echo to Kafka stands, where there is "
      + "one. Exit status 1 when it isn't ready. Degraded, it is ready, but something is amiss between it and Kafka."
  ],
  options: [.server, .json],
  examples: [
    .init(says: "This machine's", line: "saga status"),
    .init(says: "Another's", line: "saga status --server http://engine.lab:8080"),
  ]
) { invocation in
  let client = invocation.client
  let ready: JSON
  let stats: JSON
  do {
    ready = try await client.get("readyz")
    stats = try await client.get("v1", "stats")
  } catch let refusal as APIRefusal where refusal.status == 503 {
    invocation.terminal.complain("The engine at \(client.server) is up but not ready: \(refusal.message)\n")
    return .failure
  }
  if invocation.json {
    let all =
      (ready.objectValue ?? [:]).map { ($0.name, $0.value) } + (stats.objectValue ?? [:]).map { ($0.name, $0.value) }
    invocation.terminal.line(JSON.object(JSONObject(all)).text(.pretty))
    return .success
  }
  let style = invocation.style
  let isDegraded = ready["status"]?.stringValue == "degraded"
  let word = isDegraded ? style.colour("degraded", .yellow) : style.colour("ready", .green)
  invocation.terminal.line("The engine at \(client.server) is \(word)\(isDegraded ? ":" : ".")")
  for reason in ready["reasons"]?.arrayValue ?? [] {
    let text = "\(reason.text("message") ?? "")\(reason.text("code").map { " [\($0)]" } ?? "")"
    for line in Layout.wrap(text, width: 78) { invocation.terminal.line("  " + style.colour(line, .yellow)) }
  }
  let counts = stats["sagas"]?.objectValue ?? [:]
  for (status, count) in counts {
    let mark = Mark.ofSaga(status)
    let number = Layout.padLeft("\(count.intValue ?? 0)", to: 8)
    invocation.terminal.line("\(number)  \(style.colour("\(mark.symbol) \(mark.word)", mark.colour))")
  }
  if let lists = stats["lists"] { invocation.terminal.line("  lists      \(ListLag(lists).text)") }
  if let echo = try await echoLine(client, style) { invocation.terminal.line("  " + echo) }
  if let told = try await noticeLine(client, style) { invocation.terminal.line("  " + told) }
  if counts["stuck"]?.intValue ?? 0 > 0 { invocation.terminal.line("See `saga list --status stuck`.") }
  return .success
}

/// Whether everybody is told, in a line; nil where nobody is to be.
private func noticeLine(_ client: APIClient, _ style: Style) async throws -> String? {
  do {
    let drawing = NoticeDrawing(notices: try await client.get("v1", "notices"), style: style)
    return drawing.summary.map { "notices    \(style.colour($0.text, $0.mark.colour))" }
  } catch let refusal as APIRefusal {
    // An older engine.
    if refusal.status == 404 { return nil }
    return "notices    " + style.colour(Layout.clip("can't be told: \(refusal.message)", to: 65), .yellow)
  }
}

/// How the echo stands, in a line; nil for an engine that has none.
private func echoLine(_ client: APIClient, _ style: Style) async throws -> String? {
  do {
    let drawing = EchoDrawing(echo: try await client.get("v1", "echo"), style: style)
    return "echo       \(style.colour(drawing.summary, drawing.mark.colour))"
  } catch let refusal as APIRefusal {
    if refusal.status == 404 { return nil }
    return "echo       " + style.colour(Layout.clip("can't be told: \(refusal.message)", to: 65), .yellow)
  }
}

let workflowsListCommand = CommandSpec(
  "workflows", "list", summary: "list the registered workflows",
  about: ["The workflows the engine knows, each with its latest version."],
  options: [.server, .json],
  examples: [
    .init(says: "What can be started?", line: "saga workflows list"),
    .init(says: "Their names, for a program", line: "saga workflows list --json | saga query '$..name'"),
  ]
) { invocation in
  var workflows: [JSON] = []
  var cursor: String?
  repeat {
    var query: [(name: String, value: String)] = [("limit", "200")]
    if let cursor { query.append(("cursor", cursor)) }
    let page = try await invocation.client.get("v1", "workflows", query: query)
    workflows += page["workflows"]?.arrayValue ?? []
    cursor = page["next"]?.stringValue
  } while cursor != nil
  if invocation.json {
    invocation.terminal.line(JSON.object(["workflows": .array(workflows)]).text(.pretty))
    return .success
  }
  guard !workflows.isEmpty else {
    invocation.terminal.line("No workflows yet; `saga workflows register FILE` brings one.")
    return .success
  }
  let rows = workflows.map { workflow in
    [
      workflow.text("name") ?? "", "v\(workflow["version"]?.intValue ?? 0)", workflow.text("owner") ?? "",
      workflow.text("description") ?? "",
    ]
  }
  for line in Layout.table(rows) { invocation.terminal.line(line) }
  return .success
}

let workflowsRegisterCommand = CommandSpec(
  "workflows", "register", summary: "bring workflow files to the engine",
  about: [
    "The engine checks each file and keeps it for ever under its name and version. The same content again is accepted "
      + "silently; other content under the same name and version is refused: raise the version."
  ],
  operands: [OperandSpec("FILE", .oneOrMore, help: "a workflow; - reads standard input")],
  options: [.user, .server, .json],
  examples: [
    .init(says: "A new version", line: "saga workflows register workflows/sample-processing.json"),
    .init(says: "All of them", line: "saga workflows register workflows/*.json"),
  ]
) { invocation in
  for file in invocation.arguments.operands {
    let bytes = try invocation.bytes(of: file)
    let answer: JSON
    do {
      answer = try await invocation.client.answer(
        to: APIRequest(method: "POST", path: ["v1", "workflows"], body: bytes))
    } catch let refusal as APIRefusal {
      throw refusal.about(file)
    }
    if invocation.json {
      invocation.terminal.line(answer.text(.pretty))
      continue
    }
    let created = answer["created"]?.boolValue == true
    let name = "\(answer.text("name") ?? "") v\(answer["version"]?.intValue ?? 0)"
    invocation.terminal.line(created ? "registered \(name)" : "\(name) was there already, with the same content")
    for warning in answer["warnings"]?.arrayValue ?? [] {
      let place = warning["line"]?.intValue.map { ":\($0):\(warning["column"]?.intValue ?? 1)" } ?? ""
      let severity = invocation.style.colour("warning", .yellow)
      invocation.terminal.line("\(file)\(place): \(severity): \(warning.text("message") ?? "")")
    }
  }
  return .success
}

let workflowsShowCommand = CommandSpec(
  "workflows", "show", summary: "print a registered workflow",
  about: ["Prints the file as it was registered."],
  operands: [OperandSpec("NAME", help: "the workflow's name")],
  options: [OptionSpec("version", value: "N", help: "which version; else the latest"), .server, .json],
  examples: [
    .init(says: "The latest", line: "saga workflows show sample-processing"),
    .init(
      says: "Draw an older one",
      line: "saga workflows show sample-processing --version 1 | saga check --graph -"),
  ]
) { invocation in
  var path = ["v1", "workflows", try invocation.required(0)]
  if let version = try invocation.number("version") { path.append("\(version)") }
  let workflow = try await invocation.client.answer(to: APIRequest(path: path))
  invocation.terminal.line((invocation.json ? workflow : workflow["definition"] ?? workflow).text(.pretty))
  return .success
}
