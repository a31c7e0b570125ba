import Messaging
import Persistence
import Runtime
import Values

/// Takes commands from the services' topics, carries them out, and answers each on the topic that it names.
///
/// It returns when the effect is stored and the answer is delivered. A repeated message is the same command with the same
/// key and gets the first answer. It throws temporary errors (the store is unavailable, Kafka does not take the answer);
/// then the consumer gives it the message again.
struct KafkaCommandHandler: Sendable {
  let participants: Participants
  let topics: LabKafka.Topics
  let environment: Environment
  let log: Log
  /// Sends a message. Returns when Kafka has acknowledged it.
  let send: @Sendable (KafkaRecord) async throws -> Void
  /// The laboratory's own topics; no answer is sent to them.
  private let ownTopics: Set<String>

  init(
    participants: Participants, topics: LabKafka.Topics, environment: Environment, log: Log,
    send: @escaping @Sendable (KafkaRecord) async throws -> Void
  ) {
    self.participants = participants
    self.topics = topics
    self.environment = environment
    self.log = log
    self.send = send
    ownTopics = topics.all
  }

  func handle(_ message: KafkaMessage) async throws {
    guard let service = topics.service(ofCommands: message.topic) else {
      throw Poison(LabErrorCode.commandUnknown, "No service takes its commands from \(message.topic).")
    }
    let envelope = KafkaCommandEnvelope(message)
    let read: KafkaCommand
    let command: ServiceCommand
    do throws(Poison) {
      (read, command) = try self.read(message, envelope, for: service)
    } catch {
      try await tell(error, to: envelope, service)
      throw error
    }
    guard let reply = try await participants.carryOut(command, read.command, log: log) else { return }
    try await answer(reply, to: envelope, on: read.replyTopic, key: read.command.key, service)
  }

  private func read(
    _ message: KafkaMessage, _ envelope: KafkaCommandEnvelope, for service: LabService
  ) throws(Poison) -> (KafkaCommand, ServiceCommand) {
    let read = try KafkaCommand(message, envelope, for: service)
    guard !ownTopics.contains(read.replyTopic) else {
      throw Poison(LabErrorCode.replyTopicInvalid, "\(read.replyTopic) is one of the laboratory's own topics.")
    }
    do throws(LabRefusal) {
      return (read, try participants.command(read.command))
    } catch {
      throw Poison(error.code, error.message)
    }
  }

  /// Answers a poison message, so that its sender doesn't wait for a timeout. Poison certainly had no effect.
  private func tell(_ poison: Poison, to envelope: KafkaCommandEnvelope, _ service: LabService) async throws {
    guard let key = envelope.key, let topic = envelope.replyTopic, !ownTopics.contains(topic) else { return }
    let failure = CommandReply.failed(code: poison.code, message: poison.message)
    do {
      try await answer(failure, to: envelope, on: topic, key: key, service)
    } catch let refused as Poison {
      // The dead letter has the first error.
      log.warning(
        "Could not answer a poison message; moving it to the dead letters", ("topic", topic),
        ("error", refused.message))
    }
  }

  private func answer(
    _ reply: CommandReply, to envelope: KafkaCommandEnvelope, on topic: String, key: String, _ service: LabService
  ) async throws {
    do {
      try await send(reply.record(to: envelope, on: topic, key: key, service: service, at: environment.now()))
    } catch let error as KafkaError where error.isOfTheTopicOrMessage {
      throw Poison(LabErrorCode.answerRefused, "The answer can't be delivered to \(topic): \(error.message)")
    }
  }
}

extension KafkaError {
  /// Whether Kafka refuses this message, or the topic that its sender chose.
  fileprivate var isOfTheTopicOrMessage: Bool {
    code == MessagingErrorCode.messageRefused || code == MessagingErrorCode.topicUnknown
      || kafkaName == "TOPIC_AUTHORIZATION_FAILED"
  }
}
