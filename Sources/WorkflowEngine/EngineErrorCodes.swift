import SagaCore

extension EngineErrorCode {
  // The engine.
  public static let workflowNotFound = "workflow.notFound"
  public static let workflowInvalid = "workflow.invalid"
  public static let workflowConflict = "workflow.conflict"
  public static let workflowDraftsOff = "workflow.draftsOff"
  public static let workflowOnlyDrafts = "workflow.onlyDrafts"
  public static let workflowTooManyDrafts = "workflow.tooManyDrafts"
  public static let engineNotReady = "engine.notReady"
  public static let engineDraining = "engine.draining"
  public static let auditRunning = "audit.running"
  public static let auditTooLarge = "audit.tooLarge"
  // Sensitive values.
  public static let sealKeysUnreadable = "seal.keysUnreadable"
  public static let sealKeysMissing = "seal.keysMissing"
  public static let sealFailed = "seal.failed"
  public static let sagaSealKeyMissing = "saga.sealKeyMissing"
  // Operations on many sagas.
  public static let operationNotFound = "operation.notFound"
  public static let operationEmpty = "operation.empty"
  public static let operationTooMany = "operation.tooMany"
  public static let operationChanged = "operation.changed"
  public static let operationBehind = "operation.behind"
  public static let operationEnded = "operation.ended"
  public static let operationNotWaiting = "operation.notWaiting"
  public static let operationSamePerson = "operation.samePerson"
  public static let operationNameless = "operation.nameless"
  // Workers.
  public static let taskTooManyPolls = "task.tooManyPolls"
  // The executors of attempts.
  public static let serviceUnknown = "service.unknown"
  public static let serviceBusy = "service.busy"
  public static let serviceSecretUnreadable = "service.secretUnreadable"
  public static let serviceTokenUnavailable = "service.tokenUnavailable"
  public static let serviceTokenRefused = "service.tokenRefused"
  public static let kafkaNotConfigured = "kafka.notConfigured"
}
