public import Values

/// An event as it is kept.
public struct StoredEvent: Sendable, Hashable {
  public let stream: UniqueID
  /// Its number in the stream, from 1.
  public let version: Int
  public let shard: Int
  /// Its number in the shard, from 1.
  public let position: Int64
  public let type: String
  /// JSON, byte for byte as it was appended.
  public let data: [UInt8]
  /// JSON, byte for byte as it was appended.
  public let meta: [UInt8]
  /// The append it came with.
  public let appendID: UniqueID
  /// 32 bytes that depend on this event and on every earlier one of the stream: see `EventHash`.
  public let hash: [UInt8]
  /// 32 bytes that depend on this event and on every earlier one of the shard: see `EventChain`. Nil for an event that
  /// was stored before there were chains.
  public let chain: [UInt8]?
  /// When the writer took it in.
  public let recordedAt: Timestamp

  public init(
    stream: UniqueID, version: Int, shard: Int, position: Int64, type: String, data: [UInt8], meta: [UInt8],
    appendID: UniqueID, hash: [UInt8], chain: [UInt8]?, recordedAt: Timestamp
  ) {
    self.stream = stream
    self.version = version
    self.shard = shard
    self.position = position
    self.type = type
    self.data = data
    self.meta = meta
    self.appendID = appendID
    self.hash = hash
    self.chain = chain
    self.recordedAt = recordedAt
  }
}

/// The state of a stream at one of its versions, so that it needn't be folded from the first event.
public struct Snapshot: Sendable, Hashable {
  public let stream: UniqueID
  /// The last event that is in it.
  public let version: Int
  public let data: [UInt8]

  public init(stream: UniqueID, version: Int, data: [UInt8]) {
    self.stream = stream
    self.version = version
    self.data = data
  }
}

/// A stream that hasn't been closed.
public struct OpenStream: Sendable, Hashable {
  public let stream: UniqueID
  public let shard: Int
  /// Nothing is to be done for it until something comes in, or until `wakeAt`.
  public let asleep: Bool
  public let wakeAt: Timestamp?

  public init(stream: UniqueID, shard: Int, asleep: Bool, wakeAt: Timestamp?) {
    self.stream = stream
    self.shard = shard
    self.asleep = asleep
    self.wakeAt = wakeAt
  }
}

/// A definition that never changes once it is stored.
public struct StoredDefinition: Sendable, Hashable {
  public let name: String
  public let version: Int
  /// Decides whether two definitions are the same.
  public let digest: [UInt8]
  /// The definition itself, byte for byte as it was given.
  public let data: [UInt8]
  public let registeredBy: String
  public let registeredAt: Timestamp

  public init(
    name: String, version: Int, digest: [UInt8], data: [UInt8], registeredBy: String, registeredAt: Timestamp
  ) {
    self.name = name
    self.version = version
    self.digest = digest
    self.data = data
    self.registeredBy = registeredBy
    self.registeredAt = registeredAt
  }
}

/// What became of a definition that was put.
public enum DefinitionPut: Sendable, Hashable {
  case new
  /// It was there already.
  case same
}
