import JSON
import Workflows

let checkCommand = CommandSpec(
  "check", summary: "find every mistake in workflow files",
  about: [
    "Reads each file as the engine does and prints every mistake with its line and column: unknown keys, misspelt steps, "
      + "cycles, expressions that don't parse or that read a later step, waits longer than the saga's timeout. Needs no "
      + "running engine. Exit status 1 when there are errors."
  ],
  operands: [OperandSpec("FILE", .oneOrMore, help: "a workflow; - reads standard input")],
  options: [
    OptionSpec("services", value: "A,B", help: "the known services; a step that calls another is an error"),
    OptionSpec("strict", help: "warnings fail too"),
    OptionSpec("graph", help: "draw the steps of each file that has no errors"),
    OptionSpec("json", help: "print the findings as JSON, for programs"),
  ],
  examples: [
    .init(says: "Check everything before a commit", line: "saga check workflows/*.json"),
    .init(
      says: "Check services too, and fail on warnings",
      line: "saga check --strict --services samples,storage workflows/my.json"),
    .init(says: "Draw the order of the steps", line: "saga check --graph workflows/sample-processing.json"),
  ]
) { invocation in
  let services = invocation.arguments.value("services").map { text in
    Set(text.split(separator: ",").map { String($0.filter { $0 != " " }) })
  }
  var reports: [FileReport] = []
  for file in invocation.arguments.operands {
    let bytes = try invocation.bytes(of: file)
    let name = file == "-" ? "<stdin>" : file
    reports.append(FileReport(name, bytes: bytes, services: services))
  }
  let errors = reports.reduce(0) { $0 + $1.result.errors.count }
  let warnings = reports.reduce(0) { $0 + $1.result.warnings.count }
  if invocation.json {
    invocation.terminal.line(JSON.array(reports.map(\.json)).text(.pretty))
  } else {
    for report in reports {
      invocation.terminal.write(report.text(invocation.style, graph: invocation.arguments.has("graph")))
    }
    let counts = "\(FileReport.count(errors, "error")), \(FileReport.count(warnings, "warning"))"
    invocation.terminal.line("\(FileReport.count(reports.count, "file")) checked: \(counts)")
  }
  return errors > 0 || (invocation.arguments.has("strict") && warnings > 0) ? .failure : .success
}

/// What the checker found in one file.
struct FileReport {
  let file: String
  let bytes: [UInt8]
  let result: CheckResult

  init(_ file: String, bytes: [UInt8], services: Set<String>?) {
    self.file = file
    self.bytes = bytes
    result = WorkflowChecker.check(bytes, file: file, services: services)
  }

  var json: JSON {
    var members: JSONObject = ["file": .string(file), "valid": .bool(result.errors.isEmpty)]
    if let definition = result.definition {
      members["name"] = .string(definition.name)
      members["version"] = .int(definition.version)
    }
    members["findings"] = .array(result.findings.map(\.json))
    if result.omitted > 0 { members["more"] = .int(result.omitted) }
    return .object(members)
  }

  func text(_ style: Style, graph: Bool) -> String {
    let source = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    var lines = result.findings.flatMap { FindingText(style: style).lines(of: $0, in: source) }
    if result.omitted > 0 { lines.append("\(file): and \(result.omitted) more") }
    if graph, let definition = result.definition {
      lines += DefinitionDrawing(definition: definition, style: style).lines()
    }
    return lines.map { $0 + "\n" }.joined()
  }

  static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}

/// A workflow's steps with their order, what each does, and what undoes it.
struct DefinitionDrawing {
  let definition: WorkflowDefinition
  let style: Style

  func lines() -> [String] {
    let steps = definition.steps
    let graph = StepGraph(steps: steps.map { StepGraph.Node(id: $0.id, dependsOn: $0.dependsOn, group: $0.group) })
    let idWidth = min(28, steps.map { $0.id.count }.max() ?? 0)
    var lines = [style.bold("\(definition.name) v\(definition.version)")]
    for row in graph.rows {
      let step = steps[row.step]
      let mark = step.pivot ? "◆" : "●"
      let left = "  \(row.before)\(mark)\(row.after)  \(Layout.pad(Layout.clip(step.id, to: idWidth), to: idWidth))  "
      let room = 80 - left.count
      let facts = Layout.wrap(facts(of: step), width: max(20, room))
      lines.append(Layout.trimmingEnd(left + (facts.first ?? "")))
      let below = Layout.pad("  " + row.below, to: left.count)
      lines += facts.dropFirst().map { below + $0 }
    }
    return lines + [""]
  }

  private func facts(of step: Step) -> String {
    var facts = [Self.words(step.action)]
    if step.action.isGroup { facts[0] += " of \(step.members.joined(separator: ", "))" }
    if step.when != nil { facts.append("only when its condition holds") }
    if step.pivot { facts.append("pivot: no way back") }
    switch step.compensation {
    case .undo(let undo): facts.append("undone by \(Self.words(undo.action))")
    case .none: facts.append("needs no undo")
    case .unspecified: break
    }
    return facts.joined(separator: "; ")
  }

  private static func words(_ action: Action) -> String {
    switch action {
    case .http(let http): "\(http.method) \(http.service)"
    case .kafka(let kafka): "\(kafka.service).\(kafka.command) over Kafka"
    case .signal(let signal): "waits for signal \(signal.name)"
    case .delay: "waits a while"
    case .fail(let fail): "fails with \(fail.code)"
    case .group: "group"
    }
  }
}
