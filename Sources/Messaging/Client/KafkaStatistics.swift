import JSON

/// A client's statistics (librdkafka's STATISTICS.md).
public struct KafkaStatistics: Sendable, Hashable {
  /// The number of messages that wait to be sent or are on their way; `queuedBytes` is their size.
  public let queuedMessages: Int
  public let queuedBytes: Int
  /// Counted since the client was made, as the next three.
  public let messagesSent: Int
  public let bytesSent: Int
  public let messagesReceived: Int
  public let bytesReceived: Int
  public let brokersUp: Int
  public let brokersKnown: Int
  /// The number of brokers to which the client wants a connection and has none.
  public let brokersLost: Int
  /// The 99th percentile of a request's round trip, at the slowest broker.
  public let roundTrip: Duration

  /// - Parameter text: librdkafka's statistics as JSON.
  /// - Returns: nil when the text is something else.
  public init?(_ text: String) {
    guard let json = try? JSON(parsing: Array(text.utf8)), let queued = json["msg_cnt"]?.intValue else { return nil }
    queuedMessages = queued
    queuedBytes = json["msg_size"]?.intValue ?? 0
    messagesSent = json["txmsgs"]?.intValue ?? 0
    bytesSent = json["txmsg_bytes"]?.intValue ?? 0
    messagesReceived = json["rxmsgs"]?.intValue ?? 0
    bytesReceived = json["rxmsg_bytes"]?.intValue ?? 0
    let brokers = (json["brokers"]?.objectValue?.map(\.value) ?? []).filter { ($0["nodeid"]?.intValue ?? -1) >= 0 }
    brokersKnown = brokers.count
    brokersUp = brokers.filter { $0["state"]?.stringValue == "UP" }.count
    // A broker that the client does not need is in none of these states.
    brokersLost = brokers.filter { ["DOWN", "TRY_CONNECT", "CONNECT"].contains($0["state"]?.stringValue) }.count
    roundTrip = .microseconds(brokers.compactMap { $0["rtt"]?["p99"]?.intValue }.max() ?? 0)
  }
}
