import Foundation
import JSON
public import Persistence
import PostgresPersistence
import Runtime
import SagaCore
import Values
import WorkflowEngine

/// Sagas of six `http` steps whose calls are answered in the process.
public enum SixSteps {
  public static let workflow = """
    {"name": "six-steps", "version": 1, "timeout": "10m", "steps": [
      \((1...6).map(step).joined(separator: ",\n  "))
    ]}
    """

  static func step(_ number: Int) -> String {
    let path = "/things/${steps.s\(number).uuid}"
    return #"""
      {"id": "s\#(number)",
       "http": {"service": "lab", "method": "PUT", "path": "\#(path)", "body": {"barcode": "${input.barcode}"}},
       "compensation": {"http": {"service": "lab", "method": "DELETE", "path": "\#(path)"}}}
      """#
  }

  public struct Figure: Sendable {
    public let events: Int
    public let seconds: Double
  }

  /// Starts so many sagas, so many at a time, and waits until all have completed.
  public static func measure(_ store: any EventStore, count: Int, inFlight: Int) async throws -> Figure {
    let engine = Engine(store: store, executor: Immediately(), environment: .system)
    let running = Task { try await engine.run() }
    while !engine.isReady { await Task.yield() }
    _ = try await engine.register(Array(workflow.utf8), by: "bench")
    let clock = ContinuousClock()
    let begun = clock.now
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<count {
        if number >= inFlight { try await group.next() }
        group.addTask {
          let started = try await engine.start(
            StartRequest(workflow: "six-steps", input: ["barcode": .string("TS-\(number)")], by: "bench"))
          let end = try await engine.waitForEnd(of: started.id, atMost: .seconds(60))
          guard end.state.status == .completed else { throw NotCompleted(status: "\(end.state.status)") }
        }
      }
      try await group.waitForAll()
    }
    let seconds = (clock.now - begun) / .seconds(1)
    var events = 0
    for shard in 0..<store.shardCount { events += Int(try await store.head(shard: shard)) }
    running.cancel()
    _ = await running.result
    return Figure(events: events, seconds: seconds)
  }
}

struct NotCompleted: Error { let status: String }

/// Answers every step at once.
struct Immediately: StepExecutor {
  func perform(_ call: StepCall) async -> StepOutcome { .succeeded(["ok": true]) }
}

/// A fresh store, and how to be rid of it.
public struct TestBed: Sendable {
  public let store: any EventStore
  public let remove: @Sendable () async -> Void

  /// Opens the SQLite store of a folder, which stays.
  public static func sqlite(in folder: String) async throws -> TestBed {
    let store = try await SQLiteStore.open(path: folder + "/events.db", environment: .system)
    return TestBed(store: store) { await store.close() }
  }

  /// - Returns: nil when the store's server is not there.
  public static func make(_ kind: String) async throws -> TestBed? {
    switch kind {
    case "memory":
      let store = MemoryStore(environment: .system)
      return TestBed(store: store) { await store.close() }
    case "sqlite":
      let folder = NSTemporaryDirectory() + "saga-bench-\(Environment.system.newID())"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      let store = try await SQLiteStore.open(path: folder + "/events.db", environment: .system)
      return TestBed(store: store) {
        await store.close()
        try? FileManager.default.removeItem(atPath: folder)
      }
    case "postgres":
      guard let url = ProcessInfo.processInfo.environment["TRACSEQ_TEST_POSTGRES"] else { return nil }
      let name = "bench_" + Environment.system.newID().description.suffix(12)
      let store = try await PostgresStore.open(url: url, environment: .system, name: name)
      return TestBed(store: store) { await store.close() }
    default:
      throw NotCompleted(status: "no store is called \(kind)")
    }
  }
}
