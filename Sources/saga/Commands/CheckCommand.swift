import Authoring
import Foundation
import JSON
import Rehearsal
import Workflows

let checkCommand = CommandSpec(
  "check", summary: "find every mistake in workflow files",
  about: [
    "Reads each file as the engine does and prints every mistake with its line and column: unknown keys, misspelt steps, "
      + "cycles, expressions that don't parse or that read a later step, waits longer than the saga's timeout. Needs no "
      + "running engine. Exit status 1 when there are errors.",
    "Files that are named together know each other: where a step starts a child saga of one of them, its input is "
      + "checked too, and a workflow that starts itself is found.",
    "With --explore it plays every failure of each step in virtual time, with the engine's own rules, and prints how each "
      + "saga comes out: what is undone, what is still in effect, whether it gets stuck, and what is never undone. The "
      + "input and the answers are made from the schemas and from what later steps read; --input and --answers give "
      + "others. Exit status 1 when an invariant of the workflow is broken.",
  ],
  operands: [OperandSpec("FILE", .oneOrMore, help: "a workflow; - reads standard input")],
  options: [
    OptionSpec("services", value: "A,B", help: "the known services; a step that calls another is an error"),
    OptionSpec("strict", help: "warnings fail too"),
    OptionSpec("graph", help: "draw the steps of each file that has no errors"),
    OptionSpec("explore", help: "play every failure of each step"),
    OptionSpec("pairs", help: "with --explore: two failures at a time, too"),
    OptionSpec("input", value: "FILE", help: "with --explore: the input, as JSON"),
    OptionSpec("answers", value: "FILE", help: "with --explore: what steps answer, as {\"STEP\": …}"),
    OptionSpec("no-tombstones", help: "with --explore: services take commands after their undo"),
    OptionSpec("json", help: "print the findings as JSON, for programs"),
  ],
  examples: [
    .init(says: "Check everything before a commit", line: "saga check workflows/*.json"),
    .init(
      says: "Check services too, and fail on warnings",
      line: "saga check --strict --services samples,storage workflows/my.json"),
    .init(says: "See every failure before it happens", line: "saga check --explore workflows/my.json"),
  ]
) { invocation in
  let services = invocation.arguments.value("services").map { text in
    Set(text.split(separator: ",").map { String($0.filter { $0 != " " }) })
  }
  let exploring = try Exploring(invocation)
  var reports: [FileReport] = []
  for file in invocation.arguments.operands {
    let bytes = try invocation.bytes(of: file)
    let name = file == "-" ? "<stdin>" : file
    var report = FileReport(name, bytes: bytes, services: services)
    if let definition = report.result.definition { report.exploration = await exploring?.explore(definition) }
    reports.append(report)
  }
  // A file that starts children is checked with the workflows of the other files.
  let children = ChildCheck(reports.compactMap(\.result.definition))
  for index in reports.indices { reports[index].add(children) }
  let errors = reports.reduce(0) { $0 + $1.result.errors.count }
  let warnings = reports.reduce(0) { $0 + $1.result.warnings.count }
  if invocation.json {
    invocation.terminal.line(JSON.array(reports.map(\.json)).text(.pretty))
  } else {
    for report in reports {
      invocation.terminal.write(report.text(invocation.style, graph: invocation.arguments.has("graph")))
    }
    // A file that could not be explored has one error more, which its text shows.
    let shown = errors + reports.count(where: \.couldNotBeExplored)
    let counts = "\(FileReport.count(shown, "error")), \(FileReport.count(warnings, "warning"))"
    invocation.terminal.line("\(FileReport.count(reports.count, "file")) checked: \(counts)")
  }
  let fails = errors > 0 || reports.contains(where: \.failsExploration)
  return fails || (invocation.arguments.has("strict") && warnings > 0) ? .failure : .success
}

/// How the command explores each file.
private struct Exploring {
  let given: GivenAnswers
  let pairs: Bool
  let keepsTombstones: Bool

