/// The status of a consumer: its lag, its counts, and its problem.
public struct ConsumerStatus: Sendable, Hashable {
  public let group: String
  public let topics: [String]
  /// The number of messages in its partitions that are not handled yet, as far as the client knows.
  public let lag: Int64
  /// The number of messages handled since the process began, without the dead letters.
  public let handled: Int64
  /// The number of messages that became dead letters since the process began.
  public let deadLettered: Int64
  /// The number of partitions that the consumer has.
  public let partitions: Int
  /// The error of a handler that will be retried, or the broker's last error; nil when there is no problem.
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
