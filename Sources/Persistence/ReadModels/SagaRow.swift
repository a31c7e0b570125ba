public import Values

/// What a list shows of a saga, and what it is found by.
public struct SagaRow: Sendable, Hashable {
  public var id: UniqueID
  public var shard: Int
  /// The version of its stream that the row has seen.
  public var lastEvent: Int
  public var workflow: String
  public var version: Int
  public var status: String
  public var isPaused: Bool
  public var startedAt: Timestamp
  /// When the last event that the row has seen happened.
  public var updatedAt: Timestamp
  public var endedAt: Timestamp?
  public var deadline: Timestamp
  /// From when on it is overdue; nil for a saga that can't be, as one that has ended.
  public var overdueAt: Timestamp?
  public var key: String?
  public var tags: [String]
  /// The step, code and message that it turned back for, or that it is stuck on.
  public var failedStep: String?
  public var failureCode: String?
  public var failureMessage: String?
  /// Names of signals, `delay`, `answer`.
  public var waitingFor: [String]
  /// The most attempts that one of its steps has had.
  public var attempts: Int
  public var steps: [StepRow]
  /// What text finds it by: lower case, each once.
  public var words: [String]
  /// Why the row shows less than the saga has; nil for one that shows it all.
  public var note: String?

  public init(
    id: UniqueID, shard: Int, lastEvent: Int, workflow: String, version: Int, status: String, isPaused: Bool = false,
    startedAt: Timestamp, updatedAt: Timestamp, endedAt: Timestamp? = nil, deadline: Timestamp,
    overdueAt: Timestamp? = nil, key: String? = nil, tags: [String] = [], failedStep: String? = nil,
    failureCode: String? = nil, failureMessage: String? = nil, waitingFor: [String] = [], attempts: Int = 0,
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
    self.tags = tags
    self.failedStep = failedStep
    self.failureCode = failureCode
    self.failureMessage = failureMessage
    self.waitingFor = waitingFor
    self.attempts = attempts
    self.steps = steps
    self.words = words
  }

  /// Returns a row that any store takes: where the saga is and how it stands, without what people wrote.
  public func reduced(because reason: String) -> SagaRow {
    SagaRow(
      id: id, shard: shard, lastEvent: lastEvent, workflow: String(workflow.prefix(Self.longestName)), version: version,
      status: status, isPaused: isPaused, startedAt: startedAt, updatedAt: updatedAt, endedAt: endedAt,
      deadline: deadline, overdueAt: overdueAt, attempts: attempts, words: [id.description],
      note: "The read model can't store all of this row. The saga itself is whole. \(reason.prefix(Self.longestReason))"
    )
  }

  private static let longestName = 200
  private static let longestReason = 300

  /// The codes that it is found by: of what it turned back for or is stuck on, and of each step that is in trouble.
  public var errors: Set<String> { Set(steps.compactMap(\.error) + [failureCode].compactMap { $0 }) }

  /// The steps at which it stands.
  public var at: [String] { steps.filter(\.isAt).map(\.id) }
}

/// Where one step of a saga stands.
public struct StepRow: Sendable, Hashable {
  public var id: String
  public var status: String
  /// Attempts in the phase that it is in.
  public var attempts: Int
  /// The code of what is wrong with it now.
  public var error: String?
  /// The saga stands at this step: it is under way, waits, or is in trouble.
  public var isAt: Bool

  public init(id: String, status: String, attempts: Int = 0, error: String? = nil, isAt: Bool = false) {
    self.id = id
    self.status = status
    self.attempts = attempts
    self.error = error
    self.isAt = isAt
  }
}
