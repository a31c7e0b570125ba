import CKafka

extension KafkaError {
  static func configuration(_ said: String) -> KafkaError {
    KafkaError(
      code: MessagingErrorCode.configurationInvalid, message: "The Kafka client can't be set up: \(said)",
      kafkaName: "_INVALID_ARG")
  }

  /// - Parameters:
  ///   - error: the code that librdkafka or the broker gave.
  ///   - said: the text that came with it; empty for librdkafka's text of the code.
  ///   - mayHaveBeenSent: whether a message that failed may still be in its topic.
  init(_ error: rd_kafka_resp_err_t, said: String = "", isFatal: Bool = false, mayHaveBeenSent: Bool = false) {
    let name = rd_kafka_err2name(error).map { String(cString: $0) } ?? "\(error.rawValue)"
    let words = rd_kafka_err2str(error).map { String(cString: $0) } ?? name
    let kind = Self.kind(error)
    self.init(
      code: kind.code, message: said.isEmpty ? "\(kind.title): \(words)." : "\(kind.title): \(said)", kafkaName: name,
      isRetriable: kind.isRetriable, isFatal: isFatal, mayHaveBeenSent: mayHaveBeenSent)
  }

  /// Whether the broker, or the client, will never take this message. Sending it again does not help.
  public var refusesTheMessage: Bool { code == MessagingErrorCode.messageRefused }

  private struct Kind {
    let code: String
    let title: String
    let isRetriable: Bool
  }

  private static func kind(_ error: rd_kafka_resp_err_t) -> Kind {
    switch error {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_MSG, RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE,
      RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
      RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
      Kind(code: MessagingErrorCode.messageRefused, title: "Kafka refuses the message", isRetriable: false)
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
      RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
      Kind(code: MessagingErrorCode.topicUnknown, title: "Kafka has no such topic or partition", isRetriable: true)
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
      RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR__AUTHENTICATION,
      RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, RD_KAFKA_RESP_ERR__SSL:
      Kind(code: MessagingErrorCode.notAllowed, title: "Kafka does not let us in", isRetriable: true)
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
      Kind(code: MessagingErrorCode.notDelivered, title: "The message was not delivered", isRetriable: true)
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
      Kind(code: MessagingErrorCode.queueFull, title: "The queue to Kafka is full", isRetriable: true)
    case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
      RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
      RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,
      RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
      RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
      Kind(code: MessagingErrorCode.unavailable, title: "Kafka is out of reach", isRetriable: true)
    case RD_KAFKA_RESP_ERR__DESTROY:
      Kind(code: MessagingErrorCode.closed, title: "The Kafka client has been closed", isRetriable: false)
    default:
      Kind(code: MessagingErrorCode.failed, title: "Kafka failed", isRetriable: true)
    }
  }
}
