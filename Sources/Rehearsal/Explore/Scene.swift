import JSON
import SagaCore
import Values

/// A saga with its answers and its faults, ready to be played. Its participants keep the rules of
/// `docs/participants.md`, except where a fault says otherwise.
struct Scene: Sendable {
  /// The saga without input and crashes.
  let base: VirtualSaga
  var answers: Answers
  var faults: [Fault] = []
  /// The bodies with which faults happen: of a refused signal, and of an answer to a poll.
  var bodies: [Fault: JSON] = [:]

  /// Plays the scene.
  /// - Parameter other: a run of the same saga. Its beginning is used as far as it is the same.
  func play(after other: RecordedRun? = nil) throws(RehearsalError) -> VirtualRun {
    var none: VirtualRecord?
    guard let other else { return try play(from: nil, record: &none) }
    switch beginning(in: other) {
    case .whole: return other.run
    case .none: return try play(from: nil, record: &none)
    case .until(let fork): return try play(from: fork.stage, record: &none)
    }
  }

  /// Plays the scene as `play` does, so that other scenes can use its beginning.
  func record(after other: RecordedRun? = nil) throws(RehearsalError) -> RecordedRun {
    var record: VirtualRecord? = VirtualRecord()
    var stage: VirtualStage?
    if let other {
      switch beginning(in: other) {
      case .whole: return RecordedRun(scene: self, run: other.run, record: other.record)
      case .none: break
      case .until(let fork): (stage, record) = (fork.stage, fork.record)
      }
    }
    let run = try play(from: stage, record: &record)
    return RecordedRun(scene: self, run: run, record: record ?? VirtualRecord())
  }

  private func play(from stage: VirtualStage?, record: inout VirtualRecord?) throws(RehearsalError) -> VirtualRun {
    var saga = base
    saga.input = answers.input
    saga.crashes = faults.compactMap(\.crash)
    saga.turnsNever = Set(faults.filter { $0.kind == .turnNever }.map { ItemID.step(of: $0.step) })
    return try saga.run(
      from: stage, people: signals(on:),
      participant: { call in
        switch call.call.phase {
        case .forward:
          var answer = forward(call)
          answer.isLast = true
          return answer
        case .undo: return undo(call, number: call.undos + 1)
        }
      }, record: &record)
  }

  // MARK: The same beginning

  /// How much of another run is the same.
  private enum Beginning {
    case none
    case until(VirtualFork)
    case whole
  }

  private func beginning(in other: RecordedRun) -> Beginning {
    guard answers.input == other.scene.answers.input else { return .none }
    let changed = answers.steps(differingFrom: other.scene.answers)
    let changedUndos = answers.undos(differingFrom: other.scene.answers)
    var questions: Set<VirtualQuestion> = []
    for fault in Set(faults).symmetricDifference(other.scene.faults) { questions.formUnion(fault.questions) }
    let fork = other.record.fork { question in
      switch question {
      case .call(let step, .forward), .wait(let step, .forward):
        questions.contains(question) || changed.contains(ItemID.step(of: step))
      case .wait(let step, .undo): questions.contains(question) || changedUndos.contains(ItemID.step(of: step))
      case .call(_, .undo), .turn: questions.contains(question)
      }
    }
    return fork.map { .until($0) } ?? .whole
  }

  // MARK: People

  private func signals(on wait: VirtualWait) -> [VirtualAct] {
    let step = ItemID.step(of: wait.step)
    var given = wait.phase == .undo ? answers.confirmations(of: step) : [answers.outputs[step] ?? .object([:])]
    for fault in faults where fault.step == wait.step && fault.phase == wait.phase {
      if [.signalNever, .undoSignalNever].contains(fault.kind) { return [] }
      if [.signalRefused, .undoSignalRefused].contains(fault.kind) { given = [bodies[fault] ?? .null] }
    }
    // The second body of an undo comes where the first one is refused. Otherwise it comes too late.
    return given.enumerated().map { number, body in
      let id = number == 0 ? wait.signalID : "\(wait.signalID)-\(number + 1)"
      return VirtualAct(
        after: .seconds(number + 1), .signal(SignalGiven(name: wait.signal, id: id, body: body, by: "rehearsal")))
    }
  }

  // MARK: Participants

