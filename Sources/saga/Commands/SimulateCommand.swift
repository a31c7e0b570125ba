import JSON
import Rehearsal
import SagaCore
import Values
import Workflows

let simulateCommand = CommandSpec(
  "simulate", summary: "draw one run of a workflow, without a laboratory",
  about: [
    "Plays one saga of a workflow with the engine's own rules, in skipped time, and draws it step by step: the times, the "
      + "calls with what they send, retries and their pauses, waits, undos, and the end. Needs no running engine.",
    "Input, answers and signals that are not given are made from the schemas and from what later steps read, and the "
      + "drawing says which. Or they come from a case of a test file (--tests, --case).",
  ],
  operands: [OperandSpec("FILE", help: "a workflow; - reads standard input")],
  options: [
    OptionSpec("input", value: "JSON", help: "the input: JSON, or a file"),
    OptionSpec(
      "answers", value: "JSON", help: "what steps answer, and the bodies of signals: {\"STEP\": …}, or a file"),
    OptionSpec("tests", value: "FILE", help: "a test file of the workflow; its cases have answers and signals"),
    OptionSpec("case", value: "TEXT", help: "the case whose name contains this; else the first"),
    OptionSpec("fail", value: "STEP", repeats: true, help: "this step fails"),
    OptionSpec(
      "timeout", value: "STEP", repeats: true,
      help: "this step happens and its answer never comes; or no signal comes for it"),
    OptionSpec("json", help: "print the run as JSON, for programs"),
  ],
  examples: [
    .init(
      says: "One good run",
      line: "saga simulate workflows/sample-processing.json --input tube.json"),
    .init(
      says: "What is undone when the last step fails?",
      line: "saga simulate workflows/sample-processing.json --fail notify"),
  ]
) { invocation in
  let file = try invocation.required(0)
  let bytes = try invocation.bytes(of: file)
  let name = file == "-" ? "<stdin>" : file
  let report = FileReport(name, bytes: bytes, services: nil)
  guard let workflow = report.result.definition else {
    invocation.terminal.write(report.text(invocation.style, graph: false))
    return .failure
  }
  let simulation = try invocation.simulation(of: workflow)
  let outcome = await computed { () -> Result<Simulation.Result, RehearsalError> in
    do throws(RehearsalError) { return .success(try simulation.play()) } catch { return .failure(error) }
  }
  let result = try outcome.get()
  if invocation.json {
    invocation.terminal.line(SimulationDrawing.json(of: result, workflow).text(.pretty))
  } else {
    let drawing = SimulationDrawing(style: invocation.style)
    for line in drawing.lines(of: result, workflow) { invocation.terminal.line(line) }
  }
  return .success
}

extension Invocation {
  fileprivate func simulation(of workflow: WorkflowDefinition) throws -> Simulation {
    var simulation = Simulation(workflow)
    if let path = arguments.value("tests") {
      simulation.test = try testCase(in: path, of: workflow)
    } else if arguments.value("case") != nil {
      throw usage("--case needs the file of the case: --tests FILE")
    }
    simulation.given.input = try arguments.value("input").map { try value(of: $0, option: "input") }
    if let text = arguments.value("answers") {
      guard case .object(let outputs) = try value(of: text, option: "answers") else {
        throw RehearsalError(
          RehearsalErrorCode.badAnswers, "The answers are not an object with one member for each step.")
      }
      simulation.given.outputs = Dictionary(
        outputs.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    }
    simulation.failing = try steps("fail", of: workflow) { $0.isAttempted }
    simulation.timingOut = try steps("timeout", of: workflow) { action in
      if case .signal = action { true } else { action.isAttempted }
    }
    return simulation
  }

  private func testCase(in path: String, of workflow: WorkflowDefinition) throws -> TestCase {
    let check = TestFileChecker.check(try bytes(of: path), file: path) { _ in .definition(workflow) }
    guard let tests = check.tests else {
      let first = check.errors.first.map { "\($0)" } ?? path
      throw CLIError(CLIErrorCode.inputInvalid, first, advice: ["saga test \(path)"])
    }
    guard let text = arguments.value("case")?.lowercased() else { return tests.cases[0] }
    guard let found = tests.cases.first(where: { $0.name.lowercased().contains(text) }) else {
      throw usage("no case of \(path) has \"\(text)\" in its name")
    }
    return found
  }

  /// The steps of an option.
  /// - Parameter takes: returns whether the option is for steps with this action.
  private func steps(
    _ option: String, of workflow: WorkflowDefinition, takes: (Action) -> Bool
  ) throws(UsageError) -> Set<String> {
    for id in arguments.values(option) {
      guard let step = workflow.step(id) else {
        let near = NearNames.nearest(to: id, among: workflow.steps.map(\.id)).map { "; did you mean \($0)?" } ?? ""
        throw usage("--\(option) names no step of the workflow: \"\(id)\"\(near)")
      }
      guard takes(step.action) else { throw usage("--\(option) \(id): the step calls no service") }
    }
    return Set(arguments.values(option))
  }
}

/// Draws a simulated run.
struct SimulationDrawing {
  let style: Style

  func lines(of result: Simulation.Result, _ workflow: WorkflowDefinition) -> [String] {
    var lines = [style.bold("\(workflow.name) v\(workflow.version)"), "saga \(result.run.state.id)"]
    lines += Layout.wrap(Layout.printable("input \(StoryLines.spaced(result.run.state.start.input))"), width: 80) + [""]
    lines += StoryLines(style: style, isDetailed: true).lines(of: result.story)
    lines += [""] + ending(of: result.run).flatMap { Layout.wrap($0, width: 80) }
    let madeUp = (result.isInputMadeUp ? ["the input"] : []) + result.madeUp
    if !madeUp.isEmpty { lines += Layout.wrap("Made up: \(madeUp.joined(separator: ", ")).", width: 80) }
    return lines
  }

  private func ending(of run: VirtualRun) -> [String] {
    var lines = ["The saga is \(run.status.rawValue) after \(StoryLines.time(run.duration))."]
    for step in run.state.steps {
      guard let signal = step.wait?.signal else { continue }
      lines.append("\(step.id) still waits for the signal \(signal).")
    }
    for blocker in run.state.blockers {
      lines.append("It is stuck on \(blocker.step): \(blocker.failure.message) [\(blocker.failure.code)].")
    }
    if !run.undone.isEmpty { lines.append("Undone: \(run.undone.joined(separator: ", ")).") }
    let inEffect = run.account.inEffect
    if run.status != .completed, !inEffect.isEmpty {
      lines.append("Still in effect: \(inEffect.joined(separator: ", ")).")
    }
    return lines
  }

  static func json(of result: Simulation.Result, _ workflow: WorkflowDefinition) -> JSON {
    let run = result.run
    var members: JSONObject = [
      "workflow": .string(workflow.name), "version": .int(workflow.version),
      "saga": .string(run.state.id.description), "status": .string(run.status.rawValue),
      "startedAt": .timestamp(run.state.startedAt), "takesMs": .int(run.duration.wholeMilliseconds),
    ]
    members["output"] = run.state.end?.output
    members["undone"] = .array(run.undone.map(JSON.string))
    members["inEffect"] = .array(run.account.inEffect.map(JSON.string))
    members["input"] = run.state.start.input
    members["inputMadeUp"] = .bool(result.isInputMadeUp)
    members["madeUp"] = .array(result.madeUp.map(JSON.string))
    members["lines"] = .array(result.story.lines.map(\.json))
    return .object(members)
  }
}
