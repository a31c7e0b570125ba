public import Values

/// The counts of one step's runs within one minute.
public struct StepMinute: Sendable, Hashable {
  public var workflow: String
  public var step: String
  /// The start of the minute.
  public var at: Timestamp
  public var started = 0
  public var succeeded = 0
  public var failed = 0
  public var retried = 0
  public var undone = 0
  /// The durations of the runs that succeeded.
  public var durations = DurationHistogram()

  public init(workflow: String, step: String, at: Timestamp) {
    self.workflow = workflow
    self.step = step
    self.at = at
  }

  /// Returns the start of the minute that contains a timestamp.
  public static func of(_ moment: Timestamp) -> Timestamp {
    let remainder = moment.milliseconds % 60_000
    return Timestamp(milliseconds: moment.milliseconds - (remainder < 0 ? remainder + 60_000 : remainder))
  }

  /// Adds the counts of another minute, or of another part of this minute.
  public mutating func merge(_ other: StepMinute) {
    started += other.started
    succeeded += other.succeeded
    failed += other.failed
    retried += other.retried
    undone += other.undone
    durations.merge(other.durations)
  }
}

/// A histogram of durations. The buckets are fixed, so histograms of any minutes and shards can be added.
///
/// Each doubling has eight buckets, so the error of a quantile is below 10 % at every scale.
public struct DurationHistogram: Sendable, Hashable {
  public private(set) var counts: [Int: Int] = [:]

  public init() {}

  public var count: Int { counts.values.reduce(0, +) }

  public mutating func add(milliseconds: Int64) { add(1, in: Self.bucket(milliseconds)) }
  public mutating func add(_ count: Int, in bucket: Int) { counts[bucket, default: 0] += count }
  public mutating func merge(_ other: DurationHistogram) {
    for (bucket, count) in other.counts { add(count, in: bucket) }
  }

  /// Returns the duration in milliseconds that a share of all runs took at most; nil when the histogram is empty.
  /// - Parameter share: 0.5 for the median.
  public func quantile(_ share: Double) -> Int64? {
    let total = count
    if total == 0 { return nil }
    let rank = max(1, Int((share * Double(total)).rounded(.up)))
    var seen = 0
    for (bucket, count) in counts.sorted(by: { $0.key < $1.key }) {
      seen += count
      if seen >= rank { return Self.upperBound(bucket) }
    }
    return counts.keys.max().map(Self.upperBound)
  }

  /// Returns the bucket. Below 8 ms each millisecond has a bucket; above, each doubling has eight.
  static func bucket(_ milliseconds: Int64) -> Int {
    let value = UInt64(max(0, milliseconds))
    if value < 8 { return Int(value) }
    let exponent = 63 - value.leadingZeroBitCount
    return (exponent - 2) * 8 + Int((value >> (exponent - 3)) & 7)
  }

  /// Returns the longest duration of a bucket.
  static func upperBound(_ bucket: Int) -> Int64 {
    if bucket < 8 { return Int64(bucket) }
    let exponent = bucket / 8 + 2
    let fraction = UInt64(bucket % 8)
    // The upper bound of the last bucket would overflow.
    if exponent >= 62 { return Int64.max }
    return Int64(((8 + fraction + 1) << (exponent - 3)) - 1)
  }
}
