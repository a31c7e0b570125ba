/// The codes of this module's errors. Each has a page in `docs/errors/`.
public enum MessagingErrorCode {
  // Codes of Kafka.
  public static let configurationInvalid = "kafka.configurationInvalid"
  public static let unavailable = "kafka.unavailable"
  public static let queueFull = "kafka.queueFull"
  public static let messageRefused = "kafka.messageRefused"
  public static let topicUnknown = "kafka.topicUnknown"
  public static let notAllowed = "kafka.notAllowed"
  public static let notDelivered = "kafka.notDelivered"
  public static let closed = "kafka.closed"
  public static let failed = "kafka.failed"
  // Codes of messages that can't be handled.
  public static let messageNotJSON = "message.notJSON"
  public static let messageMalformed = "message.malformed"
  public static let messageUnknownType = "message.unknownType"
  public static let messageTooLarge = "message.tooLarge"
}
