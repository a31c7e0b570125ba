import BenchSupport
import Messaging
import Persistence
import Runtime
import Streaming
import Synchronization
import Values

/// How fast the echo catches up with what was committed while it was away.
enum Backlog {
  static func measure(_ cluster: KafkaCluster, events: Int, stores: [String], round: Int) async throws {
    let bare = try await BareProducer.throughput(cluster, count: events)
    print(#"{"what": "backlog", "who": "bare librdkafka", "round": \#(round), "eventsPerSecond": \#(Int(bare))}"#)
    for kind in stores {
      guard let bed = try await TestBed.make(kind) else { continue }
      try await fill(bed.store, events)
      let count = Mutex(0)
      let (done, doing) = AsyncStream.makeStream(of: Void.self)
      let echo = try KafkaBench.echo(bed.store, cluster) { _, _ in
        let now = count.withLock { count in
          count += 1
          return count
        }
        if now == events { doing.finish() }
      }
      // All of it counts: reading the checkpoints, finding the broker, and every event up to the last acknowledgement.
      let begun = monotonic()
      let running = Task { try await echo.run() }
      for await _ in done {}
      let seconds = Double(monotonic() - begun) / 1e9
      running.cancel()
      _ = await running.result
      let perSecond = Double(events) / seconds
      print(
        #"{"what": "backlog", "who": "the echo", "store": "\#(kind)", "round": \#(round), "events": \#(events), "#
          + #""eventsPerSecond": \#(Int(perSecond)), "ofBare": \#((perSecond / bare * 100).rounded() / 100)}"#)
      await bed.remove()
    }
  }

  private static func fill(_ store: any EventStore, _ events: Int) async throws {
    try await store.own(shards: nil)
    let event = NewEvent(type: "stepSucceeded", data: KafkaBench.data, meta: KafkaBench.meta)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<(events / 10) {
        if number >= 256 { try await group.next() }
        group.addTask {
          _ = try await store.append(
            Append(
              stream: Environment.system.newID(), expectedVersion: 0, events: Array(repeating: event, count: 10),
              appendID: Environment.system.newID()))
        }
      }
      try await group.waitForAll()
    }
  }
}
