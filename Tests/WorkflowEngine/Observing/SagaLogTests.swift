import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Log lines of sagas", .timeLimit(.minutes(15)), .inTurn)
struct SagaLogTests {
  private struct Line: Sendable {
    let level: Log.Level
    let message: String
    let values: [String: String]
    var text: String { "\(message) \(values)" }
  }

  private let lines = Told<Line>()

  private var log: Log {
    Log { [lines] level, message, values in
      lines.add(Line(level: level, message: message, values: Dictionary(values, uniquingKeysWith: { $1 })))
    }
  }

  private func lines(of kind: SagaLog.Kind) -> [Line] { lines.all.filter { $0.message == kind.message } }

  private static let secret = "patient-4711"

  @Test("A saga's start, compensation, stop, verb and end each have one line, and none has data of the saga")
  func oneLineEach() async throws {
    let running = try await RunningEngine(
      MemoryStore(environment: .system),
      ScriptedExecutor { call in
        let refusal = StepFailure(code: "NO_ROOM", message: "no room for \(Self.secret)")
        if call.step == "b", call.phase == .forward { return .failed(refusal) }
        return call.phase == .undo && call.attempt == 1 ? .failed(refusal) : .succeeded([Self.secret: true])
      }, log: log)
    let engine = running.engine
    _ = try await engine.register(Workflow.of(Workflow.step("a"), Workflow.step("b")), by: "ada")
    _ = try await engine.register(Workflow.of(Workflow.step("a"), Workflow.step("b")), by: "ada")
    let id = try await running.start(input: ["name": .string(Self.secret)]).id
    try await engine.wait(for: id, toBe: .stuck)
    let act = OperatorAct(by: "mia", reason: "\(Self.secret) waits", from: nil)
    _ = try await engine.operate(id, OperatorRequest(.retry(step: "a"), by: act))
    #expect(try await running.end(of: id).status == .compensated)
    await running.stop()

    let place = ["saga": "\(id)", "workflow": "spec", "version": "v1"]
    func with(_ more: [String: String]) -> [String: String] { place.merging(more) { $1 } }
    #expect(
      lines(of: .registered).map(\.values) == [["workflow": "spec", "version": "v1", "by": "ada"]],
      "a repeated registration changes nothing")
    #expect(lines(of: .started).map(\.values) == [with(["by": "test"])])
    #expect(
      lines(of: .turnedBack).map(\.values) == [with(["step": "b", "cause": "stepFailed", "code": "NO_ROOM"])])
    #expect(lines(of: .stuck).map(\.values) == [with(["step": "a", "phase": "undo", "code": "NO_ROOM"])])
    #expect(lines(of: .stuck).map(\.level) == [.warning])
    #expect(lines(of: .verb).map(\.values) == [with(["verb": "retry", "step": "a", "by": "mia"])])
    let end = try #require(lines(of: .ended).first)
    #expect(lines(of: .ended).count == 1 && end.values["end"] == "compensated" && end.level == .info)
    for line in lines.all { #expect(!line.text.contains(Self.secret), "\(line.text)") }
  }

  @Test("An engine that takes up a saga logs none of what an earlier process logged")
  func restart() async throws {
    let store = MemoryStore(environment: .system)
    let first = try await RunningEngine(store, ScriptedExecutor())
    _ = try await first.engine.register(
      Workflow.of(#"{"id": "w", "signal": {"name": "go"}}"#, Workflow.step("b")), by: "test")
    let id = try await first.start().id
    await first.stop()

    let second = try await RunningEngine(store, ScriptedExecutor(), log: log)
    #expect(try await second.engine.saga(id).state.status == .running)
    _ = try await second.engine.signal(id, name: "go", body: .null, signalID: nil, by: "mia")
    #expect(try await second.end(of: id).status == .completed)
    await second.stop()
    #expect(lines(of: .started).isEmpty && lines(of: .registered).isEmpty)
    #expect(lines(of: .ended).map { $0.values["end"] } == ["completed"])
  }

  @Test("An overdue step has a line")
  func overdue() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let running = try await RunningEngine(
      MemoryStore(environment: environment), ScriptedExecutor(), environment: environment, log: log)
    _ = try await running.engine.register(
      Workflow.of(OverdueShellTests.approval, members: OverdueShellTests.day), by: "test")
    let id = try await running.start().id
    let due = clock.now() + .seconds(600)
    await clock.waitForSleepers { $0.contains(due) }
    clock.advance(to: due)
    try await running.engine.waitUntilOverdue(id, step: "w")
    let line = try #require(lines(of: .overdue).first)
    #expect(line.values["saga"] == "\(id)" && line.values["step"] == "w" && line.level == .warning)
    await running.stop()
  }

  @Test("A storm of lines of one kind is cut, and one line has the number of the others; other kinds go on")
  func storm() async throws {
    let clock = FakeClock()
    let log = SagaLog(log, environment: .fake(clock: clock))
    for number in 0..<1_000 { log.registered("w\(number)", version: 1, by: "ada") }
    #expect(lines(of: .registered).count == SagaLog.most)
    let end = clock.now() + SagaLog.window
    await clock.waitForSleepers { $0 == [end] }
    clock.advance(to: end)
    let reports = await lines.wait { $0.contains { $0.values["count"] != nil } }
    let report = try #require(reports.last)
    #expect(report.values == ["line": SagaLog.Kind.registered.message, "count": "\(1_000 - SagaLog.most)"])
    // A new window has room again.
    log.registered("later", version: 1, by: "ada")
    #expect(lines.all.last?.values["workflow"] == "later")
  }

  @Test("Lines that were left out are reported when the engine stops, without a wait")
  func flush() {
    let clock = FakeClock()
    let log = SagaLog(log, environment: .fake(clock: clock))
    for _ in 0..<SagaLog.most + 3 { log.registered("w", version: 1, by: "ada") }
    log.flush()
    #expect(lines.all.last?.values["count"] == "3")
    log.flush()
    #expect(lines.all.filter { $0.values["count"] != nil }.count == 1)
  }

  @Test("A log that writes only warnings costs nothing for starts and ends, and begins no timer")
  func quiet() {
    let clock = FakeClock()
    let written = Told<String>()
    let log = SagaLog(Log(from: .warning) { _, message, _ in written.add(message) }, environment: .fake(clock: clock))
    for _ in 0..<1_000 { log.registered("w", version: 1, by: "ada") }
    #expect(written.all.isEmpty && clock.deadlines.isEmpty)
  }
}
