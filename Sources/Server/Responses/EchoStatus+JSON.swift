import Messaging
import Persistence
import Streaming
import Wire

extension EchoResponse {
  init(_ status: EchoStatus, consumers: [ConsumerStatus]) {
    self.init(
      topic: status.topic, state: status.state.rawValue, lagEvents: Int(status.lagEvents), lagSeconds: status.lag,
      problem: status.problem.map { Problem(code: $0.code, message: $0.message, since: $0.since) },
      delivered: Int(status.delivered), deadLettered: Int(status.deadLettered),
      shards: status.shards.map {
        Shard(shard: $0.shard, head: Int($0.head), delivered: Int($0.delivered), checkpoint: Int($0.checkpoint))
      },
      consumers: consumers.map {
        Consumer(
          group: $0.group, topics: $0.topics, partitions: $0.partitions, lag: Int($0.lag), handled: Int($0.handled),
          deadLettered: Int($0.deadLettered), problem: $0.problem)
      })
  }
}
