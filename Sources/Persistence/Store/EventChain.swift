public import Values

/// The hash that chains a shard's events: where one was changed, removed, added or moved, the links no longer fit, even
/// when somebody has hashed the event's stream anew.
///
/// `chain = SHA-256(previous chain ‖ shard ‖ position ‖ event hash)`, where the previous chain of the first event is 32
/// zero bytes, every other field is preceded by its length in 4 bytes, the numbers (shard and position) are 8 bytes, and
/// the event hash is the event's `EventHash`; all big-endian. This is part of the stored format: it never changes.
public enum EventChain {
  /// What stands before the first link.
  public static let start = [UInt8](repeating: 0, count: 32)

  public static func next(after previous: [UInt8], shard: Int, position: Int64, hash: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(previous.count + 28 + hash.count)
    bytes.append(contentsOf: previous)
    bytes.appendLength(8)
    bytes.appendWord(UInt64(bitPattern: Int64(shard)))
    bytes.appendLength(8)
    bytes.appendWord(UInt64(bitPattern: position))
    bytes.appendField(hash)
    return Digest.sha256(bytes)
  }
}

/// Where a shard ends: what its next event builds on.
package struct ShardHead: Sendable, Hashable {
  /// Of the last event; 0 when there is none.
  package var position: Int64
  /// The last event's chain, or the start where none carries one yet.
  package var chain: [UInt8]

  package static let none = ShardHead(position: 0, chain: EventChain.start)

  package init(position: Int64, chain: [UInt8]?) {
    self.position = position
    self.chain = chain ?? EventChain.start
  }

  /// Moves on by one event, which gets this chain.
  package mutating func add(hash: [UInt8], shard: Int) {
    position += 1
    chain = EventChain.next(after: chain, shard: shard, position: position, hash: hash)
  }
}

/// What is fixed of a store, by which a look at its chains begins.
public struct ChainOrigins: Sendable, Hashable {
  /// Names the store, and no other.
  public let store: UniqueID
  /// By shard, the last position that was stored before there were chains; 0 where every event has one. It was noted
  /// once, when the store was brought to the schema that has chains.
  private let unchained: [Int: Int64]

  public init(store: UniqueID, unchained: [Int: Int64] = [:]) {
    self.store = store
    self.unchained = unchained
  }

  /// The last position of a shard whose event carries no chain; the one behind it is the first link.
  public func unchained(shard: Int) -> Int64 { unchained[shard] ?? 0 }
}
