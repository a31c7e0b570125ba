import JSON
import Values
import Workflows

// Overdue steps, and sagas after their deadlines. An overdue step is recorded once and continues. A saga after its
// deadline starts compensation, unless it has passed a pivot.

/// The expected time of a step, and its source.
public struct ExpectedTime: Sendable, Hashable {
  public enum Basis: String, Sendable, Hashable, CaseIterable {
    /// The workflow declares it.
    case declared
    /// It is learned from earlier runs of the step.
    case learned
  }
  public let duration: Duration
  public let basis: Basis
  /// The number of runs from which it was learned.
  public let samples: Int?

  fileprivate init(_ duration: Duration, _ basis: Basis, samples: Int? = nil) {
    self.duration = duration
    self.basis = basis
    self.samples = samples
  }

  /// Returns the time that the workflow declares.
  public static func declared(_ duration: Duration) -> ExpectedTime { ExpectedTime(duration, .declared) }
  /// Returns the time that was learned from this number of runs.
  public static func learned(_ duration: Duration, samples: Int) -> ExpectedTime {
    ExpectedTime(duration, .learned, samples: samples)
  }
}

/// The learned expected times of a workflow's steps, by their ids. The caller passes them to the core, like the time.
public typealias LearnedTimes = [String: ExpectedTime]

/// The time by which a step was expected to end.
public struct StepLateness: Sendable, Hashable {
  /// The time by which it was expected to end. A pause shifts it, like every deadline of a saga.
  public internal(set) var since: Timestamp
  public let expected: ExpectedTime

  package init(since: Timestamp, expected: ExpectedTime) {
    self.since = since
    self.expected = expected
  }

  init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      since: try data.timestamp("since"),
      expected: ExpectedTime(
        .milliseconds(try data.int("expectedMs")), try data.word("basis"), samples: try data.optionalInt("samples")))
  }

  func add(to data: inout JSONObject) {
    data["since"] = .timestamp(since)
    data["expectedMs"] = .int(expected.duration.wholeMilliseconds)
    data["basis"] = .word(expected.basis)
    data["samples"] = expected.samples.map(JSON.int)
  }
}

extension Decider {
  /// Records the saga's timeout once. The timeout never limits compensation.
  mutating func noticeTimeout() {
    guard state.turnBack == nil, !state.waitsForOwnTurn, now >= state.deadline else { return }
    // A saga whose last step has just succeeded is complete, not late.
    guard !state.areAllPassed else { return }
    if isPivotPassed {
      if state.overdueSince == nil { emit(SagaOverdue()) }
    } else if state.requestedTurnBack == nil {
      request(
        TurnBack(
          cause: .timeout, code: EngineErrorCode.sagaTimeout,
          message: "The saga was not done by \(state.deadline), its timeout."))
    }
  }

  mutating func noticeOverdueSteps() {
    guard state.end == nil else { return }
    for step in state.sets.underWay {
      guard let phase = state.steps[step].stage.phaseUnderWay, let late = latenessNext(step), late.since <= now else {
        continue
      }
      emit(StepOverdue(step: id(step), phase: phase, lateness: late))
    }
  }

  /// Returns when a step will be overdue. Nil when it is overdue already, or has no expected time.
  func latenessNext(_ step: Int) -> StepLateness? {
    let now = state.steps[step]
    guard now.overdue == nil, let since = now.underWaySince, let expected = expectedTime(of: step) else { return nil }
    return StepLateness(since: since + expected.duration, expected: expected)
  }

  private func expectedTime(of step: Int) -> ExpectedTime? {
    switch state.steps[step].stage.phaseUnderWay {
    case nil: return nil
    case .undo: return undo(of: step)?.expected.map(ExpectedTime.declared)
    case .forward:
      let rules = self.rules(of: step)
      // The expected time is of one item.
      if hasItems(step) { return nil }
      if let declared = rules.expected { return .declared(declared) }
      // A delay takes as long as the workflow says. Earlier runs don't matter.
      if case .delay = rules.action { return nil }
      return ItemPlace(step) == nil ? learned[rules.id] : nil
    }
  }
}

// MARK: Events

/// The step takes longer than expected, and continues. Recorded once for each time that it, or its undo, begins.
public struct StepOverdue: SagaEventContent {
  public static let typeName = "stepOverdue"
  public let step: String
  public let phase: StepPhase
  public let lateness: StepLateness
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(step: try data.string("step"), phase: try data.word("phase"), lateness: try StepLateness(data))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["phase"] = .word(phase)
    lateness.add(to: &data)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      guard phase == step.stage.phaseUnderWay, step.clock?.overdue == nil else { return false }
      step.clock?.overdue = lateness
      return true
    }
  }

  public var timeline: [TimelineNote] { [.mark("overdue \(phase == .undo ? "undo of " : "")\(step)")] }
}

/// The saga's timeout came after its pivot: the saga continues forward, although it is late.
public struct SagaOverdue: SagaEventContent {
  public static let typeName = "sagaOverdue"

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self { Self() }

  public func write(to data: inout JSONObject) {}

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) { saga.overdueSince = at }

  public var timeline: [TimelineNote] { [.mark("overdue")] }
}
