import JSON
import Messaging
import Streaming
import Values

extension EchoStatus {
  /// As `GET /v1/echo` shows it.
  func json(consumers: [ConsumerStatus]) -> JSON {
    .members([
      "topic": .string(topic), "state": .string(state.rawValue), "lagEvents": .long(lagEvents),
      "lagSeconds": .seconds(lag), "problem": problem?.json, "delivered": .long(delivered),
      "deadLettered": .long(deadLettered), "shards": .array(shards.map(\.json)),
      "consumers": .array(consumers.map(\.json)),
    ])
  }
}

extension EchoStatus.Problem {
  fileprivate var json: JSON {
    ["code": .string(code), "message": .string(message), "since": .string(since.description)]
  }
}

extension EchoStatus.Shard {
  fileprivate var json: JSON {
    [
      "shard": .int(shard), "head": .long(head), "delivered": .long(delivered), "checkpoint": .long(checkpoint),
    ]
  }
}

extension ConsumerStatus {
  fileprivate var json: JSON {
    .members([
      "group": .string(group), "topics": .texts(topics), "partitions": .int(partitions), "lag": .long(lag),
      "handled": .long(handled), "deadLettered": .long(deadLettered), "problem": .text(problem),
    ])
  }
}

extension JSON {
  fileprivate static func long(_ value: Int64) -> JSON { .number(JSONNumber(value)) }

  /// Seconds, to the millisecond.
  static func seconds(_ duration: Duration) -> JSON {
    let (seconds, attoseconds) = duration.components
    return .number(JSONNumber(Double(seconds * 1_000 + attoseconds / 1_000_000_000_000_000) / 1_000))
  }
}
