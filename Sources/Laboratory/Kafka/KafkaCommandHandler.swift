import JSON
import Messaging
import Persistence
import Runtime
import Values

/// Takes commands from the services' topics, has them carried out, and answers each on the topic that it names.
///
/// It returns when the effect is stored and the answer delivered. A message that comes again is the same command under the
/// same key: it gets the first answer. What fails in passing (the store is out of reach, Kafka doesn't take the answer)
/// is thrown, and the message is given to it once more.
struct KafkaCommandHandler: Sendable {
  let participants: Participants
  let topics: LabKafka.Topics
  let environment: Environment
  let log: Log
  /// Sends a message, and returns when Kafka has it.
  let send: @Sendable (KafkaRecord) async throws -> Void
  /// Nothing is answered there.
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
    guard let reply = try await carryOut(command, read) else { return }
    try await answer(reply, to: envelope, on: read.replyTopic, key: read.key, service)
  }

  private func read(
    _ message: KafkaMessage, _ envelope: KafkaCommandEnvelope, for service: LabService
  ) throws(Poison) -> (KafkaCommand, ServiceCommand) {
    let read = try KafkaCommand(message, envelope, for: service)
    guard !ownTopics.contains(read.replyTopic) else {
      throw Poison(LabErrorCode.replyTopicInvalid, "\(read.replyTopic) is a topic of the laboratory's own.")
    }
    guard let command = participants.command(service, read.name, isUndo: read.compensates != nil) else {
      throw Poison(
        LabErrorCode.commandUnknown,
        "\(service.rawValue) has no command “\(read.name)”; it has \(service.commands.joined(separator: ", ")).")
    }
    return (read, command)
  }

  /// Poison has not happened, for certain: whoever waits for an answer needn't wait until the time is up.
  private func tell(_ poison: Poison, to envelope: KafkaCommandEnvelope, _ service: LabService) async throws {
    guard let key = envelope.key, let topic = envelope.replyTopic, !ownTopics.contains(topic) else { return }
    let failure = KafkaReply.failed(code: poison.code, message: poison.message)
    do {
      try await answer(failure, to: envelope, on: topic, key: key, service)
    } catch let refused as Poison {
      // The letter says what was wrong first.
      log.warning("poison can't be answered", ("topic", topic), ("error", refused.message))
    }
  }

  /// - Returns: nil when a fault keeps the answer.
  private func carryOut(_ command: ServiceCommand, _ read: KafkaCommand) async throws -> KafkaReply? {
    do {
      let said = try command.read(read.body)
      let call = CommandCall(
        service: read.service, key: read.key, compensates: read.compensates, digest: said.digest, userID: read.userID,
        tenantID: read.tenantID, correlationID: read.sagaID)
      let received = ReceivedCommand(call: call, body: said.body, parameters: said.parameters)
      switch try await participants.gate.carryOut(command, received) {
      case .answered(let answer): return .succeeded(answer.body)
      case .answerDropped, .withheld: return nil
      }
    } catch let refusal as LabRefusal {
      return KafkaReply(refusal)
    } catch let error as StoreError where error.mayPass {
      throw error
    } catch let error as any CodedError {
      // Trying again would find the same.
      log.error("a command failed", ("command", "\(read.service.rawValue).\(read.name)"), ("error", "\(error)"))
      return .unknown(code: error.code, message: error.message)
    }
  }

  private func answer(
    _ reply: KafkaReply, to envelope: KafkaCommandEnvelope, on topic: String, key: String, _ service: LabService
  ) async throws {
    do {
      try await send(reply.record(to: envelope, on: topic, key: key, service: service, at: environment.now()))
    } catch let error as KafkaError where error.isOfTheTopicOrMessage {
      throw Poison(LabErrorCode.answerRefused, "The answer can't be delivered to \(topic): \(error.message)")
    }
  }
}

extension Participants {
  /// A command of a service by its name. Where an undo has the name of what it undoes, they are told apart.
  func command(_ service: LabService, _ name: String, isUndo: Bool) -> ServiceCommand? {
    let named = commands.filter { $0.service == service && $0.name == name }
    return named.count > 1 ? named.first { $0.isUndo == isUndo } : named.first
  }
}

extension StoreError {
  /// Whether the same may go well later.
  fileprivate var mayPass: Bool {
    switch kind {
    case .unavailable, .outcomeUnknown, .closed, .notOwner, .versionConflict, .checkpointConflict: true
    case .startKeyTaken, .claimTaken, .definitionConflict, .invalid, .corrupt, .locked, .foreign, .newerVersion,
      .olderVersion:
      false
    }
  }
}

extension KafkaError {
  /// Whether it is this message, or the topic that its sender chose, that Kafka won't have.
  fileprivate var isOfTheTopicOrMessage: Bool {
    code == MessagingErrorCode.messageRefused || code == MessagingErrorCode.topicUnknown
      || kafkaName == "TOPIC_AUTHORIZATION_FAILED"
  }
}
