import Messaging
import Persistence
import Server
import Streaming
import Synchronization
import Values

/// The state of Kafka that the API shows, as a test sets it.
final class FakeKafka: KafkaView, EchoControl {
  struct Rewind: Hashable {
    let shard: Int?
    let position: Int64
    let by: String
    let reason: String
  }

  struct Refused: CodedError {
    let code = StreamingErrorCode.echoRewindInvalid
    let message = "There is no shard 7."
  }

  private struct Contents {
    var status: Result<EchoStatus, any Error>
    var consumers: [ConsumerStatus] = []
    var rewinds: [Rewind] = []
  }
  private let contents: Mutex<Contents>

  init(_ status: EchoStatus = .sample(), consumers: [ConsumerStatus] = []) {
    contents = Mutex(Contents(status: .success(status), consumers: consumers))
  }

  var echo: any EchoControl { self }
  var consumers: [ConsumerStatus] { contents.withLock { $0.consumers } }
  var rewinds: [Rewind] { contents.withLock { $0.rewinds } }

  func show(_ status: EchoStatus, consumers: [ConsumerStatus] = []) {
    contents.withLock { ($0.status, $0.consumers) = (.success(status), consumers) }
  }

  func fail(_ error: any Error) { contents.withLock { $0.status = .failure(error) } }

  func status() async throws -> EchoStatus { try contents.withLock { try $0.status.get() } }

  /// Four shards, each with 100 events.
  func rewind(shard: Int?, to position: Int64, by: String, reason: String, from: String?) async throws -> Int64 {
    guard shard ?? 0 < 4, position <= 100 else { throw Refused() }
    contents.withLock { $0.rewinds.append(Rewind(shard: shard, position: position, by: by, reason: reason)) }
    return (100 - position) * (shard == nil ? 4 : 1)
  }
}

extension EchoStatus {
  static func sample(
    _ state: State = .current, lagEvents: Int64 = 0, lag: Duration = .zero, problem: Problem? = nil
  ) -> EchoStatus {
    EchoStatus(
      topic: "laboratory.saga.events", state: state, lagEvents: lagEvents, lag: lag, problem: problem, delivered: 400,
      deadLettered: 1,
      shards: (0..<4).map { shard in
        let missing = shard == 0 ? lagEvents : 0
        return Shard(shard: shard, head: 100, delivered: 100 - missing, checkpoint: 90 - missing)
      },
      client: KafkaStatistics(
        """
        {"msg_cnt": 3, "msg_size": 900, "txmsgs": 400, "txmsg_bytes": 120000,
         "brokers": {"a": {"nodeid": 1, "state": "UP", "rtt": {"p99": 1250}}}}
        """))
  }
}

extension EchoStatus.Problem {
  static let unreachable = EchoStatus.Problem(
    code: MessagingErrorCode.unavailable, message: "Kafka is out of reach: 1/1 brokers are down",
    since: Timestamp(milliseconds: 1_772_352_930_250))
}

extension ConsumerStatus {
  static func sample(_ topic: String = "saga.commands", lag: Int64 = 0, problem: String? = nil) -> ConsumerStatus {
    ConsumerStatus(
      group: "saga-engine", topics: [topic], lag: lag, handled: 17, deadLettered: 2, partitions: 8, problem: problem)
  }
}
