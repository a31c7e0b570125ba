import JSON
import Messaging
import Persistence
import Runtime
import Synchronization
import Testing
import Values

@testable import Laboratory

/// A laboratory in process, and its taking of commands as Kafka would hand them to it.
final class LabKafkaBench: Sendable {
  let lab: LabBench
  let topics = LabKafka.Topics()
  private let sent = Mutex<[KafkaRecord]>([])
  private let failures = Mutex<[KafkaError]>([])
  private let offsets = Mutex<Int64>(0)

  init(_ lab: LabBench) { self.lab = lab }

  var handler: KafkaCommandHandler {
    KafkaCommandHandler(
      participants: lab.participants, topics: topics, environment: lab.environment, log: .silent
    ) { [self] record in
      if let failure = failures.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { throw failure }
      sent.withLock { $0.append(record) }
    }
  }

  /// The next answers fail with these.
  func fail(_ errors: KafkaError...) { failures.withLock { $0 += errors } }

  /// A command as the engine sends it.
  func message(
    _ service: LabService, _ name: String, _ body: JSON?, key: String, compensates: String? = nil, attempt: Int = 1,
    saga: String = "saga", without missing: String? = nil, with more: [KafkaHeader] = []
  ) -> KafkaMessage {
    let event = CloudEvent(
      id: "\(key)#\(attempt)", source: "/sagas/test", type: "\(service.rawValue).\(name)", subject: saga,
      time: lab.environment.now(), data: (body ?? .null).bytes())
    var headers = event.record(topic: "", key: nil).headers
    headers += [
      KafkaHeader("idempotency-key", key), KafkaHeader("saga-id", saga), KafkaHeader("saga-step", "s"),
      KafkaHeader("saga-attempt", "\(attempt)"), KafkaHeader("reply-topic", "saga.replies"),
    ]
    if let compensates { headers.append(KafkaHeader("compensates", compensates)) }
    headers = headers.filter { $0.name != missing } + more
    return raw(service, value: event.data, headers: headers, key: saga)
  }

  func raw(_ service: LabService, value: [UInt8]?, headers: [KafkaHeader], key: String? = nil) -> KafkaMessage {
    let offset = offsets.withLock { offset in
      offset += 1
      return offset
    }
    return KafkaMessage(
      topic: topics[.commands(service)], partition: 0, offset: offset, key: key.map { Array($0.utf8) }, value: value,
      headers: headers)
  }

  struct Reply: Sendable, Equatable {
    let record: KafkaRecord
    let body: JSON

    init(_ record: KafkaRecord) throws {
      self.record = record
      body = try JSON(parsing: record.value ?? [])
    }

    func header(_ name: String) -> String? { record.headers.last { $0.name == name }?.text }
    var outcome: String? { body["outcome"]?.stringValue }
    var code: String? { body["code"]?.stringValue }
    var isGone: Bool { body["gone"] == true }
    var isRetryable: Bool { body["retryable"] == true }
  }

  /// Returns the answers since the last call.
  func replies() throws -> [Reply] {
    try sent.withLock { records in
      defer { records = [] }
      return try records.map { try Reply($0) }
    }
  }

  /// Hands a message over, and gives the one answer to it.
  func ask(_ message: KafkaMessage) async throws -> Reply {
    try await handler.handle(message)
    let replies = try replies()
    try #require(replies.count == 1, "\(replies.count) answers")
    return replies[0]
  }
}
