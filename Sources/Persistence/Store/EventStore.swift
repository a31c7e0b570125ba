/// A whole store: streams of events, each numbered from 1, and the data that must commit in the same transaction (start
/// keys, claims, the list of open streams). It also stores snapshots, definitions and read models. A caller that needs
/// only one part uses that part's protocol.
///
/// Rules that every store keeps. The conformance suite in `Tests/Persistence` tests them on each store:
/// - The store writes all parts of an append or none.
/// - The versions of a stream have no gaps and begin at 1. The positions of a shard have no gaps, begin at 1 and commit
///   in order. So a reader of the tail never misses an event that committed late.
/// - Appending again with the same `appendID` changes nothing and gives the first answer, also after a restart.
/// - The result of a function that has returned is durable (except in memory).
///
/// Texts are compared byte by byte in UTF-8, never by canonical equivalence, and must not contain U+0000.
public protocol EventStore: EventLog, KeysAndClaims, SnapshotStore, DefinitionStore, DocumentStore, ShardOwnership {
  /// Returns the size of the store, and the space that is left for it.
  func size() async throws(StoreError) -> StoreSize
}

extension EventStore {
  /// Returns an unknown size, for a store that keeps nothing outside memory.
  public func size() async throws(StoreError) -> StoreSize { StoreSize() }
}

/// The space that a store takes, and what is left for it.
public struct StoreSize: Sendable, Hashable {
  /// The bytes of the store on its disk; nil when the store has none, or when they are unknown.
  public var bytes: Int64?
  /// The bytes that are free on the store's disk; nil when this process can't see that disk.
  public var freeBytes: Int64?

  public init(bytes: Int64? = nil, freeBytes: Int64? = nil) {
    self.bytes = bytes
    self.freeBytes = freeBytes
  }
}
