import Synchronization

/// The histograms of one metric. Each series counts its values by their size.
public final class HistogramFamily: Sendable {
  /// One histogram.
  public struct Sample: Sendable, Hashable {
    /// In the order of the family's labels.
    public let labels: [String]
    /// For each bound, the number of values up to it.
    public let upTo: [Int64]
    public let count: Int64
    /// The sum of all values, in millionths.
    public let sum: Int64
  }

  fileprivate struct Series {
    /// By the index of the bound; the last one counts the values above all bounds.
    var counts: [Int64]
    var sum: Int64 = 0
  }

  public let family: MetricFamily
  /// The upper bounds of the buckets, in millionths, the smallest first.
  public let bounds: [Int64]
  private let series = Mutex<[[String]: Series]>([:])

  /// - Parameter bounds: the upper bounds of the buckets, in millionths, the smallest first.
  public init(_ family: MetricFamily, bounds: [Int64]) {
    self.family = family
    self.bounds = bounds
  }

  /// Creates histograms of durations in seconds.
  public convenience init(_ family: MetricFamily, upTo bounds: [Duration]) {
    self.init(family, bounds: bounds.map(Self.millionths))
  }

  /// Adds a duration, in seconds. A negative one counts as 0.
  /// - Parameter labels: one value for each label of the family.
  public func add(_ duration: Duration, _ labels: String...) { add(Self.millionths(duration), labels) }

  /// Adds a duration, in seconds, to the histogram with these label values.
  public func add(_ duration: Duration, labels: [String]) { add(Self.millionths(duration), labels) }

  /// Adds a number.
  /// - Parameter labels: one value for each label of the family.
  public func add(count: Int, _ labels: String...) { add(Int64(clamping: count).saturated(times: 1_000_000), labels) }

  private func add(_ value: Int64, _ labels: [String]) {
    let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
    series.withLock { series in
      let isFull = series[labels] == nil && series.count >= family.limit
      let key = isFull ? family.overflow(of: labels) : labels
      series[key, default: Series(counts: Array(repeating: 0, count: bounds.count + 1))].add(value, to: bucket)
    }
  }

  /// The histograms, in the order of their label values.
  public var samples: [Sample] {
    series.withLock { $0 }.map { labels, series in
      var total: Int64 = 0
      let upTo = series.counts.map { count in
        total &+= count
        return total
      }
      return Sample(labels: labels, upTo: Array(upTo.dropLast()), count: total, sum: series.sum)
    }
    .sorted { $0.labels.lexicographicallyPrecedes($1.labels) }
  }

  /// Returns a duration in microseconds; 0 for a negative one.
  private static func millionths(_ duration: Duration) -> Int64 {
    let (seconds, attoseconds) = duration.components
    return max(
      0, seconds.saturated(times: 1_000_000).addingReportingOverflow(attoseconds / 1_000_000_000_000).partialValue)
  }
}

extension HistogramFamily.Series {
  fileprivate mutating func add(_ value: Int64, to bucket: Int) {
    counts[bucket] &+= 1
    sum = sum.addingReportingOverflow(value).overflow ? .max : sum + value
  }
}

extension Int64 {
  /// Returns the product, or the nearest number that there is.
  fileprivate func saturated(times factor: Int64) -> Int64 {
    let (product, overflow) = multipliedReportingOverflow(by: factor)
    return overflow ? (self < 0 ? .min : .max) : product
  }
}
