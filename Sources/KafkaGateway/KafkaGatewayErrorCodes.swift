import SagaCore

extension EngineErrorCode {
  // Messages that come over Kafka.
  public static let commandInvalid = "command.invalid"
  public static let replyMalformed = "reply.malformed"
}
