public import Values

/// What a walk along the chains of a store found.
public struct AuditReport: Sendable, Hashable {
  /// The store that was walked.
  public let store: UniqueID
  public let shards: [ShardReport]
  /// When the signed head was made that the store was compared with; nil without one.
  public let comparedWith: Timestamp?

  /// Of each shard that isn't as it was written, the first link that doesn't hold.
  public var broken: [BrokenLink] { shards.compactMap(\.broken) }
  public var isIntact: Bool { broken.isEmpty }
  /// How many events were walked.
  public var events: Int64 { shards.reduce(0) { $0 + $1.events } }
  /// How many of them were stored before there were chains: only their streams' hashes vouch for them.
  public var unchained: Int64 { shards.reduce(0) { $0 + min($1.events, $1.unchained) } }
}

/// What a walk along one shard's chain found.
public struct ShardReport: Sendable, Hashable {
  public let shard: Int
  /// How many events hold, from the first on.
  public let events: Int64
  /// The chain up to there.
  public let chain: [UInt8]
  /// The last position that was stored before there were chains.
  public let unchained: Int64
  public let broken: BrokenLink?
}

/// The first link of a chain that doesn't hold.
public struct BrokenLink: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// Payload, meta, type or time of the event aren't what was stored.
    case contentChanged
    /// The event's own hash was changed; its content is as the chain has it.
    case hashChanged
    /// The event's link of the chain was changed, or taken away.
    case chainChanged
    /// An event that was stored isn't there.
    case missing
    /// Events don't stand in the order in which they were stored.
    case reordered
    /// An event that was never stored by the owner of the shard.
    case added
    /// A signed head tells of later events than there are.
    case truncated
    /// The chain holds, but it isn't the one that a signed head tells of: all of it was made anew.
    case rewritten
  }

  public let kind: Kind
  public let shard: Int
  /// Where in the shard.
  public let position: Int64
  /// The event's stream and its version there, as far as what is left tells.
  public let stream: UniqueID?
  public let version: Int?
  /// One sentence for a person.
  public let why: String
}
