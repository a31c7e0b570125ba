import CKafka
import Dispatch
public import Runtime
import Values

/// Reads partitions from offsets that its owner keeps: no group, no committing.
///
/// One call at a time. Calls block on a queue of its own, never on a thread of the cooperative pool.
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

  /// What came.
  public struct Batch: Sendable {
    /// In order of their offsets, partition by partition.
    public var messages: [KafkaMessage] = []
    /// Partitions with nothing behind what came.
    public var ended: Set<Partition> = []
    /// What the client is struggling with; it goes on trying by itself.
    public var problem: KafkaError?
  }

  private let handle: KafkaHandle
  private let log: Log
  private let queue: DispatchQueue

  /// - Parameters:
  ///   - cluster: where to read.
  ///   - name: tells clients of one process apart in the broker's log.
  ///   - log: where the client's own words go.
  /// - Throws: `kafka.configurationInvalid`. Whether a broker can be reached shows later.
  public init(_ cluster: KafkaCluster, name: String, log: Log = .silent) throws(KafkaError) {
    self.log = log
    queue = DispatchQueue(label: "tracseq.kafka.reader.\(name)")
    handle = try KafkaHandle(
      .consumer, cluster, name: name,
      settings: [
        // The library wants one though no group is ever joined.
        ("group.id", "tracseq-\(name)"), ("enable.auto.commit", "false"), ("enable.auto.offset.store", "false"),
        // An offset that isn't there is for the owner to decide about, never to be skipped over.
        ("auto.offset.reset", "error"), ("enable.partition.eof", "true"), ("queued.max.messages.kbytes", "16384"),
        ("fetch.wait.max.ms", "100"),
      ])
  }

  /// How many partitions a topic has.
  /// - Throws: `kafka.topicUnknown`, `kafka.unavailable`.
  public func partitionCount(of topic: String, within time: Duration = .seconds(5)) async throws(KafkaError) -> Int {
    try await onQueue { () throws(KafkaError) in
      var metadata: UnsafePointer<rd_kafka_metadata>?
      // Asking for one topic may make it; asking for all of them makes none.
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

  /// The offsets that a partition has: from its first message that is kept to the one that comes next.
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

  /// Reads these partitions from these offsets from now on, and no others.
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

  /// What comes next.
  /// - Parameters:
  ///   - most: the most messages at once.
  ///   - time: how long to wait for the first of them; then the batch is empty.
  /// - Throws: what stops a partition for good: assign again.
  public func next(atMost most: Int, waiting time: Duration) async throws(KafkaError) -> Batch {
    try await onQueue { () throws(KafkaError) in
      var batch = Batch()
      let end = ContinuousClock.now + time
      while batch.messages.count < most {
        // Once something has come, only what is there already goes with it.
        let left = batch.messages.isEmpty && batch.ended.isEmpty ? max(.zero, end - .now) : .zero
        guard try self.serve(for: Self.milliseconds(left), into: &batch) else { break }
      }
      return batch
    }
  }

  /// Lets go of its partitions. What is asked of it later fails.
  public func close() async {
    await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
      queue.async {
        _ = rd_kafka_consumer_close(self.handle.client)
        continuation.resume()
      }
    }
  }

  /// Takes one thing off the client's queue.
  /// - Returns: false when nothing came.
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

  /// The end of a partition is told as an error, and so is what stops one.
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

  private static func milliseconds(_ time: Duration) -> Int32 { Int32(clamping: Int(time / .milliseconds(1))) }
}
