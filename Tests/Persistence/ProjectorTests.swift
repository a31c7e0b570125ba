import Persistence
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@Suite("A projector follows the tail", .timeLimit(.minutes(15)), .inTurn)
struct ProjectorTests {
  /// Counts the events of each stream, and fails where a test sets it to.
  final class Counting: Projection {
    let name = "counting"
    let collections: Set<String> = ["counts"]
    let failures = Mutex<[UniqueID: Int]>([:])

    struct Poison: Error {}

    func apply(_ events: [StoredEvent], to changes: inout ProjectionChanges) async throws {
      for event in events {
        let mustFail = failures.withLock { failures in
          guard let left = failures[event.stream], left > 0 else { return false }
          failures[event.stream] = left - 1
          return true
        }
        if mustFail { throw Poison() }
        let id = event.stream.description
        let count = try await changes.document(collection: "counts", id: id).map { Int($0.data.count) } ?? 0
        changes.put(
          Document(collection: "counts", id: id, sort: id, data: [UInt8](repeating: 1, count: count + 1)))
      }
    }
  }

  private func count(_ store: any EventStore, _ stream: UniqueID) async throws -> Int {
    try await store.document(collection: "counts", id: stream.description)?.data.count ?? 0
  }

  @Test("Each event has its effect once, and a rebuild gives the same", arguments: StoreKind.tested)
  func exactlyOnce(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let streams = (0..<10).map { _ in place.newID() }
      for stream in streams { _ = try await store.append(place.append(stream, count: 3)) }
      let projector = Projector(
        store: store, projection: Counting(), environment: place.environment,
        configuration: .init(batchSize: 4))
      let running = Task { try await projector.run() }
      try await projector.waitUntilCaughtUp()
      for stream in streams { #expect(try await count(store, stream) == 3) }

      // Woken by what commits; read your writes.
      for stream in streams {
        let appended = try await store.append(place.append(stream, at: 3, count: 6))
        try await projector.caughtUp(to: [store.shard(of: stream): appended.position])
        #expect(try await count(store, stream) == 9)
      }
      try await projector.rebuild()
      try await projector.waitUntilCaughtUp()
      for stream in streams { #expect(try await count(store, stream) == 9) }
      running.cancel()
      _ = await running.result

      // The next one continues from the checkpoints.
      _ = try await store.append(place.append(streams[0], at: 9))
      let next = Projector(store: store, projection: Counting(), environment: place.environment)
      let going = Task { try await next.run() }
      try await next.waitUntilCaughtUp()
      #expect(try await count(store, streams[0]) == 10)
      going.cancel()
      _ = await going.result
      await #expect(throws: CancellationError.self) { try await next.caughtUp(to: [0: 1_000]) }
    }
  }

  @Test("A failing batch is reported and retried with growing pauses; other shards continue")
  func failure() async throws {
    try await withStore(.memory, shardCount: 2) { store, place in
      var streams: [UniqueID] = []
      while streams.count < 2 {
        let id = place.newID()
        if store.shard(of: id) == streams.count { streams.append(id) }
      }
      let projection = Counting()
      projection.failures.withLock { $0[streams[0]] = 2 }
      let reported = Mutex<[Duration]>([])
      let projector = Projector(store: store, projection: projection, environment: place.environment) { failure in
        #expect(failure.shard == 0)
        #expect(failure.error is Counting.Poison)
        reported.withLock { $0.append(failure.retryAt - place.clock.now()) }
      }
      let running = Task { try await projector.run() }
      _ = try await store.append(place.append(streams[0], count: 2))
      _ = try await store.append(place.append(streams[1], count: 2))
      try await projector.caughtUp(to: [1: 2])
      for wait in [Duration.milliseconds(100), .milliseconds(200)] {
        await place.clock.waitForSleepers { !$0.isEmpty }
        #expect(try await count(store, streams[0]) == 0)
        place.clock.advance(by: wait)
      }
      try await projector.caughtUp(to: [0: 2])
      #expect(try await count(store, streams[0]) == 2)
      #expect(reported.withLock { $0 } == [.milliseconds(100), .milliseconds(200)])
      running.cancel()
      _ = await running.result
    }
  }
}
