import Foundation
import Persistence
import PostgresPersistence
import Runtime
import Values

/// How long each list takes on a million sagas: every filter alone and the usual combinations, the first page, a page far
/// behind it, and facets.
///
///     saga-bench read-model [--sagas 1000000] [--rounds 40] [--stores sqlite,postgres] [--file PATH]
///
/// With a file, SQLite's tables stay there, and what a run has filled another measures again.
enum ReadModelBench {
  static let epoch: Int64 = 1_772_352_000_000

  static func run(sagas: Int, rounds: Int, stores: [String], file: String? = nil) async throws {
    for kind in stores {
      let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
        "tracseq-read-\(Environment.system.newID())")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      let store: SQLReadStore
      if kind == "postgres" {
        guard let url = ProcessInfo.processInfo.environment["TRACSEQ_TEST_POSTGRES"] else {
          print(#"{"store": "postgres", "skipped": "TRACSEQ_TEST_POSTGRES is not set"}"#)
          continue
        }
        store = try await SQLReadStore.postgres(
          PostgresConfiguration(url: url, name: "bench"), environment: .system)
      } else {
        store = try await SQLReadStore.sqlite(path: file ?? folder.path + "/read.db")
      }
      let began = ContinuousClock.now
      if try await store.list(SagaQuery(), after: nil, limit: 1).rows.isEmpty { try await fill(store, sagas: sagas) }
      print(
        #"{"store": "\#(kind)", "sagas": \#(sagas), "filledInSeconds": \#(seconds(ContinuousClock.now - began))}"#)
      try await measure(store, kind, rounds: rounds)
      await store.close()
    }
  }

  private static func seconds(_ duration: Duration) -> Double {
    SagaBench.rounded(
      Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18)
  }

  // MARK: Sagas

  /// What a laboratory's month looks like: nearly all completed, one in twenty compensated, few open, fewer stuck.
  private static func fill(_ store: SQLReadStore, sagas: Int) async throws {
    var random = SeededRandom(seed: 1)
    var changes: [SagaChange] = []
    var position: Int64 = 0
    for index in 0..<sagas {
      changes.append(SagaChange(old: nil, new: row(index, of: sagas, &random)))
      if changes.count == 2_000 || index == sagas - 1 {
        try await store.apply(
          ReadBatch(
            generation: 1, shard: 0, from: position, to: ReadCheckpoint(position: position + 1, hash: []),
            changes: changes))
        position += 1
        changes = []
      }
    }
  }

  private static let codes = ["http.503", "http.404", "QC_FAILED", "timeout", "storage.full", "saga.cancelled"]
  private static let steps = ["create", "reserve", "store", "sequence", "report", "notify"]

  private static func row(_ index: Int, of count: Int, _ random: inout SeededRandom) -> SagaRow {
    func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }
    // A month, evenly.
    let startedAt = Timestamp(milliseconds: epoch + Int64(index) * (30 * 86_400_000) / Int64(count))
    let id = UniqueID.version7(at: startedAt, random: (random.next(), random.next()))
    let workflow = ["sample-processing", "sample-storage", "plate-transfer", "reanalysis"][
      min(3, Int.random(in: 0..<10, using: &random) / 3)]
    var row = SagaRow(
      id: id, shard: Shard.of(id, count: 64), lastEvent: 14, workflow: workflow, version: chance(4) ? 1 : 2,
      status: "completed", startedAt: startedAt,
      updatedAt: startedAt + .milliseconds(Int.random(in: 500..<60_000, using: &random)),
      deadline: startedAt + .seconds(300), key: "order-\(index)", attempts: chance(20) ? 2 : 1)
    if chance(10) { row.tags.append("urgent") }
    if chance(3) { row.tags.append("plate-\(Int.random(in: 0..<10_000, using: &random))") }
    row.steps = steps.map { StepRow(id: $0, status: "succeeded", attempts: 1) }
    let fate = Int.random(in: 0..<10_000, using: &random)
    let step = Int.random(in: 0..<6, using: &random)
    let code = codes[Int.random(in: 0..<codes.count, using: &random)]
    if fate < 500 {
      row.status = fate < 20 ? "abandoned" : "compensated"
      for index in row.steps.indices {
        row.steps[index].status = index < step ? "undone" : index == step ? "failed" : "pending"
      }
      row.steps[step].error = code
    } else if fate < 504 {
      row.status = "stuck"
      row.steps[step] = StepRow(id: steps[step], status: "undoFailed", attempts: 5, error: code, isAt: true)
      row.attempts = 5
    } else if fate < 560 {
      row.status = fate < 510 ? "compensating" : "running"
      row.steps[step] = StepRow(
        id: steps[step], status: fate < 510 ? "undoing" : fate < 540 ? "running" : "waiting", attempts: 1, isAt: true)
      row.waitingFor = [fate < 540 ? "answer" : "approval"]
    }
    if ["compensated", "abandoned", "stuck"].contains(row.status) {
      (row.failedStep, row.failureCode, row.failureMessage) = (steps[step], code, "The participant said \(code).")
    }
    row.endedAt = ["completed", "compensated", "abandoned"].contains(row.status) ? row.updatedAt : nil
    row.overdueAt = row.endedAt == nil ? row.deadline : nil
    row.words =
      [id.description, "lab-\(index)", "plate", "well-\(index % 96)", "project-\(index % 500)", "dna"].sorted()
    return row
  }

  // MARK: Lists

  private static func query(_ change: (inout SagaQuery) -> Void) -> SagaQuery {
    var query = SagaQuery()
    change(&query)
    return query
  }

