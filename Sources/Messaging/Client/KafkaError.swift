import Runtime
public import Values

/// Why Kafka, or its client, refused or failed.
public struct KafkaError: CodedError, Hashable {
  public let code: String
  public let message: String
  /// librdkafka's own name for it, as `MSG_SIZE_TOO_LARGE`; for the log and the dead letter.
  public let kafkaName: String
  /// Whether trying the same again later may help.
  public let isRetriable: Bool
  /// The client that met it can't be used any more.
  public let isFatal: Bool
  /// Whether a message that was to be sent may be in its topic all the same.
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

  /// The client broke and is made anew: the message was not given to it.
  static let renewed = KafkaError(
    code: MessagingErrorCode.notDelivered, message: "The message was not delivered: the Kafka client is made anew.",
    kafkaName: "_FATAL", isRetriable: true)

  static func cancelled(mayHaveBeenSent: Bool) -> KafkaError {
    KafkaError(
      code: MessagingErrorCode.notDelivered,
      message: "The message was not delivered: nobody waits for it any more.", isRetriable: true,
      mayHaveBeenSent: mayHaveBeenSent)
  }
}
