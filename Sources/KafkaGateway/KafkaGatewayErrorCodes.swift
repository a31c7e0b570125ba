import SagaCore

extension EngineErrorCode {
  // Messages over Kafka.
  public static let commandInvalid = "command.invalid"
  public static let replyMalformed = "reply.malformed"
}
