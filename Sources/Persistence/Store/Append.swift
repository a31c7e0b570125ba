public import Values

/// Events to write to one stream. The store writes all of them or none.
public struct Append: Sendable, Hashable {
  /// The stream: a version 7 id. The id's timestamp decides the partition of the stream.
  public var stream: UniqueID
  /// The last version of the stream that the writer knows; 0 when the stream must not exist.
  public var expectedVersion: Int
  /// The events to append; at least one.
  public var events: [NewEvent]
  /// The id of this append. It is safe to append again with the same id, however the first try ended.
  public var appendID: UniqueID
  /// A key with which at most one stream ever starts. The stream must live in the key's shard:
  /// see `EventStore.newStream(scope:key:in:)`.
  public var startKey: NewStartKey?
  /// Values that no other stream may own at the same time.
  public var claims: [NewClaim]
  /// Values that this stream gives up. The store releases them before it takes `claims`.
  public var releases: [ClaimName]
  /// Whether the stream is open after this append; nil changes nothing.
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

  /// The version of the stream after this append is committed.
  public var lastVersion: Int { expectedVersion + events.count }
}

/// An event before it is stored. The store returns the bytes exactly as they were given.
public struct NewEvent: Sendable, Hashable {
  /// The name of the event's type, which the reader of the stream knows.
  public var type: String
  /// JSON.
  public var data: [UInt8]
  /// JSON about the event, apart from its data (user, trace, cause).
  public var meta: [UInt8]

  public init(type: String, data: [UInt8], meta: [UInt8] = Array("{}".utf8)) {
    self.type = type
    self.data = data
    self.meta = meta
  }
}

/// A start key that an append claims.
public struct NewStartKey: Sendable, Hashable {
  /// The scope in which the key is unique: a workflow's name.
  public var scope: String
  public var key: String
  /// The digest of the stream's input. It shows whether the same key came with other input.
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

/// The name of a claim: a scope, such as barcodes or positions, and a value in it.
public struct ClaimName: Sendable, Hashable {
  public var scope: String
  public var value: String

  public init(scope: String, value: String) {
    self.scope = scope
    self.value = value
  }
}

/// A value that an append claims.
public struct NewClaim: Sendable, Hashable {
  public var scope: String
  public var value: String
  /// Data of the owner for other readers.
  public var data: [UInt8]?

  public init(scope: String, value: String, data: [UInt8]? = nil) {
    self.scope = scope
    self.value = value
    self.data = data
  }

  public var name: ClaimName { ClaimName(scope: scope, value: value) }
}

/// A claimed value and the stream that owns it.
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

/// How an append changes the list of open streams. A process that restarts continues its work from this list.
public enum OpenChange: Sendable, Hashable {
  /// The stream is new in the list and has work to do.
  case opened
  /// The stream has no work until an event arrives, or until this time.
  case sleeping(until: Timestamp?)
  /// The stream has work to do again.
  case awake
  /// The stream has ended and leaves the list.
  case closed
}

/// A committed append.
public struct Appended: Sendable, Hashable {
  /// The version of its last event.
  public let version: Int
  /// The position of its last event in the stream's shard.
  public let position: Int64
  /// True when the append was committed before. Then nothing was written now.
  public let repeated: Bool

  public init(version: Int, position: Int64, repeated: Bool) {
    self.version = version
    self.position = position
    self.repeated = repeated
  }
}
