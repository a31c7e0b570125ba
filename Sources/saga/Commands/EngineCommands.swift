import JSON
import Server
import Values
import Wire

let statusCommand = CommandSpec(
  "status", summary: "show whether the engine is ready, and count its sagas",
  about: [
    "Asks the engine whether it takes requests, counts its sagas, and shows the state of its lists, notices and echo to "
      + "Kafka. Exit status 1 when the engine is not ready. A degraded engine is ready, but one of these has a problem."
  ],
  options: [.server, .json],
  examples: [
    .init(says: "The engine on this machine", line: "saga status"),
    .init(says: "An engine on another machine", line: "saga status --server http://engine.lab:8080"),
  ]
) { invocation in
  let client = try invocation.client
  let readiness: EngineAnswer
  let counts: EngineAnswer
  do {
    readiness = try await client.get(.getReadiness)
    counts = try await client.get(.getStats)
  } catch let refusal as APIRefusal where refusal.status == 503 && !invocation.json {
    invocation.terminal.complain("The engine at \(client.shownServer) runs but is not ready: \(refusal.message)\n")
    return .failure
  }
  if invocation.json {
    let all = [readiness, counts].flatMap { ($0.json.objectValue ?? [:]).map { ($0.name, $0.value) } }
    invocation.terminal.line(JSON.object(JSONObject(all)).text(.pretty))
    return .success
  }
  let ready: ReadinessResponse = try readiness.read()
  let stats: StatsResponse = try counts.read()
  ListLag.warn(of: stats.lists, at: stats.at, invocation)
  let style = invocation.style
  let isDegraded = ready.status == "degraded"
  let word = isDegraded ? style.colour("degraded", .yellow) : style.colour("ready", .green)
  invocation.terminal.line("The engine at \(client.shownServer) is \(word)\(isDegraded ? ":" : ".")")
  for reason in ready.reasons {
    for line in Layout.wrap("\(reason.message) [\(reason.code)]", width: 78) {
      invocation.terminal.line("  " + style.colour(line, .yellow))
    }
  }
  for (status, count) in stats.sagas.all {
    let mark = StatusLabel.ofSaga(status)
    let number = Layout.padLeft("\(count)", to: 8)
    invocation.terminal.line("\(number)  \(style.colour("\(mark.symbol) \(mark.word)", mark.colour))")
  }
  let lag = ListLag.text(events: stats.lists.lagEvents, time: stats.lists.lagSeconds)
  invocation.terminal.line("  lists      \(lag)")
  let echo = try await line("echo", invocation) {
    let drawing = EchoDrawing(echo: try await client.get(.getEcho).read(), style: style)
    return (drawing.summary, drawing.mark)
  }
  if let echo { invocation.terminal.line(echo) }
  let notices = try await line("notices", invocation) {
    let notices: NoticesResponse = try await client.get(.getNotices).read()
    return NoticeDrawing(destinations: notices.destinations, style: style).summary
  }
  if let notices { invocation.terminal.line(notices) }
  if stats.sagas["stuck"] > 0 { invocation.terminal.line("See `saga list --status stuck`.") }
  if !stats.held.isEmpty {
    let sagas = stats.held.count == 1 ? "1 saga is" : "\(stats.held.count) sagas are"
    invocation.terminal.line(style.colour("\(sagas) held back: see `saga incidents --kind held`.", .red))
  }
  return .success
}

/// Returns a line of `saga status`; nil for an engine that has none of what the line is about.
private func line(
  _ name: String, _ invocation: Invocation, _ read: () async throws -> (text: String, mark: StatusLabel)?
) async throws -> String? {
  let name = "  " + Layout.pad(name, to: 11)
  do {
    return try await read().map { name + invocation.style.colour($0.text, $0.mark.colour) }
  } catch let refusal as APIRefusal {
    if refusal.status == 404 { return nil }
    return name + invocation.style.colour(Layout.clip("not known: \(refusal.message)", to: 65), .yellow)
  }
}

