import JSON
import Messaging

/// The headers and the key of a command's message, as far as they exist: enough to answer it, even when it is poison.
struct KafkaCommandEnvelope: Sendable {
  /// The command's id, or else the message's place. It identifies a repeated answer.
  let id: String
  /// The message's key, which the answer gets too.
  let messageKey: [UInt8]?
  let key: String?
  let replyTopic: String?
  let sagaID: String?
  let attempt: String?

  init(_ message: KafkaMessage) {
    func header(_ name: String) -> String? { message.header(name).flatMap { $0.isEmpty ? nil : $0 } }
    id = header("ce_id") ?? message.place
    messageKey = message.key
    key = header("idempotency-key")
    replyTopic = header("reply-topic").flatMap { Self.isTopic($0) ? $0 : nil }
    sagaID = header("saga-id")
    attempt = header("saga-attempt")
  }

  /// Returns whether Kafka accepts the name of a topic.
  static func isTopic(_ name: String) -> Bool {
    (1...249).contains(name.utf8.count) && name != "." && name != ".."
      && name.unicodeScalars.allSatisfy { scalar in
        ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar)
          || scalar == "." || scalar == "_" || scalar == "-"
      }
  }
}

/// A command that was read from Kafka.
struct KafkaCommand: Sendable {
  let command: NamedCommand
  let replyTopic: String

  /// - Throws: `Poison` when the message can never be handled.
  init(_ message: KafkaMessage, _ envelope: KafkaCommandEnvelope, for service: LabService) throws(Poison) {
    func header(_ name: String) throws(Poison) -> String? {
      guard let value = message.header(name), !value.isEmpty else { return nil }
      do throws(LabRefusal) {
        return try CommandCall.checked(name, value)
      } catch {
        throw Poison(error.code, error.message)
      }
    }
    guard let key = try header("idempotency-key") else {
      throw Poison(
        LabErrorCode.keyMissing, "A command needs the header idempotency-key, so that a repeat is harmless.")
    }
    guard let replyTopic = envelope.replyTopic else {
      throw Poison(
        LabErrorCode.replyTopicInvalid,
        "A command needs the header reply-topic with the name of a topic, so that it can be answered.")
    }
    self.replyTopic = replyTopic
    let (compensates, sagaID) = (try header("compensates"), try header("saga-id"))
    let (userID, tenantID) = (try header("user-id"), try header("tenant-id"))
    guard let event = try CloudEvent(message) else {
      throw Poison(
        LabErrorCode.commandUnknown, "The message is not a CloudEvent, so it has no type that names the command.")
    }
    guard event.data.count <= Self.largestBody else {
      throw Poison(
        MessagingErrorCode.messageTooLarge,
        "The body has \(event.data.count) bytes; a command has \(Self.largestBody) at most.")
    }
    // The part before the last dot of the type is the operator's name for the service.
    let name = event.type.split(separator: ".", omittingEmptySubsequences: false).last.map(String.init) ?? ""
    command = NamedCommand(
      service: service, name: name, key: key, compensates: compensates, sagaID: sagaID, userID: userID,
      tenantID: tenantID, body: try Self.object(event.data))
  }

  /// The largest body in bytes, the same as over HTTP.
  private static let largestBody = 1 << 20

  private static func object(_ bytes: [UInt8]) throws(Poison) -> JSONObject {
    let json: JSON
    do {
      json = try JSON(parsing: bytes)
    } catch {
      throw Poison(
        LabErrorCode.notJSON,
        "The body is not JSON: line \(error.line), column \(error.column): \(error.message)")
    }
    if json.isNull { return [:] }
    guard let object = json.objectValue else {
      throw Poison(LabErrorCode.notJSON, "The body must be a JSON object or null, not \(json.kind).")
    }
    return object
  }
}
