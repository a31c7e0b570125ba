import JSON
import Persistence
import Runtime
import Synchronization
import Testing
import Workflows

@testable import WorkflowEngine

/// Answers attempts as a script says, and remembers which keys took effect.
final class ScriptedExecutor: StepExecutor {
  typealias Script = @Sendable (StepCall) async -> StepOutcome
  private let script: Script
  private let seen = Mutex<[StepCall]>([])

  init(_ script: @escaping Script = { _ in .succeeded(["ok": true]) }) { self.script = script }

  var calls: [StepCall] { seen.withLock { $0 } }
  /// The keys of the calls, without the saga's id.
  var keys: [String] { calls.map { String($0.idempotencyKey.dropFirst(37)) } }

  func perform(_ call: StepCall) async -> StepOutcome {
    seen.withLock { $0.append(call) }
    return await script(call)
  }
}

/// An engine that runs until it is stopped.
struct RunningEngine {
  let engine: Engine
  private let task: Task<Void, any Error>

  init(
    _ store: any EventStore, _ executor: ScriptedExecutor, environment: Environment = .system,
    drainTime: Duration = .seconds(5)
  ) async throws {
    var configuration = Engine.Configuration()
    configuration.drainTime = drainTime
    let engine = Engine(store: store, executor: executor, configuration: configuration, environment: environment)
    self.engine = engine
    let task = Task { try await engine.run() }
    self.task = task
    while !engine.isReady, !task.isCancelled {
      await Task.yield()
    }
  }

  /// Stops the engine and waits until it has stopped.
  func stop() async {
    task.cancel()
    _ = await task.result
  }

  func start(_ workflow: String = "spec", input: JSON = .object([:]), key: String? = nil) async throws -> Started {
    try await engine.start(StartRequest(workflow: workflow, input: input, idempotencyKey: key, by: "test"))
  }

  func end(of id: UniqueID) async throws -> SagaState {
    try await engine.waitForEnd(of: id, atMost: .seconds(30)).state
  }
}

enum Workflow {
  static let quick = #""retry": {"maxAttempts": 5, "initialInterval": "1ms", "maxInterval": "1ms"}"#

  static func step(_ id: String, _ more: String = quick) -> String {
    #"""
    {"id": "\#(id)", "http": {"service": "lab", "method": "PUT", "path": "/\#(id)/${steps.\#(id).uuid}"},
     "compensation": {"http": {"service": "lab", "method": "DELETE", "path": "/\#(id)/${steps.\#(id).uuid}"}, \#(quick)}\#(more.isEmpty ? "" : ", " + more)}
    """#
  }

  static func of(_ steps: String..., members: String = "") -> [UInt8] {
    Array(#"{"name": "spec", "version": 1, \#(members) "steps": [\#(steps.joined(separator: ","))]}"#.utf8)
  }
}

/// A store that stops answering after so many appends, as a process that dies does; what it has taken stays.
final class MortalStore: EventStore {
  private let store: any EventStore
  private let left: Mutex<Int>
  /// Whether the last append is taken before the process dies, or not.
  private let takesLast: Bool

  init(_ store: any EventStore, appends: Int, takesLast: Bool) {
    self.store = store
    left = Mutex(appends)
    self.takesLast = takesLast
  }

  var shardCount: Int { store.shardCount }

  func append(_ append: Append) async throws(StoreError) -> Appended {
    let left = left.withLock { left in
      left -= 1
      return left
    }
    if left < 0 { throw StoreError.closed }
    if left == 0 {
      if takesLast { _ = try await store.append(append) }
      throw StoreError.closed
    }
    return try await store.append(append)
  }

  func own(shards: Set<Int>?) async throws(StoreError) { try await store.own(shards: shards) }
  func read(_ stream: UniqueID, after version: Int, limit: Int) async throws(StoreError) -> [StoredEvent] {
    try await store.read(stream, after: version, limit: limit)
  }
  func tail(shard: Int, after position: Int64, limit: Int) async throws(StoreError) -> [StoredEvent] {
    try await store.tail(shard: shard, after: position, limit: limit)
  }
  func head(shard: Int) async throws(StoreError) -> Int64 { try await store.head(shard: shard) }
  func committed() -> CommitHints { store.committed() }
  func snapshot(of stream: UniqueID) async throws(StoreError) -> Snapshot? { try await store.snapshot(of: stream) }
  func save(_ snapshot: Snapshot) async throws(StoreError) { try await store.save(snapshot) }
  func startKey(scope: String, key: String) async throws(StoreError) -> StartKey? {
    try await store.startKey(scope: scope, key: key)
  }
  func claim(scope: String, value: String) async throws(StoreError) -> Claim? {
    try await store.claim(scope: scope, value: value)
  }
  func openStreams(shard: Int?, after stream: UniqueID?, limit: Int) async throws(StoreError) -> [OpenStream] {
    try await store.openStreams(shard: shard, after: stream, limit: limit)
  }
  func put(_ definition: StoredDefinition) async throws(StoreError) -> DefinitionPut { try await store.put(definition) }
  func definition(name: String, version: Int?) async throws(StoreError) -> StoredDefinition? {
    try await store.definition(name: name, version: version)
  }
  func definitions(name: String?) async throws(StoreError) -> [StoredDefinition] {
    try await store.definitions(name: name)
  }
  func checkpoint(_ follower: String, shard: Int) async throws(StoreError) -> Int64 {
    try await store.checkpoint(follower, shard: shard)
  }
  func apply(_ batch: ProjectionBatch) async throws(StoreError) { try await store.apply(batch) }
  func reset(follower: String, collections: Set<String>) async throws(StoreError) {
    try await store.reset(follower: follower, collections: collections)
  }
  func documents(_ query: DocumentQuery) async throws(StoreError) -> [Document] { try await store.documents(query) }
  func documents(collection: String, ids: [String]) async throws(StoreError) -> [Document] {
    try await store.documents(collection: collection, ids: ids)
  }
  func close() async {}
}
