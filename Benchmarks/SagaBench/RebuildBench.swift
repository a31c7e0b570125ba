import BenchSupport
import Foundation
import JSON
import Persistence
import Runtime
import SagaCore
import Synchronization
import Values
import WorkflowEngine

/// How long the longest pause of a reader is while the read model of many sagas is rebuilt and sagas go on; and whether the
/// new tables hold the same rows as the old ones.
///
/// Writers that take all that the machine has would measure them, and not the rebuild: `meanwhile` sagas start each second.
///
///     saga-bench rebuild [--sagas 200000] [--meanwhile 100]
enum RebuildBench {
  static func run(sagas: Int, meanwhile: Int, inFlight: Int) async throws {
    guard let bed = try await TestBed.make("sqlite") else { return }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "tracseq-rebuild-\(Environment.system.newID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let read = try await SQLReadStore.sqlite(path: folder.path + "/read.db")
    let engine = Engine(store: bed.store, executor: Instant(), environment: .system, readStore: read)
    let running = Task { try await engine.run() }
    while !engine.isReady { await Task.yield() }
    _ = try await engine.register(Array(SixSteps.workflow.utf8), by: "bench")
    let ids = try await start(sagas, with: engine, inFlight: inFlight)
    let filled = ContinuousClock.now
    try await engine.waitUntilListed()
    print(#"{"sagas": \#(sagas), "listedAfterLastEventSeconds": \#(seconds(ContinuousClock.now - filled))}"#)

    let old = try await Tables(read, ids)
    fflush(nil)

    let isDone = Flag()
    let began = ContinuousClock.now
    let before = try await engine.projections().generation
    _ = try await engine.rebuildProjections(by: "bench")
    let (reads, longest, written) = try await withThrowingTaskGroup(of: (Int, Duration, Int).self) { group in
      group.addTask {
        var (reads, longest) = (0, Duration.zero)
        while !isDone.isSet {
          let asked = ContinuousClock.now
          _ = try await engine.list(SagaListRequest(wantsFacets: true))
          longest = max(longest, ContinuousClock.now - asked)
          reads += 1
        }
        return (reads, longest, 0)
      }
      group.addTask {
        var written = 0
        // Ten times a second.
        var next = Environment.system.now()
        while !isDone.isSet {
          next = next + .milliseconds(100)
          _ = try await start(meanwhile / 10, with: engine, inFlight: 16)
          written += meanwhile / 10
          try await Environment.system.clock.sleep(until: next)
        }
        return (0, .zero, written)
      }
      group.addTask {
        while try await engine.projections().generation == before {
          try await Environment.system.clock.sleep(until: Environment.system.now() + .milliseconds(200))
        }
        isDone.set()
        return (0, .zero, 0)
      }
      return try await group.reduce(into: (0, Duration.zero, 0)) {
        $0 = ($0.0 + $1.0, max($0.1, $1.1), $0.2 + $1.2)
      }
    }
    print(
      #"{"sagas": \#(sagas), "rebuiltInSeconds": \#(seconds(ContinuousClock.now - began)), "lists": \#(reads), "#
        + #""longestListMs": \#(seconds(longest) * 1_000), "sagasMeanwhile": \#(written)}"#)
    let new = try await Tables(read, ids)
    let (rows, minutes) = old.differing(from: new)
    print(
      #"{"generations": [\#(old.generation), \#(new.generation)], "rowsCompared": \#(old.rows.count), "#
        + #""rowsThatDiffer": \#(rows), "minutesCompared": \#(old.minutes.count), "minutesThatDiffer": \#(minutes)}"#)
    running.cancel()
    _ = await running.result
    await read.close()
    await bed.remove()
    // Nor may it have compared less than there is.
    if rows + minutes > 0 || old.rows.count != sagas { throw RowsDiffer() }
  }

  private struct RowsDiffer: Error {}

  /// What the tables that serve hold of some sagas.
  private struct Tables {
    let generation: Int
    /// A row's hash, in this process.
    var rows: [UniqueID: Int] = [:]
    let minutes: [StepMinute]

    /// The minute that has begun isn't among them: sagas still come to it.
    init(_ read: SQLReadStore, _ ids: [UniqueID]) async throws {
      generation = try await read.generations().current
      for from in stride(from: 0, to: ids.count, by: 1_000) {
        let some = Array(ids[from..<min(ids.count, from + 1_000)])
        for row in try await read.rows(some, generation: generation) { rows[row.id] = row.hashValue }
      }
      let now = StepMinute.of(Environment.system.now())
      minutes = try await read.minutes(workflow: "six-steps", MomentRange()).filter { $0.at < now }
    }

    /// How many of these rows, and minutes, the other tables have otherwise or not at all.
    func differing(from other: Tables) -> (rows: Int, minutes: Int) {
      let known = Set(other.minutes)
      return (rows.count { other.rows[$0.key] != $0.value }, minutes.count { !known.contains($0) })
    }
  }

  private static func start(_ count: Int, with engine: Engine, inFlight: Int) async throws -> [UniqueID] {
    try await withThrowingTaskGroup(of: UniqueID.self) { group in
      var ids: [UniqueID] = []
      for index in 0..<count {
        if index >= inFlight, let id = try await group.next() { ids.append(id) }
        group.addTask {
          let id = try await engine.start(
            StartRequest(workflow: "six-steps", input: ["barcode": .string("TS-\(index)")], by: "bench")
          ).id
          _ = try await engine.waitForEnd(of: id, atMost: .seconds(60))
          return id
        }
      }
      for try await id in group { ids.append(id) }
      return ids
    }
  }

  private static func seconds(_ duration: Duration) -> Double {
    SagaBench.rounded(Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18)
  }
}

/// A participant that answers at once.
private struct Instant: StepExecutor {
  func perform(_ call: StepCall) async -> StepOutcome { .succeeded(["ok": true]) }
}

private final class Flag: Sendable {
  private let value = Atomic<Bool>(false)
  var isSet: Bool { value.load(ordering: .relaxed) }
  func set() { value.store(true, ordering: .relaxed) }
}
