import JSON
import Messaging
import Values

extension StreamEvent {
  /// Reads a message: a CloudEvent, or plain JSON, which becomes an event with `data` alone.
  /// - Throws: `message.notJSON`, `message.malformed`.
  init(_ message: KafkaMessage) throws(Poison) {
    let event = try CloudEvent(message)
    var members = JSONObject()
    if let event {
      members["id"] = .string(event.id)
      members["source"] = .string(event.source)
      members["type"] = .string(event.type)
      if let subject = event.subject { members["subject"] = .string(subject) }
      if let time = event.time { members["time"] = .string(time.description) }
      if let type = event.dataContentType { members["datacontenttype"] = .string(type) }
      if let schema = event.dataSchema { members["dataschema"] = .string(schema) }
      for one in event.extensions { members[one.name] = .string(one.value) }
    }
    members["data"] = try Self.json(event?.data ?? message.value ?? [])
    let key = message.key.flatMap { String(validating: $0, as: UTF8.self) }
    members["kafka"] = Self.place(of: message, key: key)
    self.init(
      partition: StreamPartition(topic: message.topic, number: message.partition), offset: message.offset,
      identity: event?.identity ?? message.place, key: key, time: event?.time,
      place: event.flatMap(StorePlace.init), document: .object(members))
  }

  private static func place(of message: KafkaMessage, key: String?) -> JSON {
    var members: JSONObject = [
      "topic": .string(message.topic), "partition": .int(message.partition), "offset": .int(Int(message.offset)),
    ]
    if let key { members["key"] = .string(key) }
    if let timestamp = message.timestamp { members["timestamp"] = .string(timestamp.description) }
    return .object(members)
  }

  private static func json(_ bytes: [UInt8]) throws(Poison) -> JSON {
    // A message without a value means that its key was deleted: null.
    if bytes.isEmpty { return .null }
    // With a schema registry, five bytes come before the JSON: a zero byte, with which no JSON begins, and the schema's id.
    let text = bytes[0] == 0 && bytes.count > 5 ? Array(bytes.dropFirst(5)) : bytes
    do {
      return try JSON(parsing: text)
    } catch {
      throw Poison(
        MessagingErrorCode.messageNotJSON,
        "The message's data is not JSON: line \(error.line), column \(error.column): \(error.message)")
    }
  }
}

extension StreamEvent.StorePlace {
  /// Reads the place that an echo writes into its events.
  init?(_ event: CloudEvent) {
    guard let shard = event.value(ofExtension: "shard").flatMap({ Int($0) }),
      let position = event.value(ofExtension: "position").flatMap({ Int64($0) })
    else { return nil }
    self.init(source: event.source, shard: shard, position: position)
  }
}

extension StreamOutput {
  /// Returns the output as a message.
  func record(of definition: StreamDefinition) -> KafkaRecord {
    CloudEvent(id: id, source: definition.source, type: type, subject: key, time: time, data: data.bytes())
      .record(topic: definition.to, key: key)
  }
}

extension KafkaMessage {
  /// Returns the message for a topic of late events: unchanged, with the stream and the reason as headers.
  func lateRecord(to topic: String, stream: String, reason: String) -> KafkaRecord {
    KafkaRecord(
      topic: topic, key: key, value: value,
      headers: headers + [
        KafkaHeader("late_stream", stream), KafkaHeader("late_topic", self.topic),
        KafkaHeader("late_partition", "\(partition)"), KafkaHeader("late_offset", "\(offset)"),
        KafkaHeader("late_reason", reason),
      ])
  }
}
