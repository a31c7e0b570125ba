public import Messaging

/// Reads topics for a stream, from offsets that the stream keeps.
public protocol StreamSource: Sendable {
  /// Returns the number of partitions of a topic.
  /// - Throws: also when the topic does not exist.
  func partitionCount(of topic: String) async throws -> Int

  /// Returns the readable offsets of a partition: from its oldest kept message up to, but not including, its next message.
  func bounds(of partition: StreamPartition) async throws -> Range<Int64>

  /// Sets the partitions to read and the offsets to begin at. Replaces the earlier assignment.
  func assign(_ offsets: [StreamPartition: Int64]) async throws

  /// Returns the next messages, in order of offsets within each partition. The batch is empty when none come for a while.
  /// - Throws: an error that further reading does not remove. Call `assign` again.
  func nextBatch() async throws -> StreamBatch
}

/// The messages of one read.
public struct StreamBatch: Sendable {
  public var messages: [KafkaMessage]
  /// Partitions that have been read to their end with these messages.
  public var ended: Set<StreamPartition>
  /// The source's current error, which may end by itself; nil when there is none.
  public var problem: String?

  public init(messages: [KafkaMessage] = [], ended: Set<StreamPartition> = [], problem: String? = nil) {
    self.messages = messages
    self.ended = ended
    self.problem = problem
  }
}

/// Sends a stream's outputs.
public protocol StreamSink: Sendable {
  /// Sends records in this order. Returns when all of them are in their topics.
  func deliver(_ records: [KafkaRecord]) async throws

  /// Sends a message to the dead letters. Returns when it is there.
  func bury(_ message: KafkaMessage, code: String, reason: String) async throws
}
