public import Values

/// The data of a saga that a list shows, and by which the list finds it.
public struct SagaRow: Sendable, Hashable {
  public var id: UniqueID
  public var shard: Int
  /// The version of the saga's stream that the row includes.
  public var lastEvent: Int
  public var workflow: String
  public var version: Int
  public var status: String
  public var isPaused: Bool
  public var startedAt: Timestamp
  /// The time of the last event that the row includes.
  public var updatedAt: Timestamp
  public var endedAt: Timestamp?
  public var deadline: Timestamp
  /// The time from which the saga is overdue; nil when it cannot be overdue, for example after its end.
  public var overdueAt: Timestamp?
  public var key: String?
  /// The id of the saga that started this one; nil for a saga without a parent.
  public var parent: String?
  public var tags: [String]
  /// What people see first of the saga; nil when it has no title.
  public var title: String?
  public var labels: [Label]
  /// The step, code and message of the failure that started compensation, or on which the saga is stuck.
  public var failedStep: String?
  public var failureCode: String?
  public var failureMessage: String?
  /// Why the saga turned back, whatever stops it now: the code, and the step when one failed. Nil when it has not.
  public var causeStep: String?
  public var causeCode: String?
  /// What stops or delays the saga, whatever the time; nil when nothing does.
  public var need: SagaNeed?
  /// What delays it from `since` on, when it is overdue; nil when that changes nothing.
  public var late: SagaNeed?
  /// The names of signals, `delay`, `child` or `answer` for which the saga waits.
  public var waitingFor: [String]
  /// The number of attempts of the step that has had the most.
  public var attempts: Int
  public var steps: [StepRow]
  /// The words by which text search finds the saga: lower case, each once.
  public var words: [String]
  /// The reason why the row shows less than the saga has; nil when the row is complete.
  public var note: String?

  public init(
    id: UniqueID, shard: Int, lastEvent: Int, workflow: String, version: Int, status: String, isPaused: Bool = false,
    startedAt: Timestamp, updatedAt: Timestamp, endedAt: Timestamp? = nil, deadline: Timestamp,
    overdueAt: Timestamp? = nil, key: String? = nil, parent: String? = nil, tags: [String] = [], title: String? = nil,
    labels: [Label] = [],
    failedStep: String? = nil,
    failureCode: String? = nil, failureMessage: String? = nil, causeStep: String? = nil, causeCode: String? = nil,
    need: SagaNeed? = nil, late: SagaNeed? = nil, waitingFor: [String] = [], attempts: Int = 0,
    steps: [StepRow] = [], words: [String] = [], note: String? = nil
  ) {
    self.note = note
    self.id = id
    self.shard = shard
    self.lastEvent = lastEvent
    self.workflow = workflow
    self.version = version
    self.status = status
    self.isPaused = isPaused
    self.startedAt = startedAt
    self.updatedAt = updatedAt
    self.endedAt = endedAt
    self.deadline = deadline
    self.overdueAt = overdueAt
    self.key = key
    self.parent = parent
    self.tags = tags
    self.title = title
    self.labels = labels
    self.failedStep = failedStep
    self.failureCode = failureCode
    self.failureMessage = failureMessage
    self.causeStep = causeStep
    self.causeCode = causeCode
    self.need = need
    self.late = late
    self.waitingFor = waitingFor
    self.attempts = attempts
    self.steps = steps
    self.words = words
  }

  /// Returns a row that every store accepts: the saga's steps and status, without texts that people wrote.
  public func reduced(because reason: String) -> SagaRow {
    SagaRow(
      id: id, shard: shard, lastEvent: lastEvent, workflow: String(workflow.prefix(Self.longestName)), version: version,
      status: status, isPaused: isPaused, startedAt: startedAt, updatedAt: updatedAt, endedAt: endedAt,
      deadline: deadline, overdueAt: overdueAt, parent: parent, need: need?.withoutTexts, late: late?.withoutTexts,
      attempts: attempts, words: [id.description],
      note: "The read model can't store all of this row. The saga itself is whole. \(reason.prefix(Self.longestReason))"
    )
  }

  private static let longestName = 200
  private static let longestReason = 300

  /// The error codes by which the saga is found: the code of its failure, and the code of each failing step.
  public var errors: Set<String> { Set(steps.compactMap(\.error) + [failureCode].compactMap { $0 }) }

  /// The one code by which facets count the saga: of what stops it or fails now, else of what turned it back.
  var shownCode: String? { need?.code ?? failureCode ?? errors.min() }

  /// The ids of the saga's current steps.
  public var at: [String] { steps.filter(\.isAt).map(\.id) }
}

/// The status of one step of a saga.
public struct StepRow: Sendable, Hashable {
  public var id: String
  public var status: String
  /// The number of attempts in the step's current phase.
  public var attempts: Int
  /// The code of the step's current error.
  public var error: String?
  /// True when the saga is at this step: the step runs, waits, or has a problem.
  public var isAt: Bool

  public init(id: String, status: String, attempts: Int = 0, error: String? = nil, isAt: Bool = false) {
    self.id = id
    self.status = status
    self.attempts = attempts
    self.error = error
    self.isAt = isAt
  }
}
