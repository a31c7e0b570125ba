import CKafka
import Dispatch
import Values

/// The name and settings of a topic that must exist.
public struct KafkaTopic: Sendable, Hashable {
  public let name: String
  public let partitions: Int
  /// How long the topic keeps messages; with nil the broker decides.
  public let retention: Duration?

  public init(_ name: String, partitions: Int = 16, retention: Duration? = .seconds(7 * 86_400)) {
    self.name = name
    self.partitions = partitions
    self.retention = retention
  }

  /// Returns the command that creates the topic.
  public func command(brokers: String) -> String {
    let kept = retention.map { " --config retention.ms=\($0.wholeMilliseconds)" } ?? ""
    return "kafka-topics.sh --bootstrap-server \(brokers) --create --topic \(name) --partitions \(partitions)\(kept)"
  }
}

/// Looks up topics, and creates missing topics if the broker allows it.
public struct KafkaTopics: Sendable {
  /// A topic that exists.
  public struct Found: Sendable, Hashable {
    public let partitions: Int
    /// Whether the topic was created now.
    public let isNew: Bool
  }

  private let handle: KafkaHandle
  private let brokers: String
  private let queue = DispatchQueue(label: "tracseq.kafka.topics")

  /// - Throws: `kafka.configurationInvalid`.
  public init(_ cluster: KafkaCluster) throws(KafkaError) {
    brokers = cluster.brokers
    handle = try KafkaHandle(.producer, cluster, name: "topics", settings: [("statistics.interval.ms", "0")])
  }

  /// Looks up topics, and creates the missing ones.
  /// - Parameter time: the longest wait for each answer of the broker.
  /// - Returns: every topic by its name.
  /// - Throws: `kafka.unavailable`; `kafka.notAllowed` when a password or a certificate is why; or `kafka.topicUnknown` with the command to run, when a topic is missing and the
  ///   broker does not let the client create it.
  public func ensure(
    _ topics: [KafkaTopic], within time: Duration = .seconds(5)
  ) async throws(KafkaError) -> [String: Found] {
    let result = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<[String: Found], KafkaError>, Never>) in
      queue.async {
        continuation.resume(returning: Result { () throws(KafkaError) in try ensureBlocking(topics, time) })
      }
    }
    return try result.get()
  }

  private func ensureBlocking(_ topics: [KafkaTopic], _ time: Duration) throws(KafkaError) -> [String: Found] {
    do throws(KafkaError) {
      let found = try find(topics, time)
      _ = lastRefusal()
      return found
    } catch {
      // The request only says that no broker answered. Why, the broker's connection says.
      throw lastRefusal() ?? error
    }
  }

  /// Reads the client's events, because unread events would pile up.
  /// - Returns: the last one with which a broker refused the client, or the client a broker, as for its certificate.
  private func lastRefusal() -> KafkaError? {
    var refusal: KafkaError?
    while let event = rd_kafka_queue_poll(handle.queue, 0) {
      defer { rd_kafka_event_destroy(event) }
      guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR else { continue }
      let error = KafkaNews.error(event, of: handle.client)
      if error.code == MessagingErrorCode.notAllowed { refusal = error }
    }
    return refusal
  }

  private func find(_ topics: [KafkaTopic], _ time: Duration) throws(KafkaError) -> [String: Found] {
    var found = try partitions(time)
    let missing = topics.filter { found[$0.name] == nil }
    if !missing.isEmpty {
      let refused = create(missing, time)
      // Another client may have created them at the same time, so look again.
      found = try partitions(time)
      if let topic = missing.first(where: { found[$0.name] == nil }) {
        throw KafkaError(
          code: MessagingErrorCode.topicUnknown,
          message: "Kafka has no topic \(topic.name) and does not let this client create it"
            + "\(refused[topic.name].map { " (\($0))" } ?? ""); run: \(topic.command(brokers: brokers))",
          kafkaName: "UNKNOWN_TOPIC_OR_PART", isRetriable: true)
      }
    }
    let new = Set(missing.map(\.name))
    var result: [String: Found] = [:]
    for topic in topics {
      result[topic.name] = Found(partitions: found[topic.name] ?? 0, isNew: new.contains(topic.name))
    }
    return result
  }

  /// Returns the number of partitions of every topic. A request for all topics creates none.
  private func partitions(_ time: Duration) throws(KafkaError) -> [String: Int] {
    var metadata: UnsafePointer<rd_kafka_metadata>?
    let code = rd_kafka_metadata(handle.client, 1, nil, &metadata, Int32(clamping: time.wholeMilliseconds))
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata else { throw KafkaError(code) }
    defer { rd_kafka_metadata_destroy(metadata) }
    var counts: [String: Int] = [:]
    for index in 0..<Int(metadata.pointee.topic_cnt) {
      let topic = metadata.pointee.topics[index]
      if topic.err == RD_KAFKA_RESP_ERR_NO_ERROR { counts[String(cString: topic.topic)] = Int(topic.partition_cnt) }
    }
    return counts
  }

  /// - Returns: by topic, why it could not be created.
  private func create(_ topics: [KafkaTopic], _ time: Duration) -> [String: String] {
    var refused: [String: String] = [:]
    var reason = [CChar](repeating: 0, count: 512)
    var made: [OpaquePointer?] = []
    for topic in topics {
      guard let new = rd_kafka_NewTopic_new(topic.name, Int32(topic.partitions), -1, &reason, reason.count) else {
        refused[topic.name] = KafkaHandle.text(reason)
        continue
      }
      if let retention = topic.retention {
        rd_kafka_NewTopic_set_config(new, "retention.ms", "\(retention.wholeMilliseconds)")
      }
      made.append(new)
    }
    defer { for topic in made { rd_kafka_NewTopic_destroy(topic) } }
    let answers: OpaquePointer = rd_kafka_queue_new(handle.client)
    defer { rd_kafka_queue_destroy(answers) }
    let options: OpaquePointer = rd_kafka_AdminOptions_new(handle.client, RD_KAFKA_ADMIN_OP_CREATETOPICS)
    defer { rd_kafka_AdminOptions_destroy(options) }
    let milliseconds = Int32(clamping: time.wholeMilliseconds)
    rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, &reason, reason.count)
    rd_kafka_CreateTopics(handle.client, &made, made.count, options, answers)
    guard let event = rd_kafka_queue_poll(answers, milliseconds + 1_000) else { return refused }
    defer { rd_kafka_event_destroy(event) }
    let overall = rd_kafka_event_error(event)
    if overall != RD_KAFKA_RESP_ERR_NO_ERROR {
      for topic in topics { refused[topic.name] = KafkaError(overall).message }
      return refused
    }
    guard let result = rd_kafka_event_CreateTopics_result(event) else { return refused }
    var count = 0
    let each = rd_kafka_CreateTopics_result_topics(result, &count)
    for index in 0..<count {
      guard let one = each?[index], rd_kafka_topic_result_error(one) != RD_KAFKA_RESP_ERR_NO_ERROR else { continue }
      let said = rd_kafka_topic_result_error_string(one).map { String(cString: $0) } ?? ""
      refused[String(cString: rd_kafka_topic_result_name(one))] = said
    }
    return refused
  }
}
