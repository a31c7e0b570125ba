import JSON

/// One step of a workflow, with every default filled in.
public struct Step: Sendable, Hashable {
  public let id: String
  public let description: String?
  /// The index of the step in the workflow's list: the order of the file, a group before its members.
  public let index: Int
  /// The steps that must end before this one starts. A step that names none follows the step before it. The first
  /// members of a group follow what the group follows.
  public let dependsOn: [String]
  /// The group that has the step as a member; nil for a step of the workflow itself.
  public let group: String?
  /// The members of a group, without those of groups inside it; empty for every other step.
  public let members: [String]
  /// The place of the step in the file.
  public let pointer: JSONPointer
  public let action: Action
  /// The list for whose items the action is done; nil for a step that does its action once.
  public let forEach: ForEach?
  /// How an `http` step asks again and again; nil for a step that calls once.
  public let poll: Poll?
  /// The turn that the step takes before it begins; nil when it waits for no other saga. With `forEach`: one turn for all
  /// items.
  public let concurrency: Concurrency?
  /// The condition of the step; when it is false, the engine skips the step.
  public let when: JSONPathCondition?
  /// The timeout, with `forEach`: of each item. `http`, `kafka`: of one attempt. `signal`, `task`, and an `http` step with a `poll`: of the whole wait, and a
  /// group: of all its members together; nil when only the saga's timeout limits it. `delay`: nil.
  public let timeout: Duration?
  /// When people are reminded of the wait; nil for never, and for a step that waits for no signal.
  public let remind: Remind?
  /// The expected time, with retries and backoff. A step that takes longer is overdue. Nil: the engine learns it.
  public let expected: Duration?
  public let retry: RetryRules
  public let compensation: Compensation
  /// True for a pivot: after this step has succeeded, the saga only goes forward.
  public let pivot: Bool
  public let onFailure: OnFailure

  /// The timeout of one attempt of a call when the file sets none.
  public static let defaultAttemptTimeout: Duration = .seconds(30)

  public init(
    id: String, description: String? = nil, index: Int, dependsOn: [String], group: String? = nil,
    members: [String] = [], pointer: JSONPointer? = nil, action: Action, forEach: ForEach? = nil, poll: Poll? = nil,
    concurrency: Concurrency? = nil, when: JSONPathCondition? = nil, timeout: Duration? = nil, remind: Remind? = nil,
    expected: Duration? = nil,
    retry: RetryRules = .builtIn, compensation: Compensation = .unspecified, pivot: Bool = false,
    onFailure: OnFailure = .compensate
  ) {
    self.id = id
    self.description = description
    self.index = index
    self.dependsOn = dependsOn
    self.group = group
    self.members = members
    self.pointer = pointer ?? JSONPointer.root.appending("steps").appending(index)
    self.action = action
    self.forEach = forEach
    self.poll = poll
    self.concurrency = concurrency
    self.when = when
    self.timeout = timeout
    self.remind = remind
    self.expected = expected
    self.retry = retry
    self.compensation = compensation
    self.pivot = pivot
    self.onFailure = onFailure
  }
}

/// The reminders of a wait.
public struct Remind: Sendable, Hashable {
  /// The time from the start of the wait to the first reminder.
  public let after: Duration
  /// The time between reminders; nil for a single one.
  public let every: Duration?

  /// The shortest time between reminders. Each one is an event and a notice.
  public static let shortestEvery: Duration = .seconds(60)

  public init(after: Duration, every: Duration? = nil) {
    self.after = after
    self.every = every
  }
}

/// The effect of a step's final failure on the saga.
public enum OnFailure: String, Sendable, Hashable, CaseIterable {
  /// The saga starts compensation.
  case compensate
  /// The failure is recorded and the saga continues.
  case `continue`
  /// The saga is stuck and waits for an operator, who retries, skips or resolves the step, or starts compensation.
  case stuck
}

/// The setting for undoing a step.
public enum Compensation: Sendable, Hashable {
  /// The file has no setting. Nothing is undone, and the checker warns if the step has a side effect.
  case unspecified
  /// The file says that nothing must be undone.
  case none
  case undo(Undo)
}

/// The action that undoes a step: its compensation.
public struct Undo: Sendable, Hashable {
  /// What undoes the step: a call, a task, a signal that confirms it, or a workflow. In a step with `workflow` it turns the
  /// step's own child back. In every other step it starts a child.
  public let action: Action
  /// The timeout of one attempt; for a task and a signal, of the whole wait; for a child that the undo starts, of the wait
  /// for its end. Nil when only the child's own timeout limits that wait.
  public let timeout: Duration?
  /// When people are reminded of the signal; nil for never, and for an undo that waits for no signal.
  public let remind: Remind?
  /// The expected time of the compensation, with retries and backoff; nil when the file does not set it.
  public let expected: Duration?
  public let retry: RetryRules
  /// The outcomes after which the step is undone.
  public let appliesTo: Set<Outcome>
  public let onFailure: OnUndoFailure

  public static let defaultAppliesTo: Set<Outcome> = [.succeeded, .unknown]
  /// The number of attempts of an undo when the file does not set it.
  public static let defaultMaxAttempts = 10
  /// The timeout of an undo by a worker or by a signal when the file does not set it. Then the saga is stuck, and an
  /// operator learns of it.
  public static let defaultWaitTimeout = Duration.seconds(86_400)

  public init(
    action: Action, timeout: Duration? = Step.defaultAttemptTimeout, remind: Remind? = nil, expected: Duration? = nil,
    retry: RetryRules = .builtInUndo, appliesTo: Set<Outcome> = Undo.defaultAppliesTo,
    onFailure: OnUndoFailure = .stuck
  ) {
    self.action = action
    self.timeout = timeout
    self.remind = remind
    self.expected = expected
    self.retry = retry
    self.appliesTo = appliesTo
    self.onFailure = onFailure
  }
}

extension Step {
  /// The undo of the step; nil when nothing undoes it.
  public var undo: Undo? { if case .undo(let undo) = compensation { undo } else { nil } }

  /// The signal that confirms the undo of the step; nil for every other undo.
  public var undoSignal: SignalAction? { if case .signal(let signal)? = undo?.action { signal } else { nil } }

  /// The workflow that the undo of the step starts; nil for every other undo, also for one that turns the step's own child
  /// back.
  public var undoWorkflow: WorkflowAction? {
    if case .workflow(let workflow)? = undo?.action, !action.isWorkflow { workflow } else { nil }
  }
}

/// The outcome of a round of a step.
public enum Outcome: String, Sendable, Hashable, CaseIterable {
  case succeeded
  /// The action may have happened: no answer came, or the answer does not show it.
  case unknown
  /// The action certainly did not happen.
  case failed
}

/// The effect of an undo's final failure on the saga.
public enum OnUndoFailure: String, Sendable, Hashable, CaseIterable {
  /// The saga is stuck and waits for an operator.
  case stuck
  /// The undo is optional: the saga continues its compensation.
  case `continue`
}
