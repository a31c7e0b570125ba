import Values

/// How far event time has come: no event before the watermark is waited for any more.
///
/// Each partition has come as far as its latest event, less the lateness. The stream has come as far as the partition
/// that is furthest behind, silent ones left out. A partition is silent when it has been read to its end and nothing
/// has come for the idle time: a backlog that waits to be read is not silence. The watermark never goes back.
struct Watermarks: Sendable {
  private struct Partition {
    var latest: Timestamp?
    /// Since when it has been known to be read to its end, with nothing coming.
    var quietSince: Timestamp?
  }
  private let timing: StreamTiming
  private var partitions: [StreamPartition: Partition]
  private(set) var overall: Timestamp?

  /// - Parameters:
  ///   - partitions: all there are: one that has never had an event holds the watermark back until it is silent.
  ///   - latest: the time of the latest event of each, as far as known.
  ///   - overall: where the watermark was before.
  init(
    timing: StreamTiming, partitions: Set<StreamPartition>, latest: [StreamPartition: Timestamp] = [:],
    overall: Timestamp? = nil
  ) {
    self.timing = timing
    self.partitions = Dictionary(uniqueKeysWithValues: partitions.map { ($0, Partition(latest: latest[$0])) })
    self.overall = overall
  }

  func latest(in partition: StreamPartition) -> Timestamp? { partitions[partition]?.latest }

  /// Something came, whatever it was.
  mutating func heard(_ partition: StreamPartition) { partitions[partition]?.quietSince = nil }

  /// An event with this time came.
  mutating func note(_ time: Timestamp, in partition: StreamPartition) {
    let latest = partitions[partition]?.latest ?? time
    partitions[partition]?.latest = max(time, latest)
  }

  /// The partition has been read to its end.
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
      // Nobody is waited for: the furthest counts, so that it doesn't matter which fell silent first.
      reached = partitions.values.compactMap(\.latest).max()
    } else {
      let latest = waited.values.map(\.latest)
      reached = latest.contains(nil) ? nil : latest.compactMap { $0 }.min()
    }
    if let reached { advance(to: reached - timing.lateness) }
  }

  /// Moves it to this moment, never back.
  mutating func advance(to moment: Timestamp) { overall = max(moment, overall ?? moment) }
}

extension Timestamp {
  static func - (moment: Timestamp, duration: Duration) -> Timestamp {
    Timestamp(milliseconds: moment.milliseconds - duration.wholeMilliseconds)
  }
}

extension Duration {
  /// Rounded up.
  var wholeMilliseconds: Int64 { (Timestamp(milliseconds: 0) + self).milliseconds }
}
