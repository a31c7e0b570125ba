// The laboratory is beside the product.
//
// It is an example of participants: samples, storage, sequencing, notification, an accession registry, quality control, a
// pipeline, library preparation and pooling as event-sourced services, over HTTP and Kafka. `saga lab` runs it, and `make demo`, the tutorial and the tests use it. The engine calls it only through HTTP and
// Kafka, as any participant. No module of the product imports `Laboratory`, and `Laboratory` does not import the engine;
// `Tests/Rules` checks both.

/// The codes of every refusal and error of the laboratory. Each has a page in `docs/errors/`.
public enum LabErrorCode {
  // Codes of any service.
  public static let answerRefused = "lab.answerRefused"
  public static let commandUnknown = "lab.commandUnknown"
  public static let conflict = "lab.conflict"
  public static let exists = "lab.exists"
  public static let faultInvalid = "lab.faultInvalid"
  public static let gone = "lab.gone"
  public static let injected = "lab.injected"
  public static let invalid = "lab.invalid"
  public static let keyInvalid = "lab.keyInvalid"
  public static let keyMissing = "lab.keyMissing"
  public static let keyReused = "lab.keyReused"
  public static let notJSON = "lab.notJSON"
  public static let replyTopicInvalid = "lab.replyTopicInvalid"
  public static let stopping = "lab.stopping"
  public static let undoneBefore = "lab.undoneBefore"
  public static let unknown = "lab.unknown"
  public static let unreadableEvent = "lab.unreadableEvent"

  // Codes of one service.
  public static let barcodeTaken = "samples.barcodeTaken"
  public static let notAcceptable = "samples.notAcceptable"
  public static let sampleState = "samples.wrongState"
  public static let volumeShort = "samples.volumeShort"
  public static let storageFull = "storage.full"
  public static let positionTaken = "storage.positionTaken"
  public static let alreadyHeld = "storage.alreadyHeld"
  public static let temperature = "storage.temperature"
  public static let allocationState = "storage.wrongState"
  public static let laneTaken = "sequencing.laneTaken"
  public static let lanesFull = "sequencing.lanesFull"
  public static let laneNotReserved = "sequencing.laneNotReserved"
  public static let flowCellExpired = "sequencing.flowCellExpired"
  public static let flowCellState = "sequencing.flowCellState"
  public static let flowCellUsed = "sequencing.flowCellUsed"
  public static let kitExpired = "sequencing.kitExpired"
  public static let kitState = "sequencing.kitState"
  public static let runState = "sequencing.wrongState"
  public static let plateFull = "qc.plateFull"
  public static let notReserved = "qc.notReserved"
  public static let notMeasured = "qc.notMeasured"
  public static let qcState = "qc.wrongState"
  public static let jobState = "pipeline.wrongState"
  public static let notDone = "pipeline.notDone"
  public static let notCopied = "pipeline.notCopied"
  public static let lotExpired = "prep.lotExpired"
  public static let lotShort = "prep.lotShort"
  public static let lotState = "prep.lotState"
  public static let tagPlateTaken = "prep.tagPlateTaken"
  public static let tagsSpent = "prep.tagsSpent"
  public static let bedWrong = "prep.bedWrong"
  public static let prepPlateState = "prep.plateState"
  public static let libraryTaken = "prep.libraryTaken"
  public static let libraryState = "prep.libraryState"
  public static let indexClash = "pooling.indexClash"
  public static let libraryLocked = "pooling.locked"
  public static let libraryNotDiluted = "pooling.notDiluted"
  public static let libraryNotLocked = "pooling.notLocked"
  public static let libraryShort = "pooling.volumeShort"
  public static let libraryTooThin = "pooling.tooThin"
  public static let poolState = "pooling.wrongState"

  // Codes of manifest files.
  public static let manifestColumns = "manifest.columns"
  public static let manifestSyntax = "manifest.syntax"
}