let workflowsListCommand = CommandSpec(
  "workflows", "list", summary: "list the registered workflows",
  about: ["The workflows of the engine, each with its latest version."],
  options: [.server, .json],
  examples: [
    .init(says: "What can be started?", line: "saga workflows list"),
    .init(says: "Their names, for a program", line: "saga workflows list --json | saga query '$..name'"),
  ]
) { invocation in
  var workflows: [WorkflowListResponse.Workflow] = []
  var all: [JSON] = []
  var cursor: String?
  repeat {
    var query: [(name: String, value: String)] = [("limit", "200")]
    if let cursor { query.append(("cursor", cursor)) }
    let answer = try await invocation.client.get(.listWorkflows, query: query)
    let page: WorkflowListResponse = try answer.read()
    workflows += page.workflows
    all += answer.json["workflows"]?.arrayValue ?? []
    cursor = page.next
  } while cursor != nil
  if invocation.json {
    invocation.terminal.line(JSON.object(["workflows": .array(all)]).text(.pretty))
    return .success
  }
  guard !workflows.isEmpty else {
    invocation.terminal.line("No workflows yet. Register one with `saga workflows register FILE`.")
    return .success
  }
  let rows = workflows.map { [$0.name, VersionName.short($0.version), $0.owner ?? "", $0.description ?? ""] }
  for line in Layout.table(rows) { invocation.terminal.line(line) }
  return .success
}

let workflowsRegisterCommand = CommandSpec(
  "workflows", "register", summary: "register workflow files with the engine",
  about: [
    "The engine checks each file and stores it for ever under its name and version. The same content again changes "
      + "nothing. Other content under the same name and version is refused: raise the version.",
    "With --draft the engine stores a file as the next draft of its name, whatever its version, so that a workflow under "
      + "work can be tried. The engine must run with --drafts.",
  ],
  operands: [OperandSpec("FILE", .oneOrMore, help: "a workflow; - reads standard input")],
  options: [OptionSpec("draft", help: "as the next draft of the workflow"), .user, .server, .json],
  examples: [
    .init(says: "A new version", line: "saga workflows register workflows/sample-processing.json"),
    .init(says: "A workflow under work", line: "saga workflows register --draft workflows/sample-processing.json"),
    .init(says: "All of them", line: "saga workflows register workflows/*.json"),
  ]
) { invocation in
  for file in invocation.arguments.operands {
    let bytes = try invocation.bytes(of: file)
    let answer: EngineAnswer
    do {
      var request = APIRequest(.registerWorkflow, body: bytes)
      if invocation.arguments.has("draft") { request.query.append(("draft", "true")) }
      answer = try await invocation.client.answer(to: request)
    } catch let refusal as APIRefusal {
      throw refusal.about(file)
    }
    if invocation.json {
      invocation.terminal.line(answer.json.text(.pretty))
      continue
    }
    let registration: RegistrationResponse = try answer.read()
    let name = "\(registration.name) \(VersionName.short(registration.version))"
    invocation.terminal.line(
      registration.created ? "registered \(name)" : "\(name) is registered already, with the same content")
    for warning in registration.warnings {
      let place = warning.line.map { ":\($0):\(warning.column ?? 1)" } ?? ""
      let severity = invocation.style.colour("warning", .yellow)
      invocation.terminal.line("\(file)\(place): \(severity): \(warning.message)")
    }
  }
  return .success
}

let workflowsShowCommand = CommandSpec(
  "workflows", "show", summary: "print a registered workflow",
  about: ["Prints the file as it was registered."],
  operands: [OperandSpec("NAME", help: "the workflow's name")],
  options: [
    OptionSpec("version", value: "N", help: "which version: 2, draft, or draft-3; else the latest"), .server, .json,
  ],
  examples: [
    .init(says: "The latest", line: "saga workflows show sample-processing"),
    .init(
      says: "Draw an older one",
      line: "saga workflows show sample-processing --version 1 | saga check --graph -"),
  ]
) { invocation in
  let name = try invocation.required(0)
  let answer =
    if let version = try invocation.version("version") {
      try await invocation.client.get(.getWorkflowVersion, name, version.path)
    } else {
      try await invocation.client.get(.getWorkflow, name)
    }
  let shown = try invocation.json ? answer.json : answer.read(WorkflowResponse.self).definition
  invocation.terminal.line(shown.text(.pretty))
  return .success
}
