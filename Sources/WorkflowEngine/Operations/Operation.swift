public import JSON
import SagaCore
public import Values

/// A verb on many sagas: the sagas, the rate, the requester and the reason. The sagas are fixed when the operation
/// begins, so a person has seen every saga that it acts on.
public struct OperationPlan: Sendable, Hashable {
  public var verb: OperatorVerb
  /// The filter that found its sagas, as it was requested; nil when the sagas were named one by one.
  public var filter: JSON?
  /// In the order in which they are acted on.
  public var sagas: [UniqueID]
  public var pace: OperationPace
  /// The last version of the saga that the requester saw. If a person has acted on the saga since, the operation
  /// refuses it.
  public var expectedVersion: Int?
  /// The person, the reason, and the way that the request came.
  public var act: OperatorAct
  /// Whether a second person has to agree before anything is done.
  public var needsApproval: Bool

  public init(
    verb: OperatorVerb, filter: JSON? = nil, sagas: [UniqueID], pace: OperationPace = OperationPace(),
    expectedVersion: Int? = nil, act: OperatorAct, needsApproval: Bool = false
  ) {
    self.verb = verb
    self.filter = filter
    self.sagas = sagas
    self.pace = pace
    self.expectedVersion = expectedVersion
    self.act = act
    self.needsApproval = needsApproval
  }
}

/// A person's decision on an operation.
public struct OperationDecision: Sendable, Hashable {
  public let by: String
  public let reason: String?
  public let from: String?
  public let at: Timestamp
}

/// The result of an operation for one saga.
public struct OperationResult: Sendable, Hashable {
  public let saga: UniqueID
  /// The saga's last event once the verb was taken.
  public let version: Int?
  /// Why it was refused; nil when it was taken.
  public let refusal: Reason?

  public struct Reason: Sendable, Hashable {
    public let code: String
    public let message: String

    public init(code: String, message: String) {
      self.code = code
      self.message = message
    }
  }

  public init(saga: UniqueID, version: Int? = nil, refusal: Reason? = nil) {
    self.saga = saga
    self.version = version
    self.refusal = refusal
  }
}

/// An operation as its events make it.
public struct Operation: Sendable, Hashable {
  public enum Status: String, Sendable, Hashable, CaseIterable {
    /// The operation waits for the approval of a second person.
    case waiting
    case running
    /// Every saga has taken the verb or refused it.
    case finished
    /// A person stopped it before it was complete.
    case stopped
    /// The second person did not agree; nothing was done.
    case declined

    public var isEnd: Bool { self != .waiting && self != .running }
  }

  public let id: UniqueID
  public internal(set) var version: Int
  public internal(set) var plan: OperationPlan
  /// The number of sagas with which it began. It is larger than the count of `plan.sagas` while its first events are
  /// read.
  public let count: Int
  public let startedAt: Timestamp
  public internal(set) var status: Status
  public internal(set) var approved: OperationDecision?
  public internal(set) var declined: OperationDecision?
  public internal(set) var stopped: OperationDecision?
  public internal(set) var endedAt: Timestamp?
  public internal(set) var results: [UniqueID: OperationResult] = [:]
  /// The number of sagas that took the verb.
  public internal(set) var done = 0
  public internal(set) var refused = 0

  /// The number of sagas that it has not reached. `done`, `refused` and `left` add up to `count`.
  public var left: Int { count - done - refused }

  /// The number of refusals for each code, the most frequent code first.
  public var refusals: [(code: String, count: Int)] {
    Dictionary(grouping: results.values.compactMap(\.refusal), by: \.code).map { ($0.key, $0.value.count) }
      .sorted { ($1.1, $0.0) < ($0.1, $1.0) }.map { (code: $0.0, count: $0.1) }
  }

  init(id: UniqueID, version: Int, plan: OperationPlan, count: Int, startedAt: Timestamp) {
    self.id = id
    self.version = version
    self.plan = plan
    self.count = count
    self.startedAt = startedAt
    status = plan.needsApproval ? .waiting : .running
  }
}
