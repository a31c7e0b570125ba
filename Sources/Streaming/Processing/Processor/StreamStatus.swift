public import Values

/// How a stream stands.
public struct StreamStatus: Sendable, Hashable {
  public let name: String
  public var totals = StreamTotals()
  /// Event time has come so far; nil when time is nothing to the stream, or no partition tells yet.
  public var watermark: Timestamp?
  /// Counts that are open, or events that wait for a partner.
  public var kept = 0
  /// The offset that comes next in each partition that has been read.
  public var offsets: [StreamPartition: Int64] = [:]
  /// What stands in its way; nil when all is well.
  public var problem: String?

  public init(name: String) { self.name = name }
}
