import Messaging
import Persistence
import Values

@testable import Streaming

extension StoredEvent {
  /// The event at a position of a shard, with a stream of its own.
  static func sample(_ position: Int64, shard: Int = 0) -> StoredEvent {
    StoredEvent(
      stream: .version7(at: Timestamp(milliseconds: 1_772_352_000_000), random: (UInt64(shard), UInt64(position))),
      version: 1, shard: shard, position: position, type: "sample.moved", data: Array("{\"n\":\(position)}".utf8),
      meta: [], appendID: .version7(at: Timestamp(milliseconds: 1), random: (1, UInt64(position))), hash: [],
      chain: nil,
      recordedAt: Timestamp(milliseconds: 1_772_352_000_000 + position))
  }

  static func samples(_ positions: ClosedRange<Int64>, shard: Int = 0) -> [StoredEvent] {
    positions.map { .sample($0, shard: shard) }
  }
}

extension KafkaError {
  static let passing = KafkaError(
    code: MessagingErrorCode.unavailable, message: "Kafka is out of reach.", isRetriable: true)
  static let refusing = KafkaError(code: MessagingErrorCode.messageRefused, message: "Kafka refuses the message.")
}

extension EchoShard {
  /// A shard with this many committed events, all buffered and none sent.
  static func given(_ head: Int64) -> EchoShard {
    var shard = EchoShard(shard: 0, checkpoint: 0, head: head)
    if head > 0 { shard.read(StoredEvent.samples(1...head), limit: .max) }
    return shard
  }

  /// Sends whatever may be sent, but so many at most.
  /// - Returns: the positions.
  @discardableResult
  mutating func send(_ limit: Int = .max) -> [Int64] {
    var sent: [Int64] = []
    while sent.count < limit, let event = nextToSend() {
      didSend()
      sent.append(event.position)
    }
    return sent
  }

  /// Reports of what is on its way now.
  mutating func report(_ positions: some Sequence<Int64>, _ error: KafkaError? = nil) {
    for position in positions { report(position, epoch: epoch, error) }
  }
}
