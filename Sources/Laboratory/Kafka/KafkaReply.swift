import JSON
import Messaging
import Values

/// What a participant says to a command that came over Kafka.
enum KafkaReply: Sendable, Equatable {
  /// The command took effect, now or when its key first came.
  case succeeded(JSON)
  /// It has not happened.
  /// - retryable: the same command may succeed in a moment.
  /// - gone: there is nothing that it could act on.
  case failed(code: String, message: String, retryable: Bool = false, gone: Bool = false)
  /// It may have happened.
  case unknown(code: String, message: String)

  /// Says what a refusal says over HTTP, where the status tells the three apart.
  init(_ refusal: LabRefusal) {
    let message =
      refusal.places.count > 1
      ? refusal.places.map { "\($0.pointer): \($0.message)" }.joined(separator: "; ") : refusal.message
    switch refusal.status {
    case 408, 425, 429, 500...: self = .unknown(code: refusal.code, message: message)
    default:
      self = .failed(
        code: refusal.code, message: message, retryable: refusal.code == LabErrorCode.conflict,
        gone: refusal.status == 404 || refusal.status == 410)
    }
  }

  var json: JSON {
    switch self {
    case .succeeded(let output): ["outcome": "succeeded", "output": output]
    case .failed(let code, let message, let retryable, let gone):
      .members(
        ("outcome", "failed"), ("code", .string(code)), ("message", .string(message)),
        ("retryable", retryable ? true : nil), ("gone", gone ? true : nil))
    case .unknown(let code, let message):
      ["outcome": "unknown", "code": .string(code), "message": .string(message)]
    }
  }

  /// The reply as a message.
  /// - Parameters:
  ///   - envelope: of the command that is answered.
  ///   - topic: where it wants its answer.
  ///   - key: its idempotency key.
  func record(
    to envelope: KafkaCommandEnvelope, on topic: String, key: String, service: LabService, at moment: Timestamp
  ) -> KafkaRecord {
    let event = CloudEvent(
      id: envelope.id, source: "/laboratory/\(service.rawValue)", type: Self.type, subject: envelope.sagaID,
      time: moment, data: json.bytes())
    var record = event.record(topic: topic, key: nil)
    record.key = envelope.messageKey
    record.headers.append(KafkaHeader("idempotency-key", key))
    if let attempt = envelope.attempt { record.headers.append(KafkaHeader("saga-attempt", attempt)) }
    return record
  }

  static let type = "dev.tracseq.saga.reply"
}
