import JSON
import Messaging
import Values

extension CommandReply {
  /// Returns the reply as a message.
  /// - Parameters:
  ///   - envelope: the envelope of the command.
  ///   - topic: the command's reply topic.
  ///   - key: the command's idempotency key.
  func record(
    to envelope: KafkaCommandEnvelope, on topic: String, key: String, service: LabService, at time: Timestamp
  ) -> KafkaRecord {
    let event = CloudEvent(
      id: envelope.id, source: "/laboratory/\(service.rawValue)", type: Self.type, subject: envelope.sagaID,
      time: time, data: json.bytes())
    var record = event.record(topic: topic, key: nil)
    record.key = envelope.messageKey
    record.headers.append(KafkaHeader("idempotency-key", key))
    if let attempt = envelope.attempt { record.headers.append(KafkaHeader("saga-attempt", attempt)) }
    return record
  }

  static let type = "dev.tracseq.saga.reply"
}
