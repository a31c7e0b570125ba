import JSON
import Values
import Workflows

// Waits. A delay step waits until a time; a signal step waits until its signal or its timeout. So does an undo that a signal
// confirms. `Signals.swift` has the effects of a signal.

extension Decider {
  mutating func waitForSignal(_ step: Int, _ signal: SignalAction) {
    let until = rules(of: step).timeout.map { now + $0 }
    let remindAt = rules(of: step).remind.map { now + $0.after }
    emit(WaitStarted(step: id(step), until: until, signal: signal.name, remindAt: remindAt))
    useKeptSignal(for: step, signal)
  }

  /// Lets the undo of a step wait until a signal confirms it.
  mutating func waitForConfirmation(_ step: Int, _ signal: SignalAction, _ undo: Undo) {
    emit(
      WaitStarted(
        step: id(step), until: undo.timeout.map { now + $0 }, signal: signal.name,
        remindAt: undo.remind.map { now + $0.after }, phase: .undo))
    useKeptSignal(for: step, signal)
  }

  mutating func waitForTime(_ step: Int, _ delay: DelayAction) {
    let until: Timestamp
    switch delay {
    case .for(let duration):
      until = now + duration
    case .until(let template):
      do {
        let document = state.document(for: state.steps[step], reading: template.reads)
        let text = try template.renderRequired(in: document)
        guard let time = Timestamp(text) else {
          fail(
            step,
            StepFailure(
              code: EngineErrorCode.delayNotATime,
              message: "“\(text.prefix(100))” is not a date-time; write it as 2026-03-01T08:15:30Z."))
          return
        }
        until = time
      } catch {
        fail(step, StepFailure(code: error.code, message: error.message))
        return
      }
    }
    emit(WaitStarted(step: id(step), until: until, signal: nil))
    if until <= now { succeed(step, output: .null) }
  }

  /// Ends the waits that are due, before the saga's own timeout is checked.
  mutating func endDueWaits() {
    guard state.turnBack == nil else { return }
    for step in state.sets.waiting {
      if case .polling(let polling) = state.steps[step].stage { endDuePoll(step, polling) }
      guard let wait = state.steps[step].wait, let until = wait.until, until <= now,
        until <= state.deadline || isPivotPassed
      else { continue }
      if let signal = wait.signal {
        fail(step, Self.missing(signal, at: until))
      } else {
        succeed(step, output: .null)
      }
    }
  }

  /// Fails the undos whose waits are due. The saga's timeout limits no undo. A child that has not ended in time goes on, so
  /// what it leaves is not known yet.
  mutating func endDueUndoWaits() {
    for step in state.sets.undoing {
      guard let wait = state.steps[step].undoWait, let until = wait.until, until <= now else { continue }
      if let signal = wait.signal {
        failUndo(step, Self.missing(signal, at: until))
      } else {
        let child = state.steps[step].undoChild.map { " \($0.saga) (\($0.workflow))" } ?? ""
        failUndo(
          step,
          StepFailure(
            code: EngineErrorCode.attemptTimeout,
            message: "The child saga\(child) that undoes the step had not ended by \(until)."),
          isUnknown: true)
      }
    }
  }

  private static func missing(_ signal: String, at until: Timestamp) -> StepFailure {
    StepFailure(code: EngineErrorCode.signalTimeout, message: "The signal “\(signal)” did not come by \(until).")
  }
}

/// A signal step waits until its signal, or until its timeout if it has one. A delay step waits until its time. The undo of
/// a step may wait for a signal, too.
public struct WaitStarted: SagaEventContent {
  public static let typeName = "waitStarted"
  public let step: String
  public let until: Timestamp?
  public let signal: String?
  /// The time of the first reminder; nil when the wait has none.
  public let remindAt: Timestamp?
  /// Whether the step waits, or its undo. Events of older versions are of steps.
  public let phase: StepPhase
  public var stepID: String? { step }

  init(step: String, until: Timestamp?, signal: String?, remindAt: Timestamp? = nil, phase: StepPhase = .forward) {
    self.phase = phase
    self.step = step
    self.until = until
    self.signal = signal
    self.remindAt = remindAt
  }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      step: try data.string("step"), until: try data.optionalTimestamp("until"), signal: data.optionalString("signal"),
      remindAt: try data.optionalTimestamp("remindAt"), phase: try data.phase())
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["until"] = until.map(JSON.timestamp)
    data["signal"] = signal.map(JSON.string)
    data["remindAt"] = remindAt.map(JSON.timestamp)
    data.write(phase)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      let wait = StepStage.Wait(signal: signal, until: until, remindAt: remindAt)
      switch (phase, step.stage) {
      // A wait that begins again after an operator's retry was backing off until then.
      case (.forward, .pending), (.forward, .queued), (.forward, .backingOff):
        step.stage = .waiting(wait)
        step.awaitedSignal = signal
        step.startedAt = at
      case (.undo, .succeeded), (.undo, .failed), (.undo, .undoBackingOff):
        guard signal != nil else { return false }
        step.stage = .undoWaiting(wait)
        step.undo.startedAt = step.undo.startedAt ?? at
      case (.forward, _), (.undo, _): return false
      }
      return true
    }
  }

  public var timeline: [TimelineNote] { [.begin(step: step, phase, signal == nil ? .delay : .wait)] }
}
