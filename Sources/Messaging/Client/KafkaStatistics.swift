import JSON

/// What a client measures of itself (librdkafka's STATISTICS.md).
public struct KafkaStatistics: Sendable, Hashable {
  /// Messages and bytes that wait to be sent, or on their way.
  public let queuedMessages: Int
  public let queuedBytes: Int
  /// Since the client was made.
  public let messagesSent: Int
  public let bytesSent: Int
  public let messagesReceived: Int
  public let bytesReceived: Int
  public let brokersUp: Int
  public let brokersKnown: Int
  /// Those that the client wants a connection to and has none.
  public let brokersLost: Int
  /// The slowest broker's 99th percentile of a request's round trip.
  public let roundTrip: Duration

  /// - Parameter text: a report as librdkafka writes it.
  /// - Returns: nil for what isn't one.
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
    // One that nothing is wanted of is in none of these states.
    brokersLost = brokers.filter { ["DOWN", "TRY_CONNECT", "CONNECT"].contains($0["state"]?.stringValue) }.count
    roundTrip = .microseconds(brokers.compactMap { $0["rtt"]?["p99"]?.intValue }.max() ?? 0)
  }
}
