public import Values

/// An error of Kafka or of its client.
public struct KafkaError: CodedError, Hashable {
  public let code: String
  public let message: String
  /// librdkafka's name for the error, such as `MSG_SIZE_TOO_LARGE`, for the log and the dead letter.
  public let kafkaName: String
  /// Whether a later retry may succeed.
  public let isRetriable: Bool
  /// Whether the client can't be used any more.
  public let isFatal: Bool
  /// Whether a message that failed may still be in its topic.
  public let mayHaveBeenSent: Bool

  public init(
    code: String, message: String, kafkaName: String = "", isRetriable: Bool = false, isFatal: Bool = false,
    mayHaveBeenSent: Bool = false
  ) {
    self.code = code
    self.message = message
    self.kafkaName = kafkaName
    self.isRetriable = isRetriable
    self.isFatal = isFatal
    self.mayHaveBeenSent = mayHaveBeenSent
  }

  public static let closed = KafkaError(code: MessagingErrorCode.closed, message: "The Kafka client has been closed.")

  /// The client broke and is being replaced. The message was not given to it.
  static let renewed = KafkaError(
    code: MessagingErrorCode.notDelivered,
    message: "The message was not delivered: the Kafka client is being replaced.",
    kafkaName: "_FATAL", isRetriable: true)

  static func cancelled(mayHaveBeenSent: Bool) -> KafkaError {
    KafkaError(
      code: MessagingErrorCode.notDelivered,
      message: "The caller was cancelled before the message was delivered.", isRetriable: true,
      mayHaveBeenSent: mayHaveBeenSent)
  }
}
