public import Values

/// The status of a stream.
public struct StreamStatus: Sendable, Hashable {
  public let name: String
  public var totals = StreamTotals()
  /// The watermark; nil when the stream does not use time, or when no partition has shown a time yet.
  public var watermark: Timestamp?
  /// The number of open counts, or of events that wait for a partner.
  public var kept = 0
  /// The next offset of each partition that was read.
  public var offsets: [StreamPartition: Int64] = [:]
  /// The error that the stream waits for; nil when there is none.
  public var problem: String?

  public init(name: String) { self.name = name }
}
