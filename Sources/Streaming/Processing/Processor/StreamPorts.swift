public import Messaging

/// Where a stream reads: topics, by offsets that the stream itself keeps.
public protocol StreamSource: Sendable {
  /// - Throws: also when there is no such topic.
  func partitionCount(of topic: String) async throws -> Int

  /// The offsets of a partition that can be read: from the first message that is kept to the one that comes next.
  func bounds(of partition: StreamPartition) async throws -> Range<Int64>

  /// Reads these partitions from these offsets from now on, and no others.
  func assign(_ offsets: [StreamPartition: Int64]) async throws

  /// What comes next, in order of offsets within each partition. Returns after a while even when nothing comes.
  /// - Throws: when something is in the way that reading on doesn't remove: assign again.
  func nextBatch() async throws -> StreamBatch
}

/// What a source gives at once.
public struct StreamBatch: Sendable {
  public var messages: [KafkaMessage]
  /// Partitions that have been read to their end with these messages.
  public var ended: Set<StreamPartition>
  /// What stands in the way, though it may pass by itself.
  public var problem: String?

  public init(messages: [KafkaMessage] = [], ended: Set<StreamPartition> = [], problem: String? = nil) {
    self.messages = messages
    self.ended = ended
    self.problem = problem
  }
}

/// Where a stream's outputs go.
public protocol StreamSink: Sendable {
  /// Sends records in this order, and returns when all of them are in their topics.
  func deliver(_ records: [KafkaRecord]) async throws

  /// Puts a message among the dead letters, and returns when it is there.
  func bury(_ message: KafkaMessage, code: String, reason: String) async throws
}
