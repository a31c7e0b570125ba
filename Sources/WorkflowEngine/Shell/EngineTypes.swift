import JSON
import Persistence
import SagaCore
import Values
import Workflows

/// Returns the events that follow from a command, and whether there is more to decide, as `Decider.decision` does.
package typealias Decide =
  @Sendable (
    _ command: SagaCommand, _ state: SagaState?, _ definition: WorkflowDefinition, _ now: Timestamp,
    _ learned: LearnedTimes, _ isDraining: Bool
  ) throws(Refusal) -> (events: [SagaEvent], isUnfinished: Bool)

/// A request that the engine can't carry out.
public struct EngineError: CodedError {
  public let code: String
  public let message: String
  /// The checker's findings, for a workflow that can't be registered.
  public let findings: [Finding]

  public init(code: String, message: String, findings: [Finding] = []) {
    self.code = code
    self.message = message
    self.findings = findings
  }
}

/// The store got a write and didn't answer. The write may have happened, or may still happen.
///
/// Every other error of a command means that nothing was done, and that nothing will be.
public struct OutcomeUnknown: CodedError {
  public let code = StoreErrorCode.outcomeUnknown
  public let message: String
  /// The saga that may have been started; nil when it isn't new.
  public var saga: UniqueID?
  /// The operation that may have begun; nil when it isn't new.
  public var operation: UniqueID?

  public init(_ what: String, saga: UniqueID? = nil, operation: UniqueID? = nil) {
    message = "The store was asked to write and didn't answer. \(what)"
    self.saga = saga
    self.operation = operation
  }
}

/// Why an engine takes no requests, or which error they would get.
public struct NotReady: Sendable, Hashable {
  public let code: String
  public let message: String

  public init(code: String, message: String) {
    self.code = code
    self.message = message
  }
}

/// A workflow that was registered, now or before.
public struct Registration: Sendable {
  public let name: String
  /// Below zero for a draft.
  public let version: Int
  public let digest: String
  /// False when the same content had been registered before.
  public let isNew: Bool
  public let warnings: [Finding]
}

/// A registered workflow.
public struct RegisteredWorkflow: Sendable {
  public let definition: WorkflowDefinition
  public let digest: String
  public let registeredAt: Timestamp
  public let registeredBy: String
}

/// The content of a start.
public struct StartRequest: Sendable {
  public let workflow: String
  /// The workflow's version, below zero for a draft; nil for the latest released one.
  public let version: Int?
  /// Whether the latest draft is to be started. Then `version` is nil.
  public let wantsDraft: Bool
  public let input: JSON
  /// The idempotency key. Two starts with one key start one saga.
  public let idempotencyKey: String?
  /// The keys that an older version would have given the start. They find only a saga which that version started.
  public let formerKeys: [String]
  /// The tags. Nil means none; a repeat with nil matches the tags of its saga.
  public let tags: [String]?
  public let by: String
  /// The way that the start came: `rest 10.0.0.7`, `kafka saga.commands`.
  public let from: String?

  public init(
    workflow: String, version: Int? = nil, wantsDraft: Bool = false, input: JSON, idempotencyKey: String? = nil,
    formerKeys: [String] = [], tags: [String]? = nil, by: String, from: String? = nil
  ) {
    self.workflow = workflow
    self.version = version
    self.wantsDraft = wantsDraft
    self.input = input
    self.idempotencyKey = idempotencyKey
    self.formerKeys = formerKeys
    self.tags = tags
    self.by = by
    self.from = from
  }
}

/// The result of a start.
public struct Started: Sendable {
  public let id: UniqueID
  /// False when an earlier start with the idempotency key had started it.
  public let isNew: Bool
}

/// A saga as it is stored now, or as it was after one of its events, with its workflow.
public struct SagaNow: Sendable {
  public let state: SagaState
  public let definition: WorkflowDefinition
  /// The time of the event after which the saga had this state; nil for the current state.
  public internal(set) var asOf: Timestamp?
  /// The turns that the saga holds or waits for, with their places. Empty for an earlier state.
  public internal(set) var turns: [TurnPlace] = []
  /// The tasks that it offers, and those that workers have, as they are now. Empty for a past state.
  public internal(set) var tasks: [TaskID: OfferedTask] = [:]
  /// When a worker last asked each queue in which it offers a task. A queue that no worker has asked since the engine
  /// started is not there.
  public internal(set) var lastAsked: [String: Timestamp] = [:]
  /// How the children of its steps are now, as far as they are known.
  public internal(set) var children: [UniqueID: ChildNow] = [:]
}

/// One stored event of a saga.
public struct HistoryEntry: Sendable {
  public let version: Int
  public let type: String
  public let recordedAt: Timestamp
  public let data: JSON
  public let meta: JSON
  /// The SHA-256 hash that proves the history's order and content.
  public let hash: [UInt8]
}
