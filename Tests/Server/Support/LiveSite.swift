import HTTP
import JSON
import Persistence
import Runtime
import TestSupport
import Values

@testable import Server

/// The live stream on a socket, over a store that the test writes to.
final class LiveSite: Sendable {
  let store: MemoryStore
  let hub: LiveHub
  let clock = FakeClock()
  let port: Int
  private let server: HTTPServer
  private let environment = Environment.system

  static func newStore() -> MemoryStore { MemoryStore(environment: .system, shardCount: 8) }

  static func run(
    _ configuration: LiveHub.Configuration = .init(), authenticator: (any Authenticator)? = nil,
    _ body: @escaping @Sendable (LiveSite) async throws -> Void
  ) async throws {
    let site = try await LiveSite(configuration, authenticator)
    let result: Result<Void, any Error>
    do { result = .success(try await body(site)) } catch { result = .failure(error) }
    await site.stop()
    try result.get()
  }

  private init(_ configuration: LiveHub.Configuration, _ authenticator: (any Authenticator)?) async throws {
    store = MemoryStore(environment: environment, shardCount: 8)
    try await store.own(shards: nil)
    hub = LiveHub(store: store, configuration: configuration, environment: .fake(clock: clock))
    let engine = FakeEngine()
    let router = API(
      engine: engine, live: hub, environment: engine.environment, log: .silent, access: Access(authenticator)
    ).router()
    server = HTTPServer(environment: environment) { await router.handle($0) }
    port = try server.start()
  }

  func stop() async {
    await hub.close()
    await server.shutdown(drain: .seconds(5))
  }

  func stream(_ query: String = "", last: String? = nil, key: String? = nil) throws -> EventStream {
    try EventStream(port: port, target: "/v1/events" + query, last: last, key: key)
  }

  /// A stream that has been greeted.
  func joined(_ query: String = "", last: String? = nil) async throws -> (EventStream, EventStream.Message?) {
    let stream = try stream(query, last: last)
    _ = await stream.head()
    return (stream, await stream.next())
  }

  /// A saga of so many events, in one append each.
  @discardableResult
  func saga(_ workflow: String = "w", events: Int = 1, status: String = "running") async throws -> UniqueID {
    let id = environment.newID()
    for version in 0..<events {
      let data: JSON = version == 0 ? ["saga": ["workflow": .string(workflow)]] : ["step": .string("s\(version)")]
      let meta: JSON = ["schema": 1, "status": .string(status)]
      _ = try await store.append(
        Append(
          stream: id, expectedVersion: version,
          events: [
            NewEvent(type: version == 0 ? "sagaStarted" : "attemptStarted", data: data.bytes(), meta: meta.bytes())
          ],
          appendID: environment.newID()))
    }
    return id
  }
}