  private static func lists(_ sagas: Timestamp) -> [(name: String, query: SagaQuery)] {
    func day(_ number: Int64) -> Timestamp { Timestamp(milliseconds: epoch + number * 86_400_000) }
    return [
      ("all", query { _ in }),
      ("oldest", query { $0.sort = .oldest }),
      ("last changed", query { $0.sort = .lastChanged }),
      ("last ended", query { $0.sort = .lastEnded }),
      ("status=stuck", query { $0.statuses = ["stuck"] }),
      ("status=completed", query { $0.statuses = ["completed"] }),
      ("status=compensated", query { $0.statuses = ["compensated"] }),
      ("status=running,compensating", query { $0.statuses = ["running", "compensating"] }),
      ("workflow", query { $0.workflow = "plate-transfer" }),
      ("version", query { $0.version = 1 }),
      ("workflow+version", query { ($0.workflow, $0.version) = ("reanalysis", 1) }),
      ("step", query { $0.step = "store" }),
      ("step=succeeded", query { ($0.step, $0.stepStatus) = ("store", "succeeded") }),
      ("step=undone", query { ($0.step, $0.stepStatus) = ("store", "undone") }),
      ("stepStatus=undoFailed", query { $0.stepStatus = "undoFailed" }),
      ("error", query { $0.error = "QC_FAILED" }),
      ("error=http.*", query { $0.error = "http.*" }),
      ("minAttempts=2", query { $0.minAttempts = 2 }),
      ("minAttempts=5", query { $0.minAttempts = 5 }),
      ("waitingFor", query { $0.waitingFor = "approval" }),
      ("overdue", query { $0.overdueAt = day(40) }),
      ("paused", query { $0.isPaused = true }),
      ("tag", query { $0.tags = ["urgent"] }),
      ("tag, rare", query { $0.tags = ["plate-77"] }),
      ("key", query { $0.key = "order-4711" }),
      ("q, one saga", query { $0.words = ["lab-4711"] }),
      ("q, a project", query { $0.words = ["project-77"] }),
      ("q, all", query { $0.words = ["plate"] }),
      ("q, two words", query { $0.words = ["well-7", "project-41"] }),
      ("started, a day", query { $0.started = MomentRange(from: day(10), before: day(11)) }),
      ("ended, a day", query { $0.ended = MomentRange(from: day(10), before: day(11)) }),
      (
        "ended, a day, by end",
        query {
          $0.ended = MomentRange(from: day(10), before: day(11))
          $0.sort = .lastEnded
        }
      ),
      ("workflow+status", query { ($0.workflow, $0.statuses) = ("sample-storage", ["compensated"]) }),
      ("workflow+error", query { ($0.workflow, $0.error) = ("sample-storage", "QC_FAILED") }),
      ("status+error", query { ($0.statuses, $0.error) = (["stuck"], "timeout") }),
      ("status+error, none", query { ($0.statuses, $0.error) = (["completed"], "timeout") }),
      (
        "workflow+tag+day",
        query {
          ($0.workflow, $0.tags) = ("plate-transfer", ["urgent"])
          $0.started = MomentRange(from: day(3), before: day(4))
        }
      ),
      (
        "compensated+tag, last changed",
        query {
          ($0.statuses, $0.tags, $0.sort) = (["compensated"], ["urgent"], .lastChanged)
        }
      ),
      (
        "error+tag+workflow",
        query {
          ($0.error, $0.tags, $0.workflow) = ("http.*", ["urgent"], "reanalysis")
        }
      ),
      (
        "stuck+overdue+step",
        query {
          ($0.statuses, $0.overdueAt, $0.step) = (["stuck"], day(40), "report")
        }
      ),
      (
        "q+status+day",
        query {
          ($0.words, $0.statuses) = (["dna"], ["compensated"])
          $0.started = MomentRange(from: day(20), before: day(21))
        }
      ),
    ]
  }

  private static func measure(_ store: SQLReadStore, _ kind: String, rounds: Int) async throws {
    var worst: [(p99: Double, name: String)] = []
    for (name, query) in lists(Timestamp(milliseconds: epoch)) {
      // Ten pages on, or as far as it goes.
      var deep: SagaCursor?
      for _ in 0..<10 {
        guard let next = try await store.list(query, after: deep, limit: 200).next else { break }
        deep = next
      }
      for (what, ask) in [
        ("first page", { _ = try await store.list(query, after: nil, limit: 50) }),
        ("deep page", { _ = try await store.list(query, after: deep, limit: 50) }),
        ("facets", { _ = try await store.facets(query) }),
      ] as [(String, () async throws -> Void)] {
        var times: [Double] = []
        for _ in 0..<rounds {
          let began = ContinuousClock.now
          try await ask()
          let time = ContinuousClock.now - began
          times.append(Double(time.components.attoseconds) / 1e15 + Double(time.components.seconds) * 1e3)
        }
        times.sort()
        let (p50, p99) = (times[times.count / 2], times[min(times.count - 1, times.count * 99 / 100)])
        worst.append((p99, "\(name), \(what)"))
        print(
          #"{"store": "\#(kind)", "list": "\#(name)", "what": "\#(what)", "p50Ms": \#(SagaBench.rounded(p50)), "#
            + #""p99Ms": \#(SagaBench.rounded(p99))}"#)
      }
    }
    worst.sort { $0.p99 > $1.p99 }
    let over = worst.filter { $0.p99 >= 50 }
    print(
      #"{"store": "\#(kind)", "lists": \#(worst.count), "over50Ms": \#(over.count), "#
        + #""medianOfP99Ms": \#(SagaBench.rounded(worst[worst.count / 2].p99)), "#
        + #""slowest": "\#(worst[0].name)", "slowestP99Ms": \#(SagaBench.rounded(worst[0].p99))}"#)
  }
}
