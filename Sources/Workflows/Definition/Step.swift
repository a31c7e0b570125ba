/// One step of a workflow, with every default filled in.
public struct Step: Sendable, Hashable {
  public let id: String
  public let description: String?
  /// Its place in the workflow's list of steps.
  public let index: Int
  /// The steps that must be over before this one starts. A step that names none follows the one before it.
  public let dependsOn: [String]
  public let action: Action
  /// When it doesn't hold, the step is skipped.
  public let when: JSONPathCondition?
  /// `http`, `kafka`: of one attempt. `signal`: of the whole wait, nil when only the saga's timeout bounds it. `delay`: nil.
  public let timeout: Duration?
  /// How long it is expected to take, retries and backoff included: what takes longer is overdue. nil: it is learned.
  public let expected: Duration?
  public let retry: RetryRules
  public let compensation: Compensation
  /// Once this step has succeeded, the saga only goes forward.
  public let pivot: Bool
  public let onFailure: OnFailure

  /// The timeout of one attempt of a call where the file names none.
  public static let defaultAttemptTimeout: Duration = .seconds(30)

  public init(
    id: String, description: String? = nil, index: Int, dependsOn: [String], action: Action,
    when: JSONPathCondition? = nil, timeout: Duration? = nil, expected: Duration? = nil,
    retry: RetryRules = .builtIn, compensation: Compensation = .unspecified, pivot: Bool = false,
    onFailure: OnFailure = .compensate
  ) {
    self.id = id
    self.description = description
    self.index = index
    self.dependsOn = dependsOn
    self.action = action
    self.when = when
    self.timeout = timeout
    self.expected = expected
    self.retry = retry
    self.compensation = compensation
    self.pivot = pivot
    self.onFailure = onFailure
  }
}

/// What becomes of the saga when a step failed for good.
public enum OnFailure: String, Sendable, Hashable, CaseIterable {
  /// The saga turns back.
  case compensate
  /// The failure is recorded and the saga goes on.
  case `continue`
}

/// What undoes a step.
public enum Compensation: Sendable, Hashable {
  /// The file says nothing: nothing is undone, and the checker warns if the step has a side effect.
  case unspecified
  /// The file says that there is nothing to undo.
  case none
  case undo(Undo)
}

/// The action that undoes a step.
public struct Undo: Sendable, Hashable {
  public let action: Action
  /// Of one attempt.
  public let timeout: Duration
  /// How long undoing is expected to take, retries and backoff included; nil when the file doesn't say.
  public let expected: Duration?
  public let retry: RetryRules
  /// The outcomes of the step after which it is undone.
  public let appliesTo: Set<Outcome>
  public let onFailure: OnUndoFailure

  public static let defaultAppliesTo: Set<Outcome> = [.succeeded, .unknown]
  /// How often an undo is attempted where the file doesn't say.
  public static let defaultMaxAttempts = 10

  public init(
    action: Action, timeout: Duration = Step.defaultAttemptTimeout, expected: Duration? = nil,
    retry: RetryRules = .builtInUndo, appliesTo: Set<Outcome> = Undo.defaultAppliesTo,
    onFailure: OnUndoFailure = .stuck
  ) {
    self.action = action
    self.timeout = timeout
    self.expected = expected
    self.retry = retry
    self.appliesTo = appliesTo
    self.onFailure = onFailure
  }
}

/// How a round of a step came out.
public enum Outcome: String, Sendable, Hashable, CaseIterable {
  case succeeded
  /// It may have happened: no answer came, or none that tells.
  case unknown
  /// It certainly didn't happen.
  case failed
}

/// What becomes of the saga when an undo failed for good.
public enum OnUndoFailure: String, Sendable, Hashable, CaseIterable {
  /// The saga waits for an operator.
  case stuck
  /// The undo was a courtesy: the saga goes on turning back.
  case `continue`
}
