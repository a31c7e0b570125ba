import JSON
import Values

// The Kafka protocol binding of CloudEvents 1.0: binary mode has the attributes as headers `ce_…` and the data as value;
// structured mode has everything as one JSON object.
extension CloudEvent {
  /// Returns the event as a message in binary mode.
  public func record(topic: String, key: String?, partition: Int? = nil) -> KafkaRecord {
    var headers: [KafkaHeader] = []
    headers.reserveCapacity(8 + extensions.count)
    eachHeader { headers.append(KafkaHeader($0, $1)) }
    return KafkaRecord(
      topic: topic, partition: partition, key: key.map { Array($0.utf8) }, value: data, headers: headers)
  }

  /// Calls `body` with the name and value of each header, in order.
  func eachHeader(_ body: (String, String) -> Void) {
    body("ce_specversion", "1.0")
    body("ce_id", id)
    body("ce_source", source)
    body("ce_type", type)
    if let subject { body("ce_subject", subject) }
    if let time { body("ce_time", time.description) }
    if let dataSchema { body("ce_dataschema", dataSchema) }
    if let dataContentType { body("content-type", dataContentType) }
    for one in extensions { body("ce_" + one.name, one.value) }
  }

  /// Reads a message in binary or in structured mode.
  /// - Returns: nil when the message does not claim to be a CloudEvent.
  /// - Throws: `message.malformed` or `message.notJSON` when it claims to be one and is not.
  public init?(_ message: KafkaMessage) throws(Poison) {
    if message.header("content-type")?.lowercased().hasPrefix("application/cloudevents") ?? false {
      try self.init(structured: message.value ?? [])
    } else if let version = message.header("ce_specversion") {
      try self.init(binary: message, version: version)
    } else {
      return nil
    }
  }

  private static let attributes: Set<String> = [
    "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64",
  ]

  private init(binary message: KafkaMessage, version: String) throws(Poison) {
    try Self.check(version)
    try self.init(
      id: Self.required("id", message.header("ce_id")), source: Self.required("source", message.header("ce_source")),
      type: Self.required("type", message.header("ce_type")), subject: message.header("ce_subject"),
      time: Self.time(message.header("ce_time")), dataContentType: message.header("content-type"),
      dataSchema: message.header("ce_dataschema"),
      extensions: message.headers.compactMap { header in
        guard header.name.hasPrefix("ce_") else { return nil }
        let name = String(header.name.dropFirst(3))
        return Self.attributes.contains(name) ? nil : Extension(name, header.text)
      }, data: message.value ?? [])
  }

  private init(structured bytes: [UInt8]) throws(Poison) {
    let json: JSON
    do {
      json = try JSON(parsing: bytes)
    } catch {
      throw Poison(
        MessagingErrorCode.messageNotJSON,
        "The CloudEvent is not JSON: line \(error.line), column \(error.column): \(error.message)")
    }
    guard let members = json.objectValue else {
      throw Poison(MessagingErrorCode.messageMalformed, "A CloudEvent is an object, not \(json.kind).")
    }
    try Self.check(members["specversion"]?.stringValue ?? "none")
    guard members["data_base64"] == nil else {
      throw Poison(
        MessagingErrorCode.messageMalformed, "The CloudEvent has “data_base64”. Send its data as JSON in “data”.")
    }
    try self.init(
      id: Self.required("id", members["id"]?.stringValue),
      source: Self.required("source", members["source"]?.stringValue),
      type: Self.required("type", members["type"]?.stringValue), subject: members["subject"]?.stringValue,
      time: Self.time(members["time"]?.stringValue), dataContentType: members["datacontenttype"]?.stringValue,
      dataSchema: members["dataschema"]?.stringValue,
      extensions: members.compactMap { name, value in
        Self.attributes.contains(name) ? nil : Extension(name, value.stringValue ?? value.text())
      }, data: (members["data"] ?? .null).bytes())
  }

  private static func check(_ version: String) throws(Poison) {
    guard version == "1.0" else {
      throw Poison(
        MessagingErrorCode.messageMalformed, "The CloudEvent has the specversion “\(version)”. Send 1.0.")
    }
  }

  private static func required(_ name: String, _ value: String?) throws(Poison) -> String {
    guard let value, !value.isEmpty else {
      throw Poison(MessagingErrorCode.messageMalformed, "The CloudEvent has no “\(name)”.")
    }
    return value
  }

  private static func time(_ text: String?) throws(Poison) -> Timestamp? {
    guard let text else { return nil }
    guard let time = Timestamp(text) else {
      throw Poison(
        MessagingErrorCode.messageMalformed, "The CloudEvent's time “\(text)” is not an RFC 3339 date-time.")
    }
    return time
  }
}