  private func forward(_ call: VirtualCall) -> PlannedAnswer {
    let (step, after) = (call.call.step, time(of: call))
    let honest =
      call.isUndone && base.keepsTombstones
      ? PlannedAnswer.fails(Self.tooLate, after: after)
      : PlannedAnswer(
        call.call.success(
          answers.outputs[ItemID.step(of: step)] ?? .object([:]), head: answers.heads[ItemID.step(of: step)]),
        after: after, effect: after)
    for fault in faults where fault.concerns(call.call.step) {
      switch fault.kind {
      case .fails, .itemsFail: return .fails(Self.refused, after: time(of: call))
      case .timesOut(let happened): return silent(call, happened: happened)
      case .answersLate:
        let late = call.call.timeout * 5 / 4
        return PlannedAnswer(honest.outcome, after: late, effect: late)
      case .arrivesLate: return PlannedAnswer(nil, after: .zero, effect: .seconds(86_400))
      case .neverTaken:
        var answer = PlannedAnswer(nil, after: .zero, effect: nil)
        answer.isTaken = false
        return answer
      case .pollNever, .pollFails: return .succeeds(bodies[fault] ?? .null, after: time(of: call))
      case .crashes, .signalNever, .signalRefused, .turnNever, .groupTimesOut, .undoFails, .undoFailsForGood,
        .undoTimesOut, .undoCrashes, .undoSignalNever, .undoSignalRefused, .undoAbandoned:
        break
      }
    }
    return honest
  }

  private func undo(_ call: VirtualCall, number: Int) -> PlannedAnswer {
    let startsChild = if case .workflow(let workflow) = call.call.action { !workflow.turnsBack } else { false }
    for fault in faults where fault.step == call.call.step {
      switch fault.kind {
      case .undoFails(let times):
        guard number <= times else { break }
        if startsChild { return .fails(Self.undone, after: time(of: call)) }
        return PlannedAnswer(.unknown(Self.outage), after: time(of: call), effect: nil)
      case .undoFailsForGood: return .fails(startsChild ? Self.undone : Self.refused, after: time(of: call))
      case .undoAbandoned: return PlannedAnswer(.unknown(Self.undone), after: time(of: call), effect: nil)
      case .undoTimesOut(let happened): return silent(call, happened: happened)
      case .fails, .timesOut, .answersLate, .arrivesLate, .neverTaken, .crashes, .signalNever, .signalRefused,
        .pollNever,
        .pollFails, .turnNever, .groupTimesOut, .itemsFail, .undoCrashes, .undoSignalNever, .undoSignalRefused:
        break
      }
    }
    // A child that finds nothing to undo completes, too.
    if call.isInEffect || startsChild { return .succeeds(.null, after: time(of: call)) }
    // There is nothing to undo. A participant with tombstones remembers that it was asked.
    var gone = StepFailure(code: "http.404", classes: ["http.404", "http.4xx"], message: "There is nothing to undo.")
    gone.isGone = true
    gone.keepsTombstones = base.keepsTombstones
    return PlannedAnswer(.failed(gone), after: time(of: call), effect: base.keepsTombstones ? time(of: call) : nil)
  }

  private func time(of call: VirtualCall) -> Duration { min(PlannedAnswer.usualTime, call.call.timeout / 2) }

  private func silent(_ call: VirtualCall, happened: Bool) -> PlannedAnswer {
    PlannedAnswer(nil, after: .zero, effect: happened ? time(of: call) : nil)
  }

  private static let refused = StepFailure(
    code: "http.422", classes: ["http.422", "http.4xx"], message: "The participant refuses it.")
  private static let undone = StepFailure(
    code: EngineErrorCode.childUndone, message: "The child that undoes the step was compensated.")
  private static let tooLate = StepFailure(
    code: "http.409", classes: ["http.409", "http.4xx"], message: "The command comes after its undo.")
  private static let outage = StepFailure(
    code: Fault.outage[0], classes: Fault.outage, message: "The participant has an outage.", isRetryable: true)
}

/// A scene that was played, with what other scenes need to use its beginning.
struct RecordedRun: Sendable {
  let scene: Scene
  let run: VirtualRun
  let record: VirtualRecord
}

extension Fault {
  /// What a run asks before the fault can change anything.
  fileprivate var questions: [VirtualQuestion] {
    switch kind {
    case .fails, .timesOut, .answersLate, .arrivesLate, .neverTaken, .crashes, .pollNever, .pollFails:
      [.call(step: step, .forward)]
    case .itemsFail(let items): items.map { .call(step: $0, .forward) }
    case .groupTimesOut(let member, _): [.call(step: member, .forward)]
    case .signalNever, .signalRefused: [.wait(step: step, .forward)]
    case .undoSignalNever, .undoSignalRefused: [.wait(step: step, .undo)]
    case .turnNever: [.turn(step: ItemID.step(of: step))]
    case .undoFails, .undoFailsForGood, .undoTimesOut, .undoAbandoned, .undoCrashes: [.call(step: step, .undo)]
    }
  }

  /// Returns whether a forward call of a step, or of an item, goes wrong.
  fileprivate func concerns(_ id: String) -> Bool {
    if case .itemsFail(let items) = kind { return items.contains(id) }
    return step == id
  }
}
