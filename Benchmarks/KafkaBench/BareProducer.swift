import CKafka
import Messaging
import Synchronization

/// librdkafka with nothing of ours around it, set as ours is.
enum BareProducer {
  private static func client(_ cluster: KafkaCluster) throws -> OpaquePointer {
    let configuration: OpaquePointer = rd_kafka_conf_new()
    for (name, value) in [
      ("bootstrap.servers", cluster.brokers), ("enable.idempotence", "true"), ("acks", "all"), ("linger.ms", "1"),
      ("queue.buffering.max.messages", "200000"), ("compression.type", "lz4"), ("log_level", "0"),
    ] { rd_kafka_conf_set(configuration, name, value, nil, 0) }
    rd_kafka_conf_set_dr_msg_cb(configuration) { _, message, box in
      guard let message, let box, message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else { return }
      Unmanaged<Box>.fromOpaque(box).takeUnretainedValue().delivered(
        Int64(Int(bitPattern: message.pointee._private)))
    }
    rd_kafka_conf_set_opaque(configuration, Unmanaged.passUnretained(Box.shared).toOpaque())
    guard let client = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, nil, 0) else {
      throw KafkaBench.Failure("the bare producer can't be made")
    }
    return client
  }

  /// Where the C callback leaves what it hears.
  final class Box: Sendable {
    static let shared = Box()
    private let state = Mutex<(latencies: [Int64], count: Int)>(([], 0))
    func delivered(_ moment: Int64) {
      let now = monotonic()
      state.withLock { state in
        state.count += 1
        if moment > 0 { state.latencies.append(now - moment) }
      }
    }
    func reset() { state.withLock { $0 = ([], 0) } }
    var latencies: [Int64] { state.withLock { $0.latencies } }
    var count: Int { state.withLock { $0.count } }
  }

  private static func send(_ client: OpaquePointer, _ number: Int, _ data: [UInt8], at moment: Int64) {
    let key = "01a213c5-a1a6-7d0f-8f2f-\(number)"
    while true {
      let code = tracseq_kafka_produce(
        client, "bare", Int32(number % 16), key, key.utf8.count, data, data.count, nil,
        UnsafeMutableRawPointer(bitPattern: Int(moment)))
      rd_kafka_poll(client, code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? 1 : 0)
      if code != RD_KAFKA_RESP_ERR__QUEUE_FULL { return }
    }
  }

  static func latencies(_ cluster: KafkaCluster, rate: Int, seconds: Int) async throws -> [Int64] {
    let client = try client(cluster)
    defer { rd_kafka_destroy(client) }
    let data = KafkaBench.data
    for number in 0..<16 { send(client, number, data, at: 0) }
    rd_kafka_flush(client, 10_000)
    Box.shared.reset()
    let begun = monotonic()
    var sent = 0
    while monotonic() - begun < Int64(seconds) * 1_000_000_000 {
      let due = Int(Double(monotonic() - begun) / 1e9 * Double(rate))
      while sent < due {
        send(client, sent, data, at: monotonic())
        sent += 1
      }
      rd_kafka_poll(client, 1)
    }
    rd_kafka_flush(client, 10_000)
    return Box.shared.latencies
  }

  /// - Returns: messages a second.
  static func throughput(_ cluster: KafkaCluster, count: Int) async throws -> Double {
    let client = try client(cluster)
    defer { rd_kafka_destroy(client) }
    let data = KafkaBench.data
    for number in 0..<16 { send(client, number, data, at: 0) }
    rd_kafka_flush(client, 10_000)
    Box.shared.reset()
    let begun = monotonic()
    for number in 0..<count { send(client, number, data, at: 0) }
    rd_kafka_flush(client, 60_000)
    guard Box.shared.count == count else { throw KafkaBench.Failure("\(Box.shared.count) of \(count) were delivered") }
    return Double(count) / (Double(monotonic() - begun) / 1e9)
  }
}
