public import Values

/// The result of a check of a store's chains.
public struct AuditReport: Sendable, Hashable {
  /// The id of the checked store.
  public let store: UniqueID
  public let shards: [ShardReport]
  /// The time at which the compared signed head was made; nil without a head.
  public let comparedWith: Timestamp?

  /// The first broken link of each shard that was changed.
  public var broken: [BrokenLink] { shards.compactMap(\.broken) }
  public var isIntact: Bool { broken.isEmpty }
  /// The number of checked events.
  public var events: Int64 { shards.reduce(0) { $0 + $1.events } }
  /// The number of them that were stored before chains existed. Only the hashes of their streams protect them.
  public var unchained: Int64 { shards.reduce(0) { $0 + min($1.events, $1.unchained) } }
}

/// The result of the check of one shard's chain.
public struct ShardReport: Sendable, Hashable {
  public let shard: Int
  /// The number of intact events, from the first on.
  public let events: Int64
  /// The chain up to the last intact event.
  public let chain: [UInt8]
  /// The last position that was stored before chains existed.
  public let unchained: Int64
  public let broken: BrokenLink?
}

/// The first broken link of a chain.
public struct BrokenLink: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// The data, meta, type or time of the event is not what was stored.
    case contentChanged
    /// The event's own hash was changed. Its content matches the chain.
    case hashChanged
    /// The event's link of the chain was changed or removed.
    case chainChanged
    /// A stored event is missing.
    case missing
    /// Events are not in the order in which they were stored.
    case reordered
    /// The event was never stored by the owner of the shard.
    case added
    /// A signed head names later events than the store has.
    case truncated
    /// The chain is consistent, but it is not the chain of the signed head. The whole chain was computed again.
    case rewritten
  }

  public let kind: Kind
  public let shard: Int
  /// The position in the shard.
  public let position: Int64
  /// The event's stream and its version, when the remaining data shows them.
  public let stream: UniqueID?
  public let version: Int?
  /// One sentence for a person.
  public let why: String
}
