public import JSON
public import Values
import Workflows

/// One partition of a topic that a stream reads.
public struct StreamPartition: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let topic: String
  public let number: Int

  public init(topic: String, number: Int) {
    self.topic = topic
    self.number = number
  }

  public static func < (left: StreamPartition, right: StreamPartition) -> Bool {
    (left.topic, left.number) < (right.topic, right.number)
  }

  public var description: String { "\(topic)/\(number)" }
}

/// A message as a stream reads it: the document for expressions, and its origin.
public struct StreamEvent: Sendable, Hashable {
  public let partition: StreamPartition
  public let offset: Int64
  /// The identity of the event. A repeat has the same identity, whatever its partition and offset.
  public let identity: String
  /// The key of the message, if it is text.
  public let key: String?
  /// The event's own time; nil when it has none.
  public let time: Timestamp?
  /// Its place in the store that published it; nil when the event does not say.
  public let place: StorePlace?
  /// The attributes of the CloudEvent, its `data`, and `kafka`.
  public let document: JSON

  /// The place of an event in an event store. A repeat has the same place.
  public struct StorePlace: Sendable, Hashable {
    public let source: String
    public let shard: Int
    public let position: Int64

    public init(source: String, shard: Int, position: Int64) {
      self.source = source
      self.shard = shard
      self.position = position
    }
  }

  public init(
    partition: StreamPartition, offset: Int64, identity: String, key: String?, time: Timestamp?, place: StorePlace?,
    document: JSON
  ) {
    self.partition = partition
    self.offset = offset
    self.identity = identity
    self.key = key
    self.time = time
    self.place = place
    self.document = document
  }
}

/// The reason why a stream can't use an event. The event becomes a dead letter with this reason, and the stream continues
/// with the next event.
public struct StreamRefusal: CodedError, Hashable {
  public let code: String
  public let message: String

  public init(_ code: String, _ message: String) {
    self.code = code
    self.message = message
  }
}

/// One input of a stream: a topic, the condition for its events, and the expressions for key and time.
public struct StreamInput: Sendable, Hashable {
  public let topic: String
  /// The condition; nil takes every event.
  public let when: JSONPathCondition?
  /// Finds the key; nil gives all events the empty text as their key.
  public let key: JSONPath?
  /// Finds the time; nil takes the CloudEvent's own time.
  public let time: JSONPath?

  public init(topic: String, when: JSONPathCondition? = nil, key: JSONPath? = nil, time: JSONPath? = nil) {
    self.topic = topic
    self.when = when
    self.key = key
    self.time = time
  }

  /// Returns whether the event is of this topic and meets the condition.
  /// - Throws: `expression.budget` when the condition takes more work than is allowed.
  func wants(_ event: StreamEvent) throws(StreamRefusal) -> Bool {
    guard topic == event.partition.topic else { return false }
    guard let when else { return true }
    do {
      return try when.holds(in: event.document)
    } catch {
      throw StreamRefusal(error.code, "“when” can't be evaluated for the event: \(error.message).")
    }
  }

  /// Returns the values that a query finds, at most two.
  private func found(by query: JSONPath, in event: StreamEvent) throws(StreamRefusal) -> [JSON] {
    do {
      return try query.values(in: event.document, atMost: 2)
    } catch {
      throw StreamRefusal(error.code, "\(query.text) can't be evaluated for the event: \(error.message).")
    }
  }

  /// - Returns: the event's time; nil when it has no readable time.
  /// - Throws: `expression.budget` when the query takes more work than is allowed.
  func time(of event: StreamEvent) throws(StreamRefusal) -> Timestamp? {
    guard let time else { return event.time }
    let found = try found(by: time, in: event)
    guard found.count == 1 else { return nil }
    if let text = found[0].stringValue { return Timestamp(text) }
    // A number is milliseconds since 1970, as Kafka itself counts; only of years that can be written.
    guard let milliseconds = found[0].intValue, Self.writable.contains(Int64(milliseconds)) else { return nil }
    return Timestamp(milliseconds: Int64(milliseconds))
  }

  private static let writable: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999

  /// - Throws: `stream.noTime`.
  func requiredTime(of event: StreamEvent) throws(StreamRefusal) -> Timestamp {
    if let found = try time(of: event) { return found }
    guard let time else {
      throw StreamRefusal(StreamingErrorCode.streamNoTime, "The event has no time of its own: no CloudEvent's “time”.")
    }
    throw StreamRefusal(
      StreamingErrorCode.streamNoTime,
      "\(time.text) finds no time in the event. It must find one RFC 3339 date-time, or one number of milliseconds since "
        + "1970.")
  }

  /// - Throws: `stream.noKey`.
  func key(of event: StreamEvent) throws(StreamRefusal) -> String {
    guard let key else { return "" }
    let found = try found(by: key, in: event)
    guard found.count == 1 else {
      throw StreamRefusal(
        StreamingErrorCode.streamNoKey,
        "\(key.text) finds \(found.isEmpty ? "nothing" : "several values"), not one key.")
    }
    let text: String
    switch found[0] {
    case .string(let value): text = value
    case .number(let value): text = value.text
    case .bool(let value): text = value ? "true" : "false"
    case .null, .array, .object:
      throw StreamRefusal(
        StreamingErrorCode.streamNoKey, "\(key.text) finds a value of the kind \(found[0].kind), which can't be a key.")
    }
    // A store can't store U+0000, and such a long key is probably another text by mistake.
    guard !text.utf8.contains(0), text.utf8.count <= Self.longestKey else {
      throw StreamRefusal(
        StreamingErrorCode.streamNoKey,
        "\(key.text) finds a text that can't be a key: it has U+0000 or more than \(Self.longestKey) bytes.")
    }
    return text
  }

  private static let longestKey = 1_024
}
