import JSON

extension ActionReader {
  /// The lower-case names of headers that the engine sets itself. It also sets all that begin with `ce_`, which belong
  /// to CloudEvents.
  private static let ownKafkaHeaders: Set<String> = [
    "idempotency-key", "compensates", "saga-id", "saga-step", "saga-attempt", "reply-topic", "traceparent",
    "content-type",
  ]

  mutating func kafka(_ json: JSON, at pointer: JSONPointer) -> KafkaAction? {
    let what = "a kafka action"
    if services.kafka?.isEmpty == true {
      report.rule(
        WorkflowErrorCode.needsKafka, "this engine has no Kafka: start the engine with --kafka BROKERS", at: pointer,
        .name)
    }
    guard
      let reader = ObjectReader(
        json, at: pointer, what: what, keys: ["service", "command", "headers", "body"],
        meant: Meant.kafka, report: report)
    else { return nil }
    let service = reader.name("service", of: what)
    // The missing Kafka is already reported. Without Kafka, no service can be named.
    if let service, services.kafka?.isEmpty == false { checkService(service, among: services.kafka, in: reader) }
    let command = reader.name("command", of: what)
    let headers = headers(in: reader) { Self.ownKafkaHeaders.contains($0) || $0.utf8.starts(with: "ce_".utf8) }
    let body = reader.members["body"].flatMap { template($0, at: reader.pointer(to: "body")) }
    guard let service, let command else { return nil }
    return KafkaAction(service: service, command: command, headers: headers, body: body)
  }
}
