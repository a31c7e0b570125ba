public import Values

/// The reason why a store refused a request or failed.
public struct StoreError: CodedError, Hashable {
  public enum Kind: Sendable, Hashable {
    /// The stream has another version than the append expected. Nothing was written.
    case versionConflict(actual: Int)
    /// A stream already started with the same key. Nothing was written.
    case startKeyTaken(StartKey)
    /// A stream already owns a claimed value; it may be this stream. Nothing was written.
    case claimTaken(Claim)
    /// Another definition with the same name and version, but another digest, is stored.
    case definitionConflict
    /// The follower's checkpoint is not at the start of the batch. Nothing was written.
    case checkpointConflict(actual: Int64)
    /// This process does not own the shard. Nothing was written.
    case notOwner
    /// The store is unreachable or cannot write. Nothing was written, and nothing will be.
    case unavailable
    /// The write was sent, but no answer arrived. It may have been committed: append again with the same `appendID`.
    case outcomeUnknown
    /// The request is invalid for every state of the store. Nothing was written.
    case invalid
    /// The store is closed.
    case closed
    /// The stored data contradicts itself.
    case corrupt
    /// Another process has the store's file open.
    case locked
    /// The file or database contains something other than a store.
    case foreign
    /// A newer version of this program wrote the store.
    case newerVersion
    /// An older version of this program wrote the store, and the store was opened only for reading.
    case olderVersion
  }

  public let kind: Kind
  public let message: String
  /// The error text of the library below, for the log; not for clients.
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

// The texts are the same for every kind of store.
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

  /// Returns the error for a store that another process has taken over from this one.
  package static func takenOver(_ name: String) -> StoreError {
    StoreError(.notOwner, "another process has taken over the store \(name)")
  }

  /// Returns the error for a row that the database refused by a rule of its schema, not by a check of the store.
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
