import CKafka
import Dispatch
public import Runtime
import Values

/// Reads partitions from offsets that the caller keeps. It joins no consumer group and commits no offsets.
///
/// One call at a time. A call blocks a dispatch queue of the reader, never a thread of the cooperative pool.
public final class KafkaReader: Sendable {
  /// A partition of a topic.
  public struct Partition: Sendable, Hashable {
    public let topic: String
    public let number: Int

    public init(topic: String, number: Int) {
      self.topic = topic
      self.number = number
    }
  }

  /// The messages of one read.
  public struct Batch: Sendable {
    /// Within a partition in order of their offsets.
    public var messages: [KafkaMessage] = []
    /// The partitions that were read to their end.
    public var ended: Set<Partition> = []
    /// The client's current error; the client retries by itself.
    public var problem: KafkaError?
  }

  private let handle: KafkaHandle
  private let log: Log
  private let queue: DispatchQueue

  /// - Parameters:
  ///   - cluster: the cluster to read from.
  ///   - name: distinguishes the clients of one process in the broker's log.
  ///   - log: receives the client's log.
  /// - Throws: `kafka.configurationInvalid`. It does not check whether a broker is available.
  public init(_ cluster: KafkaCluster, name: String, log: Log = .silent) throws(KafkaError) {
    self.log = log
    queue = DispatchQueue(label: "tracseq.kafka.reader.\(name)")
    handle = try KafkaHandle(
      .consumer, cluster, name: name,
      settings: [
        // The library requires a group id, although the reader joins no group.
        ("group.id", "tracseq-\(name)"), ("enable.auto.commit", "false"), ("enable.auto.offset.store", "false"),
        // When an offset does not exist, the caller decides; the client must not skip messages.
        ("auto.offset.reset", "error"), ("enable.partition.eof", "true"), ("queued.max.messages.kbytes", "16384"),
        ("fetch.wait.max.ms", "100"),
      ])
  }

  /// Returns the number of partitions of a topic.
  /// - Throws: `kafka.topicUnknown`, `kafka.unavailable`.
  public func partitionCount(of topic: String, within time: Duration = .seconds(5)) async throws(KafkaError) -> Int {
    try await onQueue { () throws(KafkaError) in
      var metadata: UnsafePointer<rd_kafka_metadata>?
      // A request for one topic may create it; a request for all topics creates none.
      let code = rd_kafka_metadata(self.handle.client, 1, nil, &metadata, Self.milliseconds(time))
      guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata else { throw KafkaError(code) }
      defer { rd_kafka_metadata_destroy(metadata) }
      for index in 0..<Int(metadata.pointee.topic_cnt) {
        let found = metadata.pointee.topics[index]
        guard String(cString: found.topic) == topic else { continue }
        guard found.err == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(found.err, said: topic) }
        return Int(found.partition_cnt)
      }
      throw KafkaError(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, said: topic)
    }
  }

  /// Returns the offsets of a partition: from its oldest kept message up to, but not including, its next message.
  /// - Throws: `kafka.topicUnknown`, `kafka.unavailable`.
  public func bounds(of partition: Partition, within time: Duration = .seconds(5)) async throws(KafkaError)
    -> Range<Int64>
  {
    try await onQueue { () throws(KafkaError) in
      var (low, high): (Int64, Int64) = (0, 0)
      let code = rd_kafka_query_watermark_offsets(
        self.handle.client, partition.topic, Int32(partition.number), &low, &high, Self.milliseconds(time))
      guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(code, said: "\(partition.topic)") }
      return low..<max(low, high)
    }
  }

  /// Sets the partitions to read and the offsets to begin at. Replaces the earlier assignment.
  public func assign(_ offsets: [Partition: Int64]) async throws(KafkaError) {
    try await onQueue { () throws(KafkaError) in
      let list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t> = rd_kafka_topic_partition_list_new(
        Int32(offsets.count))
      defer { rd_kafka_topic_partition_list_destroy(list) }
      for (partition, offset) in offsets {
        rd_kafka_topic_partition_list_add(list, partition.topic, Int32(partition.number)).pointee.offset = offset
      }
      let code = rd_kafka_assign(self.handle.client, list)
      guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(code) }
    }
  }

  /// Returns the next messages.
  /// - Parameters:
  ///   - most: the largest number of messages to return.
  ///   - time: how long to wait for the first message; then the batch is empty.
  /// - Throws: an error that stops a partition for good. Call `assign` again.
  public func next(atMost most: Int, waiting time: Duration) async throws(KafkaError) -> Batch {
    try await onQueue { () throws(KafkaError) in
      var batch = Batch()
      let end = ContinuousClock.now + time
      while batch.messages.count < most {
        // After the first message, take only messages that are there already.
        let left = batch.messages.isEmpty && batch.ended.isEmpty ? max(.zero, end - .now) : .zero
        guard try self.serve(for: Self.milliseconds(left), into: &batch) else { break }
      }
      return batch
    }
  }

  /// Gives up the partitions. Later calls fail.
  public func close() async {
    await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
      queue.async {
        _ = rd_kafka_consumer_close(self.handle.client)
        continuation.resume()
      }
    }
  }

  /// Takes one event off the client's queue.
  /// - Returns: false when there was none.
  private func serve(for milliseconds: Int32, into batch: inout Batch) throws(KafkaError) -> Bool {
    guard let event = rd_kafka_queue_poll(handle.queue, milliseconds) else { return false }
    defer { rd_kafka_event_destroy(event) }
    switch rd_kafka_event_type(event) {
    case RD_KAFKA_EVENT_FETCH:
      while let message = rd_kafka_event_message_next(event) {
        let came = KafkaMessage(message)
        batch.ended.remove(Partition(topic: came.topic, number: came.partition))
        batch.messages.append(came)
        batch.problem = nil
      }
    case RD_KAFKA_EVENT_LOG: KafkaNews.log(event, to: log)
    case RD_KAFKA_EVENT_ERROR: try note(event, in: &batch)
    default: break
    }
    return true
  }

  /// Reads an error event. librdkafka reports the end of a partition as an error too.
  private func note(_ event: OpaquePointer, in batch: inout Batch) throws(KafkaError) {
    guard let of = rd_kafka_event_topic_partition(event) else {
      let error = KafkaNews.error(event, of: handle.client)
      if error.isFatal { throw error }
      batch.problem = error
      return
    }
    defer { rd_kafka_topic_partition_destroy(of) }
    let partition = Partition(topic: String(cString: of.pointee.topic), number: Int(of.pointee.partition))
    let code = rd_kafka_event_error(event)
    if code == RD_KAFKA_RESP_ERR__PARTITION_EOF {
      batch.ended.insert(partition)
    } else {
      let said = rd_kafka_event_error_string(event).map { String(cString: $0) } ?? ""
      throw KafkaError(code, said: "\(partition.topic)/\(partition.number): \(said)")
    }
  }

  private func onQueue<Value: Sendable>(
    _ body: @escaping @Sendable () throws(KafkaError) -> Value
  ) async throws(KafkaError) -> Value {
    let result = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<Value, KafkaError>, Never>) in
      queue.async { continuation.resume(returning: Result { () throws(KafkaError) in try body() }) }
    }
    return try result.get()
  }

  private static func milliseconds(_ time: Duration) -> Int32 { Int32(clamping: time.wholeMilliseconds) }
}
