/// How a consumer stands.
public struct ConsumerStatus: Sendable, Hashable {
  public let group: String
  public let topics: [String]
  /// Messages that stand in the partitions it has and are not handled yet, as far as is known.
  public let lag: Int64
  /// Since the process began.
  public let handled: Int64
  public let deadLettered: Int64
  /// How many partitions it has.
  public let partitions: Int
  /// What a handler is failing with and trying again, or what the broker said last; nil when all is well.
  public let problem: String?

  public init(
    group: String, topics: [String], lag: Int64, handled: Int64, deadLettered: Int64, partitions: Int, problem: String?
  ) {
    self.group = group
    self.topics = topics
    self.lag = lag
    self.handled = handled
    self.deadLettered = deadLettered
    self.partitions = partitions
    self.problem = problem
  }
}
