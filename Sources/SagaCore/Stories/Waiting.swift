import JSON
import Values
import Workflows

// Waits. A delay step waits until a time; a signal step waits until its signal or its timeout. `Signals.swift` has the
// effects of a signal.

extension Decider {
  mutating func waitForSignal(_ step: Int, _ signal: SignalAction) {
    let until = rules(of: step).timeout.map { now + $0 }
    let remindAt = rules(of: step).remind.map { now + $0.after }
    emit(WaitStarted(step: id(step), until: until, signal: signal.name, remindAt: remindAt))
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
        fail(
          step,
          StepFailure(
            code: EngineErrorCode.signalTimeout, message: "The signal “\(signal)” did not come by \(until)."))
      } else {
        succeed(step, output: .null)
      }
    }
  }
}

/// A signal step waits until its signal, or until its timeout if it has one. A delay step waits until its time.
public struct WaitStarted: SagaEventContent {
  public static let typeName = "waitStarted"
  public let step: String
  public let until: Timestamp?
  public let signal: String?
  /// The time of the first reminder; nil when the wait has none.
  public let remindAt: Timestamp?
  public var stepID: String? { step }

  init(step: String, until: Timestamp?, signal: String?, remindAt: Timestamp? = nil) {
    self.step = step
    self.until = until
    self.signal = signal
    self.remindAt = remindAt
  }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      step: try data.string("step"), until: try data.optionalTimestamp("until"), signal: data.optionalString("signal"),
      remindAt: try data.optionalTimestamp("remindAt"))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["until"] = until.map(JSON.timestamp)
    data["signal"] = signal.map(JSON.string)
    data["remindAt"] = remindAt.map(JSON.timestamp)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      // A wait that begins again after an operator's retry was backing off until then.
      guard step.status == .pending || step.isQueued || step.status == .backingOff else { return false }
      step.stage = .waiting(StepStage.Wait(signal: signal, until: until, remindAt: remindAt))
      step.awaitedSignal = signal
      step.startedAt = at
      return true
    }
  }

  public var timeline: [TimelineNote] { [.begin(step: step, .forward, signal == nil ? .delay : .wait)] }
}
