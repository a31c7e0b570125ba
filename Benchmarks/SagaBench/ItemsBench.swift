import BenchSupport
import Foundation
import JSON
import Persistence
import Runtime
import SagaCore
import Synchronization
import Values
import WorkflowEngine

/// What an item of a step with `forEach` costs, by the number of items: its time, its events, and the memory of the process.
/// One saga runs at a time, its calls answered in the process. With `--undo`, a last step fails, and all items are undone.
///
///     saga-bench items [--sizes 100,10000,100000] [--parallel 10] [--rounds 3] [--stores memory,sqlite] [--undo]
enum ItemsBench {
  static func run(sizes: [Int], parallel: Int, rounds: Int, stores: [String], undoes: Bool) async throws {
    // Round by round over all sizes, so that a machine whose speed drifts is unfair to none. The small sizes come first,
    // because a process keeps the memory that a large one needed.
    for round in 1...rounds {
      for kind in stores {
        for size in sizes.sorted() {
          guard let bed = try await TestBed.make(kind) else {
            print(#"{"store": "\#(kind)", "skipped": "TRACSEQ_TEST_POSTGRES is not set"}"#)
            continue
          }
          let line = try await measure(bed.store, size: size, parallel: parallel, undoes: undoes)
          print(#"{"store": "\#(kind)", "round": \#(round), "items": \#(size), \#(line)}"#)
          fflush(nil)
          await bed.remove()
        }
      }
    }
  }

  private static func workflow(parallel: Int, undoes: Bool) -> String {
    let path = "/wells/${steps.run.uuid}"
    let last = undoes ? #", {"id": "refuse", "fail": {"code": "REFUSED"}}"# : ""
    return #"""
      {"name": "items", "version": 1, "timeout": "2d", "steps": [
        {"id": "run", "forEach": {"items": "${input.wells[*]}", "as": "well", "key": "${well.id}", "maxParallel": \#(parallel)},
         "http": {"service": "lab", "method": "PUT", "path": "\#(path)", "body": {"well": "${well.id}", "number": "${index}"}},
         "compensation": {"http": {"service": "lab", "method": "DELETE", "path": "\#(path)"}}}\#(last)
      ]}
      """#
  }

  private static func measure(_ store: any EventStore, size: Int, parallel: Int, undoes: Bool) async throws -> String {
    let participant = Answering()
    let engine = Engine(store: store, executor: participant, environment: .system)
    let running = Task { try await engine.run() }
    while !engine.isReady { await Task.yield() }
    _ = try await engine.register(Array(workflow(parallel: parallel, undoes: undoes).utf8), by: "bench")
    let input: JSON = ["wells": .array((0..<size).map { ["id": .string("W-\($0)"), "volumeUl": 20] })]
    let before = residentKiB() ?? 0
    let memory = Mutex(before)
    let sampling = Task {
      while !Task.isCancelled {
        if let now = residentKiB() { memory.withLock { $0 = max($0, now) } }
        try await Environment.system.clock.sleep(until: Environment.system.now() + .milliseconds(50))
      }
    }
    let clock = ContinuousClock()
    let begun = clock.now
    let id = try await engine.start(StartRequest(workflow: "items", input: input, by: "bench")).id
    let end = try await engine.waitForEnd(of: id, atMost: .seconds(7_200)).state
    let seconds = (clock.now - begun) / .seconds(1)
    sampling.cancel()
    _ = await sampling.result
    guard end.status == (undoes ? .compensated : .completed), participant.count == size * (undoes ? 2 : 1) else {
      throw WrongEnd(status: "\(end.status)", calls: participant.count)
    }
    // An ended saga has left memory, so this reads its history.
    let asked = clock.now
    _ = try await engine.saga(id)
    let read = (clock.now - asked) / .seconds(1)
    running.cancel()
    _ = await running.result
    return #""events": \#(end.version), "seconds": \#(SagaBench.rounded(seconds)), "#
      + #""microsecondsPerItem": \#(SagaBench.rounded(seconds * 1_000_000 / Double(size))), "#
      + #""readSeconds": \#(SagaBench.rounded(read)), "residentMiBBefore": \#(before / 1_024), "#
      + #""residentMiBMost": \#(memory.withLock { $0 } / 1_024)"#
  }

  private struct WrongEnd: Error {
    let status: String
    let calls: Int
  }

  /// Returns the memory that the process occupies; nil where the system does not say it.
  private static func residentKiB() -> Int? {
    guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return nil }
    let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    return line?.split(separator: " ").dropLast().last.flatMap { Int($0.trimmingCharacters(in: .whitespaces)) }
  }
}

/// A participant that answers at once, and counts its calls.
private final class Answering: StepExecutor {
  private let calls = Atomic<Int>(0)
  var count: Int { calls.load(ordering: .relaxed) }

  func perform(_ call: StepCall) async -> StepOutcome {
    calls.wrappingAdd(1, ordering: .relaxed)
    return .succeeded(["ok": true])
  }
}
