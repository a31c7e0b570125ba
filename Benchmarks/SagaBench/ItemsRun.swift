import BenchSupport
import Foundation
import JSON
import Runtime
import SagaCore
import Synchronization
import Values
import WorkflowEngine

/// One measurement of `ItemsBench`: sagas with many items, one after the other, whose calls are answered in the process.
struct ItemsRun: Sendable {
  var store = "sqlite"
  var items = 1_000
  var sagas = 1
  var parallel = 10
  /// True when a last step fails, so that all items are undone.
  var undoes = false
  /// The folder of the SQLite file, which stays; nil for a store of the run's own.
  var folder: String?
  /// The number of calls after which the process kills itself; 0 for never.
  var killAfter = 0

  static func log(in folder: String) -> String { folder + "/calls.txt" }

  var arguments: [String] {
    ["items-once", "--stores", store, "--items", "\(items)", "--sagas", "\(sagas)", "--parallel", "\(parallel)"]
      + ["--kill-after", "\(killAfter)"] + (undoes ? ["--undo"] : []) + (folder.map { ["--folder", $0] } ?? [])
  }

  private var workflow: String {
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

  /// Runs the sagas and prints one line of figures.
  func run() async throws {
    let begun = ContinuousClock.now
    let bed: TestBed
    if let folder {
      bed = try await TestBed.sqlite(in: folder)
    } else if let made = try await TestBed.make(store) {
      bed = made
    } else {
      return print(#"{"store": "\#(store)", "skipped": "TRACSEQ_TEST_POSTGRES is not set"}"#)
    }
    let participant = Answering(log: folder.map(Self.log), killAfter: killAfter)
    let engine = Engine(store: bed.store, executor: participant, environment: .system)
    let running = Task { try await engine.run() }
    while !engine.isReady { await Task.yield() }
    _ = try await engine.register(Array(workflow.utf8), by: "bench")
    let memory = MemoryWatch(calls: items * sagas * (undoes ? 2 : 1), participant)
    let sampling = Task { try await memory.watch() }
    let (from, processor) = (ContinuousClock.now, ProcessFigures.processorSeconds())
    var events = 0
    var last: UniqueID?
    for number in 0..<sagas {
      let id = try await start(number, engine)
      let end = try await engine.waitForEnd(of: id, atMost: .seconds(7_200)).state
      guard end.status == (undoes ? .compensated : .completed) else { throw WrongEnd(status: "\(end.status)") }
      events += Int(end.version)
      last = id
    }
    let seconds = (ContinuousClock.now - from) / .seconds(1)
    let processorSeconds = ProcessFigures.processorSeconds() - processor
    sampling.cancel()
    _ = await sampling.result
    // An ended saga has left memory, so this reads its history.
    let asked = ContinuousClock.now
    if let last { _ = try await engine.saga(last) }
    let read = (ContinuousClock.now - asked) / .seconds(1)
    running.cancel()
    _ = await running.result
    await bed.remove()
    let all = Double(items * sagas)
    let first = participant.firstCall.map { ($0 - begun) / .seconds(1) } ?? 0
    print(
      #"{"store": "\#(store)", "undo": \#(undoes), "items": \#(items), "sagas": \#(sagas), "#
        + #""calls": \#(participant.count), "seconds": \#(SagaBench.rounded(seconds)), "#
        + #""microsecondsPerItem": \#(SagaBench.rounded(seconds * 1e6 / all)), "#
        + #""processorMicrosecondsPerItem": \#(SagaBench.rounded(processorSeconds * 1e6 / all)), "#
        + #""eventsPerItem": \#(SagaBench.rounded(Double(events) / all)), "#
        + #""firstCallAfterSeconds": \#(SagaBench.rounded(first)), "readSeconds": \#(SagaBench.rounded(read)), \#(memory.figures)}"#
    )
  }

  /// Starts a saga. A second start with the same number is the same saga. The input does not outlive the call.
  private func start(_ number: Int, _ engine: Engine) async throws -> UniqueID {
    let input: JSON = ["wells": .array((0..<items).map { ["id": .string("W-\($0)"), "volumeUl": 20] })]
    return try await engine.start(
      StartRequest(workflow: "items", input: input, idempotencyKey: "items-\(number)", by: "bench")
    ).id
  }

  private struct WrongEnd: Error { let status: String }
}

extension ItemsRun {
  /// Reads the arguments that `arguments` makes.
  init(_ arguments: [String]) {
    func text(_ name: String) -> String? { arguments.firstIndex(of: "--\(name)").map { arguments[$0 + 1] } }
    func number(_ name: String) -> Int? { text(name).flatMap { Int($0) } }
    self.init(
      store: text("stores") ?? "sqlite", items: number("items") ?? 1_000, sagas: number("sagas") ?? 1,
      parallel: number("parallel") ?? 10, undoes: arguments.contains("--undo"), folder: text("folder"),
      killAfter: number("kill-after") ?? 0)
  }
}

/// The memory of the process: before the calls, after a tenth and nine tenths of them, and at most.
private final class MemoryWatch: Sendable {
  private struct Figures {
    var before = ProcessFigures.residentKiB() ?? 0
    var atTenth: Int?
    var atNineTenths: Int?
    var most = 0
  }

  private let calls: Int
  private let participant: Answering
  private let read = Mutex(Figures())

  init(calls: Int, _ participant: Answering) {
    self.calls = calls
    self.participant = participant
  }

  /// Reads the memory twenty times a second, until the task is cancelled.
  func watch() async throws {
    while !Task.isCancelled {
      if let now = ProcessFigures.residentKiB() {
        let made = participant.count
        read.withLock {
          $0.most = max($0.most, now)
          if made >= calls / 10, $0.atTenth == nil { $0.atTenth = now }
          if made >= calls / 10 * 9, $0.atNineTenths == nil { $0.atNineTenths = now }
        }
      }
      try await Environment.system.clock.sleep(until: Environment.system.now() + .milliseconds(50))
    }
  }

  /// The figures as members of JSON. `growthWhileItRuns` is the memory after nine tenths of the calls in relation to that
  /// after a tenth: 1 means that it is flat. `mostToTenth` is the same of the most memory, which the writing of a snapshot
  /// takes for a short time.
  var figures: String {
    let figures = read.withLock { $0 }
    let tenth = figures.atTenth ?? figures.most
    let nineTenths = figures.atNineTenths ?? figures.most
    return #""residentMiBBefore": \#(figures.before / 1_024), "residentMiBAtTenth": \#(tenth / 1_024), "#
      + #""residentMiBAtNineTenths": \#(nineTenths / 1_024), "residentMiBMost": \#(figures.most / 1_024), "#
      + #""growthWhileItRuns": \#(SagaBench.rounded(Double(nineTenths) / Double(max(1, tenth)))), "#
      + #""mostToTenth": \#(SagaBench.rounded(Double(figures.most) / Double(max(1, tenth))))"#
  }
}

/// A participant that answers at once and counts its calls. With a log it also writes the key of each call there.
private final class Answering: StepExecutor {
  private let calls = Atomic<Int>(0)
  private let first = Mutex<ContinuousClock.Instant?>(nil)
  private let log: Int32?
  private let killAfter: Int

  init(log: String?, killAfter: Int) {
    self.log = log.map { open($0, O_WRONLY | O_CREAT | O_APPEND, 0o600) }
    self.killAfter = killAfter
  }

  var count: Int { calls.load(ordering: .relaxed) }
  /// When the first call came.
  var firstCall: ContinuousClock.Instant? { first.withLock { $0 } }

  func perform(_ call: StepCall) async -> StepOutcome {
    let number = calls.wrappingAdd(1, ordering: .relaxed).newValue
    if number == 1 { first.withLock { $0 = ContinuousClock.now } }
    if let log {
      let line = Array((call.idempotencyKey + "\n").utf8)
      // One write of a whole line, which stays when the process is killed.
      _ = line.withUnsafeBytes { write(log, $0.baseAddress, $0.count) }
    }
    if number == killAfter { kill(getpid(), SIGKILL) }
    return .succeeded(["ok": true])
  }
}
