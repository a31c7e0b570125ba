import Messaging
import Persistence
import Runtime
import TestSupport
import Testing
import Values

@testable import Streaming

@Suite("The framing of an echo, and the status of an echo that has ended", .timeLimit(.minutes(15)), .inTurn)
struct EchoEndTests {
  /// A store whose files are damaged.
  private final class DamagedStore: StoreInFront {
    let store: any EventStore
    init(_ store: any EventStore) { self.store = store }
    func head(shard: Int) async throws(StoreError) -> Int64 { throw StoreError(.corrupt, "a page is damaged") }
  }

  @Test("An echo that ends by an error is held, although it has no lag")
  func ended() async throws {
    let bench = try await EchoBench(inFrontOf: { DamagedStore($0) })
    let echo = try bench.echo()
    await #expect(throws: StoreError.self) { try await echo.run() }
    let status = try await echo.status()
    #expect(status.state == .held && status.problem?.message.contains("a page is damaged") == true)
  }

  @Test("Data is framed, except for events to which the schema doesn't apply")
  func framed() async throws {
    let bench = try await EchoBench(shards: 1, partitions: 1)
    try await bench.append(1)
    let echo = try Echo(
      store: bench.store, configuration: bench.configuration(),
      map: { stored in
        var echoed = try bench.told(stored)
        echoed?.isFramed = stored.type != Echo.rewoundType
        return echoed
      }, prepare: { { [0] + $0 } }, environment: .system)
    try await running(echo) {
      try await bench.waitUntilDone(echo)
      _ = try await echo.rewind(shard: nil, to: 0, by: "a test", reason: "to see it again")
      let messages = try await bench.read(nil, 3)
      let stored = try #require(try await bench.stored().first)
      #expect(stored.map(\.type) == ["sample.moved", Echo.rewoundType])
      #expect(Set(messages.map(\.value)) == [[0] + stored[0].data, stored[1].data])
    }
  }
}
