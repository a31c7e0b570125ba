import JSON
import Runtime
import Values
public import Workflows

/// A saga as its events have made it: a value, and nothing but the fold of the events.
public struct SagaState: Sendable, Hashable {
  public let start: SagaStart
  public let startedAt: Timestamp
  /// How many events it took: the stream's version.
  public internal(set) var version = 1
  public internal(set) var steps: [StepState]
  /// Every signal that came, and what became of it. They stay: the same one again is a repeat, also after a rewind.
  public internal(set) var signals: [ReceivedSignal] = []
  /// Set once the saga turned back.
  public internal(set) var turnBack: Dated<TurnBack>?
  /// A reason to turn back that waits for a pivot to settle.
  public internal(set) var requestedTurnBack: Dated<TurnBack>?
  /// The requests that named themselves. They stay, also when what they asked for has lapsed: a repeat is still one.
  public internal(set) var commands: [KnownCommand] = []
  public internal(set) var lastAct: LastAct?
  /// Set while the saga is paused: its clock stands, and nothing new starts.
  public internal(set) var pause: Dated<OperatorAct>?
  /// The moment by which the saga is to be done. An operator may have put it off, and a pause does.
  public internal(set) var deadline: Timestamp
  /// Set while steps are being undone to begin again.
  public internal(set) var rewind: Rewind?
  /// Whether a pivot has been passed: it succeeded, was resolved as happened, or was skipped by an operator. From then
  /// on nothing is undone. Deciders ask `isPivotPassed(by:)`.
  public internal(set) var pivotPassed = false
  public internal(set) var overdueSince: Timestamp?
  public internal(set) var end: SagaEnd?

  init(start: SagaStart, at: Timestamp) {
    self.start = start
    startedAt = at
    deadline = start.deadline
    steps = start.steps.map { StepState(id: $0) }
  }

  public var id: UniqueID { start.id }

  public var isPaused: Bool { pause != nil }

  /// Since when the saga's clock stands; nil when it goes.
  public var pausedAt: Timestamp? { pause?.at }

  /// Whether a rewind is undoing the step, or will.
  public func isRewinding(_ step: String) -> Bool { rewind?.steps.contains { $0.hasSameScalars(as: step) } ?? false }

  public func step(_ id: String) -> StepState? { steps.first { $0.id == id } }

  public var status: SagaStatus {
    if let end { return end.status }
    if steps.contains(where: isBlocked) { return .stuck }
    return turnBack == nil ? .running : .compensating
  }

  /// The steps that wait for an operator. Once the saga has ended, none does: what an abandoned saga was stuck on stays
  /// as it is.
  public var blockers: [Blocker] { end == nil ? steps.filter(isBlocked).compactMap(Blocker.init) : [] }

  /// Whether the saga can't go on past this step without an operator. Once the saga has turned back it goes past every
  /// step that failed going forward.
  func isBlocked(_ step: StepState) -> Bool {
    step.isBlocked && (turnBack == nil || step.status == .undoFailed)
  }

  /// Whether a pivot has been passed, also in a history of an older version. Its events don't say that a step which an
  /// operator skipped was a pivot; the definition does.
  public func isPivotPassed(by definition: WorkflowDefinition) -> Bool {
    pivotPassed
      || turnBack == nil && steps.contains { $0.skippedByOperator && definition.step($0.id)?.pivot ?? false }
  }

  /// Whether its time is up, or one of its steps takes longer than was expected of it.
  public func isOverdue(at now: Timestamp) -> Bool {
    guard end == nil else { return false }
    return overdueSince != nil || deadline < pausedAt ?? now || steps.contains { $0.overdue != nil }
  }

  /// Whether an attempt, forward or undo, has been started and has not been settled.
  public var hasAttemptInFlight: Bool { steps.contains { $0.inFlight != nil } }
}

/// A value and when it came.
public struct Dated<Value: Sendable & Hashable>: Sendable, Hashable {
  public let at: Timestamp
  public let value: Value
}

/// Steps that are undone to begin again.
public struct Rewind: Sendable, Hashable {
  /// The one that the operator named.
  public let step: String
  /// It and all that comes after it, in the order of the file.
  public let steps: [String]
  public let at: Timestamp
  public let by: String
  public let reason: String
}

/// How a saga ended.
public struct SagaEnd: Sendable, Hashable {
  public let status: SagaStatus
  public let at: Timestamp
  /// What the workflow's `output` gave, for a completed saga.
  public let output: JSON?
  /// The members of `output` that could not be made, and are null.
  public let outputErrors: [OutputError]
  /// Who abandoned it, and why.
  public let by: String?
  public let reason: String?
}
