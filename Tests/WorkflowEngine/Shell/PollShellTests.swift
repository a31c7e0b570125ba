import Foundation
import HTTP
import JSON
import Persistence
import Runtime
import Synchronization
import TestSupport
import Testing
import Values
import Workflows

@testable import HTTPSteps
@testable import SagaCore
@testable import WorkflowEngine

@Suite("The engine polls", .timeLimit(.minutes(15)), .inTurn)
struct PollShellTests {
  private static let members = #""timeout": "2d", "#
  private static let run = #"""
    {"id": "run", "http": {"service": "lab", "method": "GET", "path": "/runs/7"}, "timeout": "1d",
     "poll": {"every": "5m", "until": "$.answer.body.state == 'done'", "failWhen": "$.answer.body.state == 'failed'"}}
    """#

  /// An instrument with a state, that answers looks without a wire.
  private final class Instrument: Sendable {
    private let state = Mutex<JSON>("running")
    func turn(_ new: JSON) { state.withLock { $0 = new } }
    var body: JSON { ["state": state.withLock { $0 }] }
    var script: ScriptedExecutor.Script {
      { [self] call in
        guard call.look != nil else { return .succeeded(.null) }
        return .answered(LookAnswer(status: 200, body: body))
      }
    }
  }

  private func types(_ engine: Engine, _ id: UniqueID) async throws -> [String] {
    try await engine.history(of: id, after: 0, limit: 100).map(\.type)
  }

  /// Waits until the saga sleeps, moves the clock to its next look, and waits until that has been made.
  private func nextLook(_ running: RunningEngine, _ id: UniqueID, _ executor: ScriptedExecutor, _ clock: FakeClock)
    async throws
  {
    let due = clock.now() + .seconds(300)
    let count = executor.calls.count
    try await running.engine.waitUntilAsleep(id)
    await clock.waitForSleepers { $0.contains(due) }
    clock.advance(to: due)
    await executor.waitForCalls(count + 1)
  }

  @Test("Between looks a saga leaves memory, and looks that find nothing new write nothing")
  func sleeps() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let instrument = Instrument()
    let executor = ScriptedExecutor(instrument.script)
    let running = try await RunningEngine(
      MemoryStore(environment: environment), executor, environment: environment)
    _ = try await running.engine.register(Workflow.of(Self.run, members: Self.members), by: "test")
    let id = try await running.start().id
    await executor.waitForCalls()
    for _ in 0..<4 { try await nextLook(running, id, executor, clock) }
    try await running.engine.waitUntilAsleep(id)
    #expect(try await types(running.engine, id) == ["sagaStarted", "pollStarted", "pollAnswered"])
    #expect(executor.keys == (1...5).map { "run/1/look/\($0)" })
    instrument.turn("cooling")
    try await nextLook(running, id, executor, clock)
    let state = try await running.engine.state(of: id, when: "the new answer is stored") {
      $0.step("run")?.polling?.answer?.shown == "cooling"
    }
    #expect(state.step("run")?.polling?.look == 7)
    instrument.turn("done")
    try await nextLook(running, id, executor, clock)
    #expect(try await running.end(of: id).status == .completed)
    #expect(
      try await types(running.engine, id) == [
        "sagaStarted", "pollStarted", "pollAnswered", "pollAnswered", "stepSucceeded", "sagaCompleted",
      ])
    await running.stop()
  }

  @Test("A saga that another message brings back between two looks does not look early")
  func broughtBack() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let instrument = Instrument()
    let executor = ScriptedExecutor(instrument.script)
    let running = try await RunningEngine(
      MemoryStore(environment: environment), executor, environment: environment)
    let wait = #"{"id": "w", "dependsOn": [], "signal": {"name": "go", "accept": "$.signal.ok == true"}}"#
    _ = try await running.engine.register(Workflow.of(Self.run, wait, members: Self.members), by: "test")
    let id = try await running.start().id
    await executor.waitForCalls()
    for _ in 0..<2 { try await nextLook(running, id, executor, clock) }
    try await running.engine.waitUntilAsleep(id)
    clock.advance(by: .seconds(100))
    _ = try await running.engine.signal(id, name: "go", body: ["ok": true], signalID: nil, by: "mia")
    try await running.engine.waitUntilAsleep(id)
    #expect(executor.calls.count == 3)
    let due = clock.now() + .seconds(200)
    await clock.waitForSleepers { $0.contains(due) }
    instrument.turn("done")
    clock.advance(to: due)
    #expect(try await running.end(of: id).status == .completed)
    #expect(executor.keys == (1...4).map { "run/1/look/\($0)" })
    await running.stop()
  }

  @Test("After a restart a polling saga looks at the next time, or at once if a time has passed")
  func restart() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let instrument = Instrument()
    let store = MemoryStore(environment: environment)
    var executor = ScriptedExecutor(instrument.script)
    let first = try await RunningEngine(store, executor, environment: environment)
    _ = try await first.engine.register(Workflow.of(Self.run, members: Self.members), by: "test")
    let id = try await first.start().id
    await executor.waitForCalls()
    try await first.engine.waitUntilAsleep(id)
    await first.stop()

    clock.advance(by: .seconds(100))
    executor = ScriptedExecutor(instrument.script)
    let second = try await RunningEngine(store, executor, environment: environment)
    let due = clock.now() + .seconds(200)
    await clock.waitForSleepers { $0.contains(due) }
    #expect(executor.calls.isEmpty)
    clock.advance(to: due)
    await executor.waitForCalls()
    try await second.engine.waitUntilAsleep(id)
    await second.stop()

    clock.advance(by: .seconds(3_600))
    executor = ScriptedExecutor(instrument.script)
    let third = try await RunningEngine(store, executor, environment: environment)
    await executor.waitForCalls()
    try await third.engine.waitUntilAsleep(id)
    #expect(executor.keys == ["run/1/look/14"])
    #expect(try await types(third.engine, id) == ["sagaStarted", "pollStarted", "pollAnswered"])
    await third.stop()
  }

  @Test("A poll with short pauses stays in memory, and a drain starts no look")
  func busy() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let instrument = Instrument()
    let store = MemoryStore(environment: environment)
    let executor = ScriptedExecutor(instrument.script)
    let running = try await RunningEngine(store, executor, environment: environment)
    let quick = #"""
      {"id": "run", "http": {"service": "lab", "method": "GET", "path": "/runs/7"},
       "poll": {"every": "10s", "until": "$.answer.body.state == 'done'"}}
      """#
    _ = try await running.engine.register(Workflow.of(quick, members: Self.members), by: "test")
    let id = try await running.start().id
    for look in 1...3 {
      await executor.waitForCalls(look)
      let due = clock.now() + .seconds(10)
      await clock.waitForSleepers { $0.contains(due) }
      #expect(running.engine.host.isInMemory(id))
      clock.advance(to: due)
    }
    await executor.waitForCalls(4)
    await running.stop()
    #expect(
      try await store.read(id, after: 0, limit: 10).map(\.type) == ["sagaStarted", "pollStarted", "pollAnswered"])
  }

  // MARK: Over a wire

  enum StoreKind: String, CaseIterable { case memory, sqlite }

  private func open(_ kind: StoreKind, _ folder: URL, _ environment: Environment) async throws -> any EventStore {
    switch kind {
    case .memory: MemoryStore(environment: environment)
    case .sqlite: try await SQLiteStore.open(path: folder.appending(path: "engine.db").path, environment: environment)
    }
  }

  /// A server that is an instrument: it answers `GET /runs/7` with its state.
  private final class Server: Sendable {
    struct Request: Sendable {
      let key: String?
      let path: String
    }
    private let answer = Mutex<@Sendable (Int) async -> HTTPServerResponse>({ _ in HTTPServerResponse(status: 404) })
    let requests = Told<Request>()
    private let server = Mutex<HTTPServer?>(nil)

    func start() throws -> Int {
      let server = HTTPServer(environment: .system) { [self] request in
        requests.add(Request(key: request.headers["Idempotency-Key"], path: request.path))
        let (answer, number) = (answer.withLock { $0 }, requests.all.count)
        return await answer(number)
      }
      self.server.withLock { $0 = server }
      return try server.start()
    }

    func answers(_ new: @escaping @Sendable (Int) async -> HTTPServerResponse) { answer.withLock { $0 = new } }

    static func state(_ state: String, status: Int = 200, headers: HTTPHeaders = [:]) -> HTTPServerResponse {
      var headers = headers
      headers.add("Content-Type", "application/json")
      return HTTPServerResponse(
        status: status, headers: headers, body: .bytes(Array(#"{"state": "\#(state)", "code": "LEAK"}"#.utf8)))
    }

    func stop() async { await server.withLock { $0 }?.shutdown(drain: .zero) }
  }

  @Test(
    "A poll of a real server survives a crash between two looks and one during a look", arguments: StoreKind.allCases)
  func overWire(kind: StoreKind) async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let folder = try TestFolder.new("polls")
    let server = Server()
    let port = try server.start()
    let client = HTTPClient()
    let services = [Service(name: "lab", baseURL: "http://127.0.0.1:\(port)")]
    func engine(_ store: any EventStore) async throws -> RunningEngine {
      try await RunningEngine(
        store, HTTPStepExecutor(client: client, services: services, clock: clock), environment: environment,
        drainTime: .zero)
    }
    server.answers { _ in Server.state("running") }
    var store = try await open(kind, folder, environment)
    func reopen() async throws {
      // The memory's store has no file to come back from.
      guard kind == .sqlite else { return }
      await store.close()
      store = try await open(kind, folder, environment)
    }

    // 1. The first look finds it running, and the engine dies before the second.
    let first = try await engine(store)
    _ = try await first.engine.register(Workflow.of(Self.run, members: Self.members), by: "test")
    let id = try await first.start().id
    try await first.engine.state(of: id, when: "the first answer is stored") {
      $0.step("run")?.polling?.answer?.shown == "running"
    }
    await first.stop()
    try await reopen()

    // 2. The next engine looks at the next time, and dies while the server works on that look.
    let (gate, release) = AsyncStream.makeStream(of: Void.self)
    server.answers { _ in
      for await _ in gate { break }
      return Server.state("done")
    }
    let second = try await engine(store)
    let due = clock.now() + .seconds(300)
    await clock.waitForSleepers { $0.contains(due) }
    #expect(server.requests.all.count == 1, "not before its time")
    clock.advance(to: due)
    await server.requests.wait(for: 2)
    await second.stop()
    release.yield()
    try await reopen()

    // 3. The look is made again; the server is busy once, and then the work is done.
    server.answers { number in
      number == 3
        ? Server.state("busy", status: 503, headers: ["Retry-After": "40"]) : Server.state("done")
    }
    let third = try await engine(store)
    await server.requests.wait(for: 3)
    let retry = clock.now() + .seconds(40)
    await clock.waitForSleepers { $0.contains(retry) }
    clock.advance(to: retry)
    let end = try await third.end(of: id)
    #expect(end.status == .completed)
    #expect(end.step("run")?.output == ["state": "done", "code": "LEAK"])
    #expect(
      try await types(third.engine, id) == [
        "sagaStarted", "pollStarted", "pollAnswered", "attemptFailed", "stepSucceeded", "sagaCompleted",
      ], "the look that the crash interrupted is not a failure")
    #expect(server.requests.all.map(\.path) == Array(repeating: "/runs/7", count: 4))
    #expect(server.requests.all.compactMap(\.key).map { $0.dropFirst(37) } == [1, 2, 2, 2].map { "run/1/look/\($0)" })
    await third.stop()
    await store.close()
    await server.stop()
    await client.shutdown()
  }

  @Test("failWhen fails the step with the code and the words of the server's answer")
  func failsOverWire() async throws {
    let server = Server()
    let port = try server.start()
    let client = HTTPClient()
    server.answers { _ in Server.state("failed") }
    let executor = HTTPStepExecutor(
      client: client, services: [Service(name: "lab", baseURL: "http://127.0.0.1:\(port)")],
      clock: Environment.system.clock)
    let running = try await RunningEngine(MemoryStore(environment: .system), executor)
    _ = try await running.engine.register(Workflow.of(Self.run, members: Self.members), by: "test")
    let end = try await running.end(of: try await running.start().id)
    #expect(end.status == .compensated)
    #expect(end.step("run")?.failure?.code == "LEAK")
    #expect(end.step("run")?.failure?.classes == ["poll.failed"])
    await running.stop()
    await server.stop()
    await client.shutdown()
  }
}
