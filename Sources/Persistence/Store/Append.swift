public import Values

/// What is to be written to one stream, all or nothing.
public struct Append: Sendable, Hashable {
  /// The stream: a version 7 id, since its moment says which partition the stream lives in.
  public var stream: UniqueID
  /// The stream's last version as the writer knows it; 0 when the stream must not exist.
  public var expectedVersion: Int
  /// At least one event.
  public var events: [NewEvent]
  /// Names this append. Appending again with the same one is harmless, however the first try ended.
  public var appendID: UniqueID
  /// A key that at most one stream ever starts with. The stream must live in the key's shard:
  /// see `EventStore.newStream(scope:key:in:)`.
  public var startKey: NewStartKey?
  /// Values that no other stream may hold at the same time.
  public var claims: [NewClaim]
  /// Values of this stream that are free again. They are let go before `claims` are taken.
  public var releases: [ClaimName]
  /// Whether the stream is open from here on; nil leaves it as it is.
  public var open: OpenChange?

  public init(
    stream: UniqueID, expectedVersion: Int, events: [NewEvent], appendID: UniqueID, startKey: NewStartKey? = nil,
    claims: [NewClaim] = [], releases: [ClaimName] = [], open: OpenChange? = nil
  ) {
    self.stream = stream
    self.expectedVersion = expectedVersion
    self.events = events
    self.appendID = appendID
    self.startKey = startKey
    self.claims = claims
    self.releases = releases
    self.open = open
  }

  /// The version of the stream once this is committed.
  public var lastVersion: Int { expectedVersion + events.count }
}

/// An event before it is stored. The bytes come back exactly as they were given.
public struct NewEvent: Sendable, Hashable {
  /// What happened, by the name that the reader of the stream knows it by.
  public var type: String
  /// JSON.
  public var data: [UInt8]
  /// JSON about the event rather than of it (who, trace, cause).
  public var meta: [UInt8]

  public init(type: String, data: [UInt8], meta: [UInt8] = Array("{}".utf8)) {
    self.type = type
    self.data = data
    self.meta = meta
  }
}

/// A start key to claim.
public struct NewStartKey: Sendable, Hashable {
  /// What the key is unique in: a workflow's name.
  public var scope: String
  public var key: String
  /// Of what the stream is started with, so that the same key with other input can be told apart.
  public var digest: [UInt8]

  public init(scope: String, key: String, digest: [UInt8]) {
    self.scope = scope
    self.key = key
    self.digest = digest
  }
}

/// A start key and the stream that started with it.
public struct StartKey: Sendable, Hashable {
  public let scope: String
  public let key: String
  public let stream: UniqueID
  public let digest: [UInt8]

  public init(scope: String, key: String, stream: UniqueID, digest: [UInt8]) {
    self.scope = scope
    self.key = key
    self.stream = stream
    self.digest = digest
  }
}

/// What a claim is on: a barcode, a position, a lane.
public struct ClaimName: Sendable, Hashable {
  public var scope: String
  public var value: String

  public init(scope: String, value: String) {
    self.scope = scope
    self.value = value
  }
}

/// A value to claim.
public struct NewClaim: Sendable, Hashable {
  public var scope: String
  public var value: String
  /// Whatever the holder wants others to read.
  public var data: [UInt8]?

  public init(scope: String, value: String, data: [UInt8]? = nil) {
    self.scope = scope
    self.value = value
    self.data = data
  }

  public var name: ClaimName { ClaimName(scope: scope, value: value) }
}

/// A claimed value and the stream that holds it.
public struct Claim: Sendable, Hashable {
  public let scope: String
  public let value: String
  public let stream: UniqueID
  public let data: [UInt8]?

  public init(scope: String, value: String, stream: UniqueID, data: [UInt8]?) {
    self.scope = scope
    self.value = value
    self.stream = stream
    self.data = data
  }
}

/// How an append changes the list of open streams, from which a restarted process takes up its work.
public enum OpenChange: Sendable, Hashable {
  /// There is work to do.
  case opened
  /// Nothing is to be done before something comes in, or before this moment.
  case sleeping(until: Timestamp?)
  /// There is work to do again.
  case awake
  /// The stream has ended: it leaves the list.
  case closed
}

/// A committed append.
public struct Appended: Sendable, Hashable {
  /// The version of its last event.
  public let version: Int
  /// The position of its last event in the stream's shard.
  public let position: Int64
  /// It had been committed before: nothing was written now.
  public let repeated: Bool

  public init(version: Int, position: Int64, repeated: Bool) {
    self.version = version
    self.position = position
    self.repeated = repeated
  }
}
