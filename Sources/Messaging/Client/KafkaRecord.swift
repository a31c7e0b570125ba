public import Values

/// A message to send.
public struct KafkaRecord: Sendable, Hashable {
  public var topic: String
  /// The partition; with nil the key decides.
  public var partition: Int?
  /// The key. Messages with the same key stay in order.
  public var key: [UInt8]?
  public var value: [UInt8]?
  public var headers: [KafkaHeader]

  public init(
    topic: String, partition: Int? = nil, key: [UInt8]? = nil, value: [UInt8]?, headers: [KafkaHeader] = []
  ) {
    self.topic = topic
    self.partition = partition
    self.key = key
    self.value = value
    self.headers = headers
  }
}

/// A header of a message. A name may come more than once.
public struct KafkaHeader: Sendable, Hashable {
  public let name: String
  public let value: [UInt8]

  public init(_ name: String, _ value: [UInt8]) {
    self.name = name
    self.value = value
  }

  public init(_ name: String, _ value: String) { self.init(name, Array(value.utf8)) }

  public var text: String { String(decoding: value, as: UTF8.self) }
}

/// A message that was read from a topic.
public struct KafkaMessage: Sendable, Hashable {
  public let topic: String
  public let partition: Int
  public let offset: Int64
  public let key: [UInt8]?
  public let value: [UInt8]?
  public let headers: [KafkaHeader]
  /// The time that the producer or the broker gave the message.
  public let timestamp: Timestamp?

  public init(
    topic: String, partition: Int, offset: Int64, key: [UInt8]? = nil, value: [UInt8]?, headers: [KafkaHeader] = [],
    timestamp: Timestamp? = nil
  ) {
    self.topic = topic
    self.partition = partition
    self.offset = offset
    self.key = key
    self.value = value
    self.headers = headers
    self.timestamp = timestamp
  }

  /// Returns the text of the last header with this name.
  public func header(_ name: String) -> String? { headers.last { $0.name == name }?.text }

  /// `topic/partition/offset`. It is the same each time the message is delivered.
  public var place: String { "\(topic)/\(partition)/\(offset)" }
}

/// The place of a message in its topic after it was sent.
public struct Delivery: Sendable, Hashable {
  public let topic: String
  public let partition: Int
  public let offset: Int64
}
