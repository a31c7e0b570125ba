public import Values

/// The hash that chains the events of a shard.
/// If an event was changed, removed, added or moved, the links no longer fit. This is also true when the hashes of the
/// event's stream were computed again.
///
/// `chain = SHA-256(previous chain ‖ shard ‖ position ‖ event hash)`. The previous chain of the first event is 32 zero
/// bytes. Every other field is preceded by its length in 4 bytes. The numbers (shard and position) are 8 bytes. The
/// event hash is the event's `EventHash`. All numbers are big-endian. This is part of the stored format: it never
/// changes.
public enum EventChain {
  /// The previous chain of the first link.
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

/// The end of a shard, on which its next event builds.
package struct ShardHead: Sendable, Hashable {
  /// The position of the last event; 0 when the shard has no event.
  package var position: Int64
  /// The chain of the last event, or `start` when no event carries a chain yet.
  package var chain: [UInt8]

  package static let none = ShardHead(position: 0, chain: EventChain.start)

  package init(position: Int64, chain: [UInt8]?) {
    self.position = position
    self.chain = chain ?? EventChain.start
  }

  /// Moves the head forward by one event and computes the event's chain.
  package mutating func add(hash: [UInt8], shard: Int) {
    position += 1
    chain = EventChain.next(after: chain, shard: shard, position: position, hash: hash)
  }
}

/// The fixed facts of a store with which a check of its chains begins.
public struct ChainOrigins: Sendable, Hashable {
  /// The id of the store. No other store has it.
  public let store: UniqueID
  /// The last position of each shard that was stored before chains existed; 0 when every event has a chain. The store
  /// recorded it once, during the migration to the schema with chains.
  private let unchained: [Int: Int64]

  public init(store: UniqueID, unchained: [Int: Int64] = [:]) {
    self.store = store
    self.unchained = unchained
  }

  /// Returns the last position of a shard whose event carries no chain. The next position is the first link.
  public func unchained(shard: Int) -> Int64 { unchained[shard] ?? 0 }
}
