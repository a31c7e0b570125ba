/// The name of a metric, and the labels by which its series differ.
public struct MetricFamily: Sendable, Hashable {
  /// A label of a metric.
  public struct Label: Sendable, Hashable {
    public let name: String
    /// Whether the program lists every value. The other labels have values of users, such as names of workflows.
    public let isListed: Bool

    /// A label whose values the program lists.
    public static func listed(_ name: String) -> Label { Label(name: name, isListed: true) }
    /// A label whose values come from users.
    public static func open(_ name: String) -> Label { Label(name: name, isListed: false) }
  }

  /// The value of an open label that counts what has no series of its own.
  public static let other = "other"

  public let name: String
  public let help: String
  public let labels: [Label]
  /// The most series that the values of open labels may make.
  public let limit: Int

  /// - Parameters:
  ///   - help: one sentence that says what is measured.
  ///   - labels: in the order in which the callers give their values.
  ///   - limit: the most series. Further values of open labels are counted as `other`.
  public init(_ name: String, _ help: String, labels: [Label] = [], limit: Int = 1_000) {
    self.name = name
    self.help = help
    self.labels = labels
    self.limit = limit
  }

  /// Returns the label values under which a value counts when there is no room for a series of its own.
  func overflow(of values: [String]) -> [String] {
    zip(labels, values).map { $0.isListed ? $1 : Self.other }
  }
}
