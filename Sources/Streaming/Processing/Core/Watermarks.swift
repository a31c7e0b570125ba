import Values

/// The watermark of a stream: the event time before which the stream waits for no event any more.
///
/// A partition's watermark is the time of its latest event, less the lateness. The stream's watermark is that of the
/// partition furthest behind; silent partitions don't count. A partition is silent when it was read to its end and no
/// message has come for the idle time. A partition with unread messages is not silent. The watermark never goes back.
struct Watermarks: Sendable {
  private struct Partition {
    var latest: Timestamp?
    /// The time since which the partition is read to its end without new messages; nil when it is not.
    var quietSince: Timestamp?
  }
  private let timing: StreamTiming
  private var partitions: [StreamPartition: Partition]
  private(set) var overall: Timestamp?

  /// - Parameters:
  ///   - partitions: all partitions. A partition that never had an event stops the watermark until it is silent.
  ///   - latest: the time of the latest event of each partition, as far as known.
  ///   - overall: the watermark that was stored.
  init(
    timing: StreamTiming, partitions: Set<StreamPartition>, latest: [StreamPartition: Timestamp] = [:],
    overall: Timestamp? = nil
  ) {
    self.timing = timing
    self.partitions = Dictionary(uniqueKeysWithValues: partitions.map { ($0, Partition(latest: latest[$0])) })
    self.overall = overall
  }

  func latest(in partition: StreamPartition) -> Timestamp? { partitions[partition]?.latest }

  /// Notes that a message came.
  mutating func heard(_ partition: StreamPartition) { partitions[partition]?.quietSince = nil }

  /// Notes that an event with this time came.
  mutating func note(_ time: Timestamp, in partition: StreamPartition) {
    let latest = partitions[partition]?.latest ?? time
    partitions[partition]?.latest = max(time, latest)
  }

  /// Notes that the partition is read to its end.
  mutating func ended(_ partition: StreamPartition, at now: Timestamp) {
    if partitions[partition]?.quietSince == nil { partitions[partition]?.quietSince = now }
  }

  func isSilent(_ partition: StreamPartition, at now: Timestamp) -> Bool {
    guard let since = partitions[partition]?.quietSince else { return false }
    return since + timing.idle <= now
  }

  func allAreSilent(at now: Timestamp) -> Bool { partitions.keys.allSatisfy { isSilent($0, at: now) } }

  /// Moves the watermark as far as it may go.
  mutating func advance(at now: Timestamp) {
    let waited = partitions.filter { !isSilent($0.key, at: now) }
    let reached: Timestamp?
    if waited.isEmpty {
      // All partitions are silent. The latest one counts, so that the order in which they fell silent doesn't matter.
      reached = partitions.values.compactMap(\.latest).max()
    } else {
      let latest = waited.values.map(\.latest)
      reached = latest.contains(nil) ? nil : latest.compactMap { $0 }.min()
    }
    if let reached { advance(to: reached - timing.lateness) }
  }

  /// Moves the watermark to this time, never back.
  mutating func advance(to time: Timestamp) { overall = max(time, overall ?? time) }
}

extension Timestamp {
  static func - (time: Timestamp, duration: Duration) -> Timestamp {
    Timestamp(milliseconds: time.milliseconds - duration.roundedUpMilliseconds)
  }
}

extension Duration {
  /// The duration in milliseconds, rounded up.
  var roundedUpMilliseconds: Int64 { (Timestamp(milliseconds: 0) + self).milliseconds }
}
