public import Values

/// An event as the store keeps it.
public struct StoredEvent: Sendable, Hashable {
  public let stream: UniqueID
  /// The event's number in its stream, from 1.
  public let version: Int
  public let shard: Int
  /// The event's number in its shard, from 1.
  public let position: Int64
  public let type: String
  /// JSON, byte for byte as it was appended.
  public let data: [UInt8]
  /// JSON, byte for byte as it was appended.
  public let meta: [UInt8]
  /// The id of the append that wrote the event.
  public let appendID: UniqueID
  /// 32 bytes that depend on this event and on all earlier events of the stream: see `EventHash`.
  public let hash: [UInt8]
  /// 32 bytes that depend on this event and on all earlier events of the shard: see `EventChain`. Nil for an event that
  /// was stored before chains existed.
  public let chain: [UInt8]?
  /// The time at which the writer accepted the event.
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

/// The state of a stream at one version. With it, a reader does not fold from the first event.
public struct Snapshot: Sendable, Hashable {
  public let stream: UniqueID
  /// The version of the last event that the state includes.
  public let version: Int
  public let data: [UInt8]

  public init(stream: UniqueID, version: Int, data: [UInt8]) {
    self.stream = stream
    self.version = version
    self.data = data
  }
}

/// A stream that is not closed.
public struct OpenStream: Sendable, Hashable {
  public let stream: UniqueID
  public let shard: Int
  /// True when the stream has no work until an event arrives, or until `wakeAt`.
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
  /// The digest that decides whether two definitions are the same.
  public let digest: [UInt8]
  /// The bytes of the definition, exactly as they were given.
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

/// The result of storing a definition.
public enum DefinitionPut: Sendable, Hashable {
  case new
  /// The same definition was already stored.
  case same
}
