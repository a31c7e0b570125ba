import CKafka
import Dispatch
import Foundation
import Runtime
import Synchronization

/// A client of librdkafka, made from settings and destroyed after its last use. Its events come through `queue`.
///
/// Sound across threads: librdkafka documents that both pointers are safe to use from any thread.
final class KafkaHandle: @unchecked Sendable {
  enum Kind { case producer, consumer }
  typealias Settings = [(name: String, value: String)]

  let client: OpaquePointer
  let queue: OpaquePointer
  /// Signalled when the client is destroyed.
  let destroyed = DispatchSemaphore(value: 0)
  private let isInGroup: Atomic<Bool>

  /// - Parameters:
  ///   - name: distinguishes the clients of one process in the broker's log.
  ///   - settings: this module's settings. The cluster's properties override them.
  ///   - essential: settings that override the cluster's properties.
  init(
    _ kind: Kind, _ cluster: KafkaCluster, name: String, settings: Settings, essential: Settings = []
  ) throws(KafkaError) {
    isInGroup = Atomic(kind == .producer)
    let configuration: OpaquePointer = rd_kafka_conf_new()
    var isTaken = false
    defer { if !isTaken { rd_kafka_conf_destroy(configuration) } }
    let own: Settings = [
      ("bootstrap.servers", cluster.brokers), ("client.id", "tracseq-\(name)"), ("log.queue", "true"),
      ("statistics.interval.ms", "5000"), ("socket.keepalive.enable", "true"), ("reconnect.backoff.max.ms", "2000"),
    ]
    for (name, value) in own + settings { try Self.set(configuration, name, value) }
    try Self.refuse(cluster.properties)
    for property in cluster.properties where Self.concerns(property.name, kind) {
      try Self.set(configuration, property.name, property.value)
    }
    for (name, value) in essential { try Self.set(configuration, name, value) }
    tracseq_kafka_set_events(configuration, kind == .consumer ? 1 : 0)
    var reason = [CChar](repeating: 0, count: 512)
    let made = rd_kafka_new(
      kind == .consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, configuration, &reason, reason.count)
    guard let made else { throw .configuration(Self.text(reason)) }
    isTaken = true
    client = made
    if kind == .consumer {
      rd_kafka_poll_set_consumer(made)
      queue = rd_kafka_queue_get_consumer(made)
    } else {
      queue = rd_kafka_queue_get_main(made)
    }
    rd_kafka_set_log_queue(made, queue)
  }