  /// - Returns: nil without `--explore`.
  init?(_ invocation: Invocation) throws {
    let arguments = invocation.arguments
    guard arguments.has("explore") else {
      for option in ["pairs", "no-tombstones", "input", "answers"] {
        if arguments.has(option) || arguments.value(option) != nil {
          throw invocation.usage("--\(option) belongs to --explore")
        }
      }
      return nil
    }
    let files = ["input", "answers"].compactMap { arguments.value($0) }
    guard files.isEmpty || arguments.operands.count == 1 else {
      throw invocation.usage("--input and --answers are for one workflow: name one FILE")
    }
    guard (files + arguments.operands).count(where: { $0 == "-" }) <= 1 else {
      throw invocation.usage("standard input is one of the files, not several")
    }
    var given = GivenAnswers(input: try arguments.value("input").map(invocation.json))
    if let file = arguments.value("answers") {
      guard case .object(let outputs) = try invocation.json(of: file) else {
        throw RehearsalError(RehearsalErrorCode.badAnswers, "\(file) is not an object with one member for each step.")
      }
      given.outputs = Dictionary(outputs.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    }
    self.given = given
    pairs = arguments.has("pairs")
    keepsTombstones = !arguments.has("no-tombstones")
  }

  func explore(_ definition: WorkflowDefinition) async -> Result<Exploration, RehearsalError> {
    var explorer = Explorer(definition)
    explorer.given = given
    explorer.keepsTombstones = keepsTombstones
    guard pairs else {
      return await computed { [explorer] in Result { () throws(RehearsalError) in try explorer.explore() } }
    }
    switch await computed({ [explorer] in Result { () throws(RehearsalError) in try explorer.pairPlan() } }) {
    case .failure(let error): return .failure(error)
    case .success(let plan): return await Self.played(plan)
    }
  }

  /// Plays the pairs of faults, one part on each processor.
  private static func played(_ plan: PairPlan) async -> Result<Exploration, RehearsalError> {
    let count = ProcessInfo.processInfo.activeProcessorCount
    let parts = await withTaskGroup { group in
      for part in 0..<count {
        group.addTask {
          (part, await computed { Result { () throws(RehearsalError) in try plan.play(part: part, of: count) } })
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    return Result { () throws(RehearsalError) in
      var played: [PairPlan.Part] = []
      for (_, part) in parts.sorted(by: { $0.0 < $1.0 }) { played.append(try part.get()) }
      return plan.exploration(of: played)
    }
  }
}

/// What the checker found in one file.
struct FileReport {
  let file: String
  let bytes: [UInt8]
  private(set) var result: CheckResult
  /// Nil when the file was not explored.
  var exploration: Result<Exploration, RehearsalError>?

  init(_ file: String, bytes: [UInt8], services: Set<String>?) {
    self.file = file
    self.bytes = bytes
    result = WorkflowChecker.check(bytes, file: file, services: services)
  }

  /// Adds what is wrong with the children that the workflow starts.
  mutating func add(_ children: ChildCheck) {
    guard let definition = result.definition else { return }
    result = result.adding(children.findings(in: definition, bytes, file: file))
  }

  var couldNotBeExplored: Bool { if case .failure = exploration { true } else { false } }

  /// Whether the exploration breaks an invariant, or was not possible.
  var failsExploration: Bool {
    switch exploration {
    case .success(let exploration): exploration.isBroken
    case .failure: true
    case nil: false
    }
  }

  var json: JSON {
    var members: JSONObject = ["file": .string(file), "valid": .bool(result.errors.isEmpty)]
    if let definition = result.definition {
      members["name"] = .string(definition.name)
      members["version"] = .int(definition.version)
    }
    members["findings"] = .array(result.findings.map(\.json))
    if result.omitted > 0 { members["more"] = .int(result.omitted) }
    switch exploration {
    case .success(let exploration): members["exploration"] = exploration.json
    case .failure(let error):
      members["exploration"] = ["error": ["code": .string(error.code), "message": .string(error.message)]]
    case nil: break
    }
    return .object(members)
  }

  func text(_ style: Style, graph: Bool) -> String {
    let source = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    var lines = result.findings.flatMap { FindingText(style: style).lines(of: $0, in: source) }
    if result.omitted > 0 { lines.append("\(file): and \(result.omitted) more") }
    if graph, let definition = result.definition {
      lines += DefinitionDrawing(definition: definition, style: style).lines()
    }
    switch exploration {
    case .success(let exploration): lines += ExplorationText(exploration: exploration, style: style).lines()
    case .failure(let error):
      let words = Layout.printable(error.message)
      lines.append("\(style.bold("\(file):")) \(style.colour("error", .red)): \(words) [\(error.code)]")
    case nil: break
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
    if let forEach = step.forEach { facts[0] += " " + forEach.words }
    if let poll = step.poll { facts[0] += " every \(TimeText.duration(poll.every)) until an answer ends the step" }
    if step.when != nil { facts.append("only when its condition holds") }
    if let turn = step.concurrency {
      facts.append("waits for a turn of \(turn.key.source.stringValue ?? ""), at most \(turn.limit) at once")
    }
    if step.pivot { facts.append("pivot: no way back") }
    switch step.compensation {
    case .undo(let undo): facts.append("undone by \(Self.undoWords(undo.action))")
    case .none: facts.append("needs no undo")
    case .unspecified: break
    }
    return facts.joined(separator: "; ")
  }

  private static func undoWords(_ action: Action) -> String {
    if case .signal(let signal) = action { "signal \(signal.name), for which it waits" } else { words(action) }
  }

  private static func words(_ action: Action) -> String {
    switch action {
    case .http(let http): "\(http.method) \(http.service)"
    case .kafka(let kafka): "\(kafka.service).\(kafka.command) over Kafka"
    case .task(let task): "a worker of queue \(task.queue)"
    case .workflow(let workflow): "child saga of \(workflow.name)"
    case .signal(let signal): "waits for signal \(signal.name)"
    case .delay: "waits a while"
    case .fail(let fail): "fails with \(fail.code)"
    case .group: "group"
    }
  }
}
