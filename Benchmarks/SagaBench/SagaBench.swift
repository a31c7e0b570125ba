import Foundation
import JSON
import Persistence
import Runtime
import WorkflowEngine

/// How many six-step sagas and events a second the engine carries on each store, its steps answered in the process.
@main
struct SagaBench {
  static let workflow = """
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

  static func main() async {
    // At once off the main actor: hops to it would cost more than the work.
    await run()
  }

  @concurrent
  static func run() async {
    let arguments = CommandLine.arguments
    func option(_ name: String, _ standard: Int) -> Int {
      arguments.firstIndex(of: "--\(name)").flatMap { Int(arguments[$0 + 1]) } ?? standard
    }
    let rounds = option("rounds", 3)
    let count = option("sagas", 5_000)
    let inFlight = option("in-flight", 512)
    let stores = arguments.firstIndex(of: "--stores").map { arguments[$0 + 1].split(separator: ",").map(String.init) }
    do {
      // Round by round over all stores, so that a machine whose speed drifts is unfair to none.
      for round in 1...rounds {
        for kind in stores ?? ["memory", "sqlite", "postgres"] {
          guard let bed = try await TestBed.make(kind) else {
            print(#"{"store": "\#(kind)", "skipped": "TRACSEQ_TEST_POSTGRES is not set"}"#)
            continue
          }
          let figure = try await measure(bed.store, count: count, inFlight: inFlight)
          print(
            #"{"store": "\#(kind)", "round": \#(round), "sagas": \#(count), "events": \#(figure.events), "#
              + #""seconds": \#(rounded(figure.seconds)), "sagasPerSecond": \#(Int(Double(count) / figure.seconds)), "#
              + #""eventsPerSecond": \#(Int(Double(figure.events) / figure.seconds))}"#)
          await bed.remove()
        }
      }
    } catch {
      print("The benchmark failed: \(error)")
      exit(1)
    }
  }

  static func rounded(_ value: Double) -> Double { (value * 1_000).rounded() / 1_000 }

  struct Figure {
    let events: Int
    let seconds: Double
  }

  static func measure(_ store: any EventStore, count: Int, inFlight: Int) async throws -> Figure {
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
struct TestBed {
  let store: any EventStore
  let remove: @Sendable () async -> Void

  /// - Returns: nil when the store's server is not there.
  static func make(_ kind: String) async throws -> TestBed? {
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
