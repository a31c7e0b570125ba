import JSON
import SagaCore
import Values
import Workflows

/// One run of a workflow to look at. What is not given is made up, as for an exploration.
package struct Simulation: Sendable {
  package let workflow: WorkflowDefinition
  /// A case whose answers, signals, operators and crashes are played; what it expects is not compared. Nil: every call
  /// succeeds, and every signal comes.
  package var test: TestCase?
  /// The input, instead of the case's, and what steps answer where the case says nothing.
  package var given = GivenAnswers()
  /// The steps that fail.
  package var failing: Set<String> = []
  /// The steps that happen without an answer, and the waits for which no signal comes.
  package var timingOut: Set<String> = []

  package init(_ workflow: WorkflowDefinition) { self.workflow = workflow }

  package struct Result: Sendable {
    package let run: VirtualRun
    package let story: RunStory
    package let isInputMadeUp: Bool
    /// The steps whose answers or signals were made up, in the order of the file.
    package let madeUp: [String]
  }

  /// The code of a failure that the caller asked for.
  package static let failureCode = "SIMULATED_FAILURE"
  /// The time from the begin of a wait to a made-up signal.
  private static let signalTime = Duration.seconds(60)

  /// - Throws: what `VirtualSaga.run` throws; `rehearsal.noInput`; `rehearsal.badAnswers`.
  package func play() throws(RehearsalError) -> Result {
    var given = given
    given.input = given.input ?? test?.input
    let made = try given.made(for: workflow, WorkflowReads(workflow))
    var saga = VirtualSaga(workflow, input: made.input)
    saga.by = "simulate"
    if let test { test.prepare(&saga) }
    var signals = SignalQueue(test?.signals ?? [])
    saga.acts = signals.timed + (test?.requests ?? []).map { VirtualAct(after: $0.act.at, .operate($0.request)) }
    var counts: [String: Int] = [:]
    var madeUp: Set<String> = []
    var madeCalls: Set<Int> = []
    let people = { (wait: VirtualWait) -> [VirtualAct] in
      if wait.phase == .forward, timingOut.contains(wait.step) || timingOut.contains(ItemID.step(of: wait.step)) {
        return []
      }
      if test != nil { return signals.acts(at: wait) }
      let (step, isUndo) = (ItemID.step(of: wait.step), wait.phase == .undo)
      if isUndo || given.outputs[step] == nil { madeUp.insert(step) }
      let signal = SignalGiven(
        name: wait.signal, id: wait.signalID,
        body: (isUndo ? made.confirmations(of: step).first : made.outputs[step]) ?? .null,
        by: "simulate")
      return [VirtualAct(after: Self.signalTime, .signal(signal))]
    }
    let run = try saga.run(people: people) { call in
      let name = "\(call.call.phase.rawValue) \(call.call.step)"
      let number = counts[name, default: 0]
      counts[name] = number + 1
      let planned = asked(of: call.call) ?? answer(to: call.call, number: number)
      let step = ItemID.step(of: call.call.step)
      if planned == nil, given.outputs[step] == nil || call.call.phase == .undo {
        madeCalls.insert(call.number - 1)
        madeUp.insert(step)
      }
      let output = call.call.phase == .forward ? made.outputs[step] ?? [:] : .null
      return (planned ?? CaseAnswer(.output(output)))
        .planned(for: call.call, at: call.at, keepsTombstones: saga.keepsTombstones)
    }
    return Result(
      run: run, story: RunStory(run, madeUp: madeCalls), isInputMadeUp: given.input == nil,
      madeUp: workflow.steps.map(\.id).filter { madeUp.contains($0) })
  }

  private func answer(to call: StepCall, number: Int) -> CaseAnswer? {
    guard let answer = test?.answers.answer(call.step, call.phase, call: number), answer.problem(for: call) == nil
    else {
      return nil
    }
    return answer
  }

  /// The answer that the caller asked for by the step's name.
  private func asked(of call: StepCall) -> CaseAnswer? {
    guard call.phase == .forward else { return nil }
    let names = [call.step, ItemID.step(of: call.step)]
    if names.contains(where: failing.contains) {
      return CaseAnswer(.failure(StepFailure(code: Self.failureCode, message: "The simulation fails here.")))
    }
    return names.contains(where: timingOut.contains) ? CaseAnswer(.silence, happened: true) : nil
  }
}
