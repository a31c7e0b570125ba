import Runtime
public import Values

/// Why a store refused or failed.
public struct StoreError: CodedError, Hashable {
  public enum Kind: Sendable, Hashable {
    /// The stream is at another version than the append expected. Nothing was written.
    case versionConflict(actual: Int)
    /// A stream has started with the same key before. Nothing was written.
    case startKeyTaken(StartKey)
    /// Another stream, or this one already, holds a value. Nothing was written.
    case claimTaken(Claim)
    /// The name and version are taken by a definition with another digest.
    case definitionConflict
    /// The follower's checkpoint isn't where the batch begins. Nothing was written.
    case checkpointConflict(actual: Int64)
    /// This process doesn't own the shard. Nothing was written.
    case notOwner
    /// The store can't be reached or can't write. Nothing was written, and nothing will be.
    case unavailable
    /// The write was sent, and no answer came. It may have been committed: append again with the same `appendID`.
    case outcomeUnknown
    /// The request makes no sense, whatever the store holds. Nothing was written.
    case invalid
    /// The store has been closed.
    case closed
    /// What is stored contradicts itself.
    case corrupt
    /// Another process has the store's file open.
    case locked
    /// The file or database holds something else.
    case foreign
    /// The store was written by a newer version of this program.
    case newerVersion
    /// The store was written by an older version of this program, and was opened only to be read.
    case olderVersion
  }

  public let kind: Kind
  public let message: String
  /// What the library below said, for the log; not for clients.
  public let detail: String?

  public init(_ kind: Kind, _ message: String, detail: String? = nil) {
    self.kind = kind
    self.message = message
    self.detail = detail
  }

  public var code: String {
    switch kind {
    case .versionConflict: StoreErrorCode.versionConflict
    case .startKeyTaken: StoreErrorCode.startKeyTaken
    case .claimTaken: StoreErrorCode.claimTaken
    case .definitionConflict: StoreErrorCode.definitionConflict
    case .checkpointConflict: StoreErrorCode.checkpointConflict
    case .notOwner: StoreErrorCode.notOwner
    case .unavailable: StoreErrorCode.unavailable
    case .outcomeUnknown: StoreErrorCode.outcomeUnknown
    case .invalid: StoreErrorCode.invalid
    case .closed: StoreErrorCode.closed
    case .corrupt: StoreErrorCode.corrupt
    case .locked: StoreErrorCode.locked
    case .foreign: StoreErrorCode.foreign
    case .newerVersion: StoreErrorCode.newerVersion
    case .olderVersion: StoreErrorCode.olderVersion
    }
  }

  public var description: String {
    "\(message) [\(code)]" + (detail.map { ": \($0)" } ?? "")
  }
}

// The wording is the same whichever store it comes from.
extension StoreError {
  public static func versionConflict(_ append: Append, actual: Int) -> StoreError {
    StoreError(
      .versionConflict(actual: actual),
      "stream \(append.stream) is at version \(actual), not at \(append.expectedVersion)")
  }

  public static func startKeyTaken(_ existing: StartKey) -> StoreError {
    StoreError(
      .startKeyTaken(existing), "the key \"\(existing.key)\" of \(existing.scope) started \(existing.stream) before")
  }

  public static func claimTaken(_ existing: Claim) -> StoreError {
    StoreError(.claimTaken(existing), "\(existing.scope) \"\(existing.value)\" is held by \(existing.stream)")
  }

  public static func definitionConflict(_ definition: StoredDefinition) -> StoreError {
    StoreError(
      .definitionConflict,
      "version \(definition.version) of \(definition.name) is there already with other content; give it a new version")
  }

  public static func checkpointConflict(_ batch: ProjectionBatch, actual: Int64) -> StoreError {
    StoreError(
      .checkpointConflict(actual: actual),
      "\(batch.follower) is at \(actual) in shard \(batch.shard), not at \(batch.from)")
  }

  public static func checkpointConflict(_ follower: String, _ move: CheckpointMove, actual: Int64) -> StoreError {
    StoreError(
      .checkpointConflict(actual: actual), "\(follower) is at \(actual) in shard \(move.shard), not at \(move.from)")
  }

  public static func notOwner(shard: Int) -> StoreError {
    StoreError(.notOwner, "this process doesn't own shard \(shard)")
  }

  /// Another process has taken a store over that this one owned.
  package static func takenOver(_ name: String) -> StoreError {
    StoreError(.notOwner, "another process has taken over the store \(name)")
  }

  /// The database refused a row by a rule of its schema, and not because of what the store knows.
  package static func refusedByRule(_ detail: String) -> StoreError {
    .corrupt("the database refused an event by a rule that should hold", detail: detail)
  }

  public static func invalid(_ message: String) -> StoreError { StoreError(.invalid, message) }

  public static func corrupt(_ message: String, detail: String? = nil) -> StoreError {
    StoreError(.corrupt, message, detail: detail)
  }

  public static func unavailable(_ detail: String) -> StoreError {
    StoreError(.unavailable, "the store can't be reached or can't write", detail: detail)
  }

  public static func outcomeUnknown(_ detail: String) -> StoreError {
    StoreError(
      .outcomeUnknown, "the store was asked to write and didn't answer; it may have been written", detail: detail)
  }

  public static let closed = StoreError(.closed, "the store has been closed")
}
