import Messaging
import Persistence
import Runtime
import Streaming
import Synchronization
import Values

/// From the commit to the broker's acknowledgement, at a steady rate.
enum Latency {
  /// When events were committed and when they were acknowledged, by shard and position.
  final class Times: Sendable {
    private struct State {
      var committed: [[Int64]]
      var delivered: [[Int64]]
    }
    private let state: Mutex<State>
    init(shards: Int, each: Int) {
      let row = [Int64](repeating: 0, count: each)
      state = Mutex(
        State(committed: .init(repeating: row, count: shards), delivered: .init(repeating: row, count: shards)))
    }
    func committed(_ shard: Int, _ position: Int64, at moment: Int64) {
      state.withLock { $0.committed[shard][Int(position)] = moment }
    }
    func delivered(_ shard: Int, _ position: Int64) {
      let now = monotonic()
      state.withLock { $0.delivered[shard][Int(position)] = now }
    }
    /// Those of the warm-up are left out.
    func latencies(since moment: Int64) -> [Int64] {
      state.withLock { state in
        zip(state.committed, state.delivered).flatMap { committed, delivered in
          zip(committed, delivered).compactMap { $0 > moment && $1 > 0 ? max(0, $1 - $0) : nil }
        }
      }
    }
  }

  static func measure(_ cluster: KafkaCluster, rate: Int, seconds: Int, round: Int) async throws {
    let bare = try await BareProducer.latencies(cluster, rate: rate, seconds: seconds)
    print(
      #"{"what": "latency", "who": "bare librdkafka", "round": \#(round), "rate": \#(rate), \#(Spread(bare).text)}"#)
    let store = MemoryStore(environment: .system)
    try await store.own(shards: nil)
    let times = Times(shards: store.shardCount, each: rate * (seconds + 4) / 8 + 1_000)
    let echo = try KafkaBench.echo(store, cluster) { times.delivered($0, $1) }
    let running = Task { try await echo.run() }
    let begun = monotonic()
    let warm = begun + 2_000_000_000
    var sent = 0
    // A commit now and then of a few events, as a store that gathers makes them.
    while monotonic() - begun < Int64(seconds + 2) * 1_000_000_000 {
      let due = Int(Double(monotonic() - begun) / 1e9 * Double(rate))
      while sent < due {
        let stream = Environment.system.newID()
        let shard = store.shard(of: stream)
        let moment = monotonic()
        let appended = try await store.append(
          Append(
            stream: stream, expectedVersion: 0,
            events: [
              NewEvent(type: "stepSucceeded", data: KafkaBench.data, meta: KafkaBench.meta),
              NewEvent(type: "attemptStarted", data: KafkaBench.data, meta: KafkaBench.meta),
            ], appendID: Environment.system.newID()))
        times.committed(shard, appended.position, at: moment)
        times.committed(shard, appended.position - 1, at: moment)
        sent += 2
      }
      try await SystemClock().sleep(until: SystemClock().now() + .milliseconds(1))
    }
    running.cancel()
    _ = await running.result
    let latencies = times.latencies(since: warm)
    print(
      #"{"what": "latency", "who": "the echo", "round": \#(round), "rate": \#(rate), "events": \#(latencies.count), "#
        + #"\#(Spread(latencies).text)}"#)
    await store.close()
  }
}
