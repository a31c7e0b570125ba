import JSON
import Runtime
import Workflows

/// Returns the events that follow from a command, as `Decider.decide` does.
package typealias Decide =
  @Sendable (
    _ command: SagaCommand, _ state: SagaState?, _ definition: WorkflowDefinition, _ now: Timestamp,
    _ learned: LearnedTimes, _ isHolding: Bool
  ) throws(Refusal) -> [SagaEvent]

/// Something that the engine can't do as it was asked.
public struct EngineError: CodedError {
  public let code: String
  public let message: String
  /// What the checker found, for a workflow that can't be registered.
  public let findings: [Finding]

  public init(code: String, message: String, findings: [Finding] = []) {
    self.code = code
    self.message = message
    self.findings = findings
  }
}

/// A workflow that was registered, now or before.
public struct Registration: Sendable {
  public let name: String
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

/// What a saga is started with.
public struct StartRequest: Sendable {
  public let workflow: String
  /// The latest when nil.
  public let version: Int?
  public let input: JSON
  /// Starting twice with one key is starting once.
  public let idempotencyKey: String?
  public let tags: [String]
  public let by: String

  public init(
    workflow: String, version: Int? = nil, input: JSON, idempotencyKey: String? = nil, tags: [String] = [], by: String
  ) {
    self.workflow = workflow
    self.version = version
    self.input = input
    self.idempotencyKey = idempotencyKey
    self.tags = tags
    self.by = by
  }
}

/// The saga that a start gave.
public struct Started: Sendable {
  public let id: UniqueID
  /// False when the idempotency key had started it before.
  public let isNew: Bool
}

/// A saga as it is stored now, and what it runs on.
public struct SagaNow: Sendable {
  public let state: SagaState
  public let definition: WorkflowDefinition
}

/// One stored event of a saga.
public struct HistoryEntry: Sendable {
  public let version: Int
  public let type: String
  public let recordedAt: Timestamp
  public let data: JSON
  public let meta: JSON
  /// The chained SHA-256 that proves the history's order and content.
  public let hash: [UInt8]
}

/// What became of a signal.
public enum SignalAnswer: String, Sendable {
  /// A step was waiting for it.
  case taken
  /// It came early and is kept.
  case kept
  /// It had come before; nothing changed.
  case repeated
}