  /// Destroys the client on a thread of its own. Destroying waits for the client's threads: more than a minute if a broker
  /// does not answer. The last owner may be on any thread. A consumer that did not leave its group in time does not try
  /// again, because librdkafka would wait without end.
  deinit {
    guard canBeDestroyed else {
      destroyed.signal()
      return
    }
    // Sound: this was the last owner of both pointers.
    struct Pointers: @unchecked Sendable {
      let client: OpaquePointer
      let queue: OpaquePointer
    }
    let (pointers, destroyed) = (Pointers(client: client, queue: queue), destroyed)
    let thread = Thread {
      rd_kafka_queue_destroy(pointers.queue)
      rd_kafka_destroy_flags(pointers.client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
      destroyed.signal()
    }
    thread.name = "kafka end"
    thread.start()
  }

  /// Notes that the group has assigned partitions to the consumer; an empty assignment counts.
  func wasAssigned() { isInGroup.store(true, ordering: .relaxed) }

  /// librdkafka before 2.3 aborts the process when a consumer is destroyed between its joining a group and its first
  /// assignment (its issue 4381). Such a client has left the group, or tried; its idle threads stay until the process ends.
  private var canBeDestroyed: Bool {
    isInGroup.load(ordering: .relaxed) || rd_kafka_version() >= 0x0203_0000
  }

  private static func set(_ configuration: OpaquePointer, _ name: String, _ value: String) throws(KafkaError) {
    var reason = [CChar](repeating: 0, count: 512)
    guard rd_kafka_conf_set(configuration, name, value, &reason, reason.count) != RD_KAFKA_CONF_OK else { return }
    // The value may be a password. librdkafka's text repeats it; this one must not.
    let said = value.isEmpty ? text(reason) : text(reason).replacing(value, with: "…")
    throw .configuration("\(name): \(said)")
  }

  /// Refuses properties on which delivery depends. For example, librdkafka's automatic commit would commit messages that
  /// were not handled.
  private static func refuse(_ properties: [KafkaCluster.Property]) throws(KafkaError) {
    for property in properties {
      guard let allowed = settled[property.name], !allowed.contains(property.value) else { continue }
      throw .configuration("\(property.name) can't be set, because the delivery of messages depends on it.")
    }
  }

  /// The properties that can't be changed, each with the values that are accepted because they change nothing.
  private static let settled: [String: Set<String>] = [
    "enable.idempotence": ["true"], "acks": ["all", "-1"], "request.required.acks": ["all", "-1"],
    "enable.gapless.guarantee": [], "transactional.id": [], "message.timeout.ms": [], "delivery.timeout.ms": [],
    "queuing.strategy": ["fifo"], "enable.auto.commit": ["false"], "auto.commit.enable": ["false"],
    "enable.auto.offset.store": ["false"], "auto.offset.reset": [], "partition.assignment.strategy": [],
    "enable.partition.eof": [], "log.queue": ["true"],
  ]

  /// Returns whether a property applies to this kind of client. One list of properties serves producers and consumers.
  private static func concerns(_ name: String, _ kind: Kind) -> Bool {
    switch kind {
    case .consumer: !producerOnly.contains(name)
    case .producer: !consumerOnly.contains(name)
    }
  }

  private static let producerOnly: Set<String> = [
    "linger.ms", "queue.buffering.max.ms", "queue.buffering.max.messages", "queue.buffering.max.kbytes", "acks",
    "request.required.acks", "batch.size", "batch.num.messages", "compression.type", "compression.codec",
    "compression.level", "message.timeout.ms", "delivery.timeout.ms", "enable.idempotence", "enable.gapless.guarantee",
    "partitioner", "message.send.max.retries", "retries", "request.timeout.ms", "sticky.partitioning.linger.ms",
    "transactional.id", "transaction.timeout.ms",
  ]
  private static let consumerOnly: Set<String> = [
    "group.id", "group.instance.id", "session.timeout.ms", "heartbeat.interval.ms", "max.poll.interval.ms",
    "auto.offset.reset", "enable.auto.commit", "auto.commit.interval.ms", "enable.auto.offset.store",
    "partition.assignment.strategy", "queued.min.messages", "queued.max.messages.kbytes", "fetch.wait.max.ms",
    "fetch.message.max.bytes", "max.partition.fetch.bytes", "fetch.max.bytes", "fetch.min.bytes",
    "fetch.error.backoff.ms", "isolation.level", "enable.partition.eof", "check.crcs",
  ]

  static func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// Reads the log events and error events of a client.
enum KafkaNews {
  /// Writes a log event of the client to the process's log.
  static func log(_ event: OpaquePointer, to log: Log) {
    var facility: UnsafePointer<CChar>?
    var text: UnsafePointer<CChar>?
    var level: Int32 = 7
    guard rd_kafka_event_log(event, &facility, &text, &level) == 0, let text else { return }
    let message = String(cString: text)
    // Syslog's levels: 3 is an error, 4 a warning. A client often reconnects, so a warning is only worth a debug line.
    if level <= 3 { log.warning("Kafka", ("said", message)) } else { log.debug("Kafka", ("said", message)) }
  }

  static func error(_ event: OpaquePointer, of client: OpaquePointer) -> KafkaError {
    let said = rd_kafka_event_error_string(event).map { String(cString: $0) } ?? ""
    let code = rd_kafka_event_error(event)
    // The event's code is the cause, such as `_GAPLESS_GUARANTEE`; a flag of the event says that it is fatal.
    if rd_kafka_event_error_is_fatal(event) != 0 || code == RD_KAFKA_RESP_ERR__FATAL {
      var reason = [CChar](repeating: 0, count: 512)
      let cause = rd_kafka_fatal_error(client, &reason, reason.count)
      return KafkaError(cause, said: KafkaHandle.text(reason), isFatal: true)
    }
    return KafkaError(code, said: said)
  }
}
