import Synchronization

/// The counters of one metric. Counting takes a lock for the time of one look into a table.
public final class CounterFamily: Sendable {
  /// One counter.
  public struct Sample: Sendable, Hashable {
    /// In the order of the family's labels.
    public let labels: [String]
    public let value: Int64
  }

  public let family: MetricFamily
  private let values = Mutex<[[String]: Int64]>([:])

  public init(_ family: MetricFamily) { self.family = family }

  /// Adds to the counter with these label values.
  /// - Parameters:
  ///   - amount: at least 0.
  ///   - labels: one value for each label of the family.
  public func add(_ amount: Int64 = 1, _ labels: String...) { add(amount, labels: labels) }

  /// Adds to the counter with these label values, one for each label of the family.
  public func add(_ amount: Int64 = 1, labels: [String]) {
    values.withLock { values in
      if values[labels] == nil, values.count >= family.limit {
        values[family.overflow(of: labels), default: 0] &+= amount
      } else {
        values[labels, default: 0] &+= amount
      }
    }
  }

  /// The counters, in the order of their label values.
  public var samples: [Sample] {
    values.withLock { $0 }.map { Sample(labels: $0.key, value: $0.value) }
      .sorted { $0.labels.lexicographicallyPrecedes($1.labels) }
  }
}
