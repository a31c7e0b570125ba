import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import Notifications
@testable import SagaCore
@testable import WorkflowEngine

@Suite("Notices of events, and their content", .timeLimit(.minutes(15)), .inTurn)
struct NoticeMakerTests {
  private static let refused = StepFailure(code: "FREEZER_OFF", message: "The freezer is off.")

  private func maker(_ running: RunningEngine, _ store: any EventStore) -> NoticeMaker {
    NoticeMaker(store: store) { try? await running.engine.host.definitions.definition(of: $0) }
  }

  /// Returns all notices of a stream, and checks that each matches the API's description.
  private func notices(
    _ store: any EventStore, _ stream: UniqueID, _ maker: NoticeMaker, _ types: Set<NoticeType> = NoticeType.all
  ) async throws -> [Notice] {
    var notices: [Notice] = []
    let description = SchemaValidator(document: try JSON(parsing: Repository.bytes("docs/schema/openapi.json")))
    for event in try await store.read(stream, after: 0, limit: 1_000) {
      guard let notice = try await maker.notice(of: event, wanted: types) else { continue }
      notices.append(notice)
      #expect(description.violations(of: notice.body, against: ["$ref": "#/components/schemas/Notice"]) == [])
    }
    return notices
  }

  @Test("A saga that the engine holds back makes a notice with its incident; a person's pause makes none")
  func held() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await RunningEngine(store, ScriptedExecutor())
    _ = try await running.engine.register(Workflow.of(#"{"id": "w", "signal": {"name": "go"}}"#), by: "test")
    let (held, paused) = (try await running.start().id, try await running.start().id)
    let acts = [
      (held, OperatorAct(by: "engine", reason: "The engine died while it computed this saga.", from: "recovery")),
      (paused, OperatorAct(by: "mia", reason: #"said "from":"recovery""#, from: "rest 10.0.0.7")),
    ]
    for (id, act) in acts { _ = try await running.engine.operate(id, OperatorRequest(.pause, by: act)) }
    let notice = try #require(try await notices(store, held, maker(running, store)).first)
    #expect(notice.type == .sagaStuck && notice.summary.contains("The engine died while it computed this saga"))
    let need = SagaNeed(kind: .held, code: EngineErrorCode.sagaHeld, since: notice.at)
    #expect(notice.details["incident"]?["id"]?.stringValue == IncidentKey(need, workflow: "spec").id)
    #expect(try await notices(store, paused, maker(running, store)) == [])
    await running.stop()
  }

  @Test("A stuck saga makes one notice for each stuck step, with the failure and the verbs that help")
  func stuck() async throws {
    let store = MemoryStore(environment: .system)
    let (gate, open) = AsyncStream.makeStream(of: Void.self)
    let running = try await RunningEngine(
      store,
      ScriptedExecutor { call in
        switch (call.phase, call.step) {
        case (.forward, "c"): return .failed(StepFailure(code: "NO", message: "no"))
        case (.undo, "b"):
          // Only once the saga is stuck at the other.
          for await _ in gate {}
          return .failed(StepFailure(code: "http.404", message: "The delivery is locked."))
        case (.undo, _): return .failed(Self.refused)
        default: return .succeeded(.null)
        }
      })
    _ = try await running.engine.register(
      Workflow.of(
        Workflow.step("a"), Workflow.step("b", #""dependsOn": []"#), Workflow.step("c", #""dependsOn": ["a", "b"]"#)),
      by: "test")
    let id = try await running.start().id
    try await running.engine.wait(for: id, toBe: .stuck)
    open.finish()
    try await running.engine.state(of: id, when: "two undos block the saga") { $0.blockers.count == 2 }

    let told = try await notices(store, id, maker(running, store))
    #expect(told.map(\.type) == [.sagaStuck, .sagaStuck])
    let first = try #require(told.first)
    #expect(
      first.summary
        == "Saga \(id) of spec is stuck because the undo of step a failed for good: The freezer is off [FREEZER_OFF]. "
        + "Compensation started because step c failed: no [NO].")
    #expect(first.details["next"]?.arrayValue?.map { $0["verb"] } == ["retry", "resolve"])
    #expect(first.id.hasPrefix("\(id)/") && first.subject == id.description)
    #expect(first.details["saga"] == .string(id.description) && first.details["workflow"] == "spec")
    #expect(first.details["workflowVersion"] == 1 && first.details["event"] == "undoFailed")
    #expect(first.id == "\(id)/\(first.details["version"]?.intValue ?? 0)")
    #expect(
      first.details["step"] == "a" && first.details["code"] == "FREEZER_OFF" && first.details["status"] == "stuck")
    #expect(first.details["path"] == .string("/#/saga/\(id)"))
    #expect(first.details["stuck"]?.arrayValue?.count == 1)
    #expect(first.details["stuck"]?[0]?["phase"] == "undo")
    #expect(first.details["stuck"]?[0]?["verbs"] == ["retry", "resolve"])
    #expect(first.details["verbs"]?.arrayValue?.contains("retry") == true)
    let second = try #require(told.last)
    #expect(second.details["step"] == "b")
    #expect(
      second.summary.contains(
        "is stuck because the undo of step b failed for good: The delivery is locked [http.404]. The saga is also stuck at a."
      ))
    #expect(second.details["stuck"]?.arrayValue?.count == 2)

    // The body of a webhook.
    #expect(first.body["type"] == "saga.stuck" && first.body["timestamp"] == .timestamp(first.at))
    #expect(first.body["data"]?["id"] == .string(first.id))
    #expect(first.body["data"]?["summary"] == .string(first.summary))

    // A retry that fails again is news again.
    _ = try await running.engine.operate(
      id, OperatorRequest(.retry(step: "a"), by: OperatorAct(by: "mia", reason: "try")))
    try await running.engine.wait(for: id, step: "a", toBe: .undoFailed)
    let again = try await notices(store, id, maker(running, store))
    #expect(again.count == 3 && again.last?.details["step"] == "a" && again.last?.id != first.id)
    await running.stop()
  }

  @Test("The title comes first, and the notice has the title and the key")
  func title() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await RunningEngine(store, ScriptedExecutor { _ in .failed(Self.refused) })
    let titled = Workflow.of(Workflow.step("a"), members: #""title": "Tube ${input.barcode}","#)
    _ = try await running.engine.register(titled, by: "test")
    let id = try await running.start(input: ["barcode": "TS-7"], key: "tube-7").id
    _ = try await running.end(of: id)
    let told = try #require(try await notices(store, id, maker(running, store)).first)
    #expect(told.summary.hasPrefix("Tube TS-7 (saga \(id) of spec) is compensated"))
    #expect(told.details["title"] == "Tube TS-7" && told.details["key"] == "tube-7")
    await running.stop()
  }

  @Test("A failure that does not stop the saga makes no notice; a compensated saga makes one if it is wanted")
  func compensated() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await RunningEngine(
      store, ScriptedExecutor { $0.step == "b" && $0.phase == .forward ? .failed(Self.refused) : .succeeded(.null) })
    _ = try await running.engine.register(Workflow.of(Workflow.step("a"), Workflow.step("b")), by: "test")
    let id = try await running.start().id
    _ = try await running.end(of: id)
    let told = try await notices(store, id, maker(running, store))
    #expect(told.map(\.type) == [.sagaCompensated])
    #expect(
      told.first?.summary == "Saga \(id) of spec is compensated: its steps are undone. "
        + "Compensation started because step b failed: The freezer is off [FREEZER_OFF].")
    #expect(try await notices(store, id, maker(running, store), NoticeType.usual).isEmpty)
    await running.stop()
  }

  @Test("A notice says that a step may have happened; an abandoned saga makes a notice if it is wanted")
  func unknownAndAbandoned() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await RunningEngine(
      store, ScriptedExecutor { _ in .unknown(StepFailure(code: "http.503", message: "Not now.")) })
    _ = try await running.engine.register(
      Workflow.of(Workflow.step("a", #""pivot": true, "retry": {"maxAttempts": 1}"#)), by: "test")
    let id = try await running.start().id
    try await running.engine.wait(for: id, toBe: .stuck)
    _ = try await running.engine.operate(
      id, OperatorRequest(.abandon, by: OperatorAct(by: "mia", reason: "ticket 4711")))
    let told = try await notices(store, id, maker(running, store))
    #expect(
      told.map(\.summary) == [
        "Saga \(id) of spec is stuck because step a failed for good: Not now [http.503]. "
          + "It is a pivot, and its outcome is unknown: it may have happened. Check the participant first.",
        "Saga \(id) of spec was abandoned by mia: “ticket 4711”. "
          + "The engine undoes nothing more: check what is left over.",
      ])
    #expect(told.last?.type == .sagaAbandoned && told.last?.details["status"] == "abandoned")
    await running.stop()
  }

  @Test("A reminder makes a notice about the step that waits, and a completed saga makes one if it is wanted")
  func remindedAndCompleted() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await RunningEngine(store, ScriptedExecutor())
    _ = try await running.engine.register(
      Workflow.of(
        #"{"id": "first", "signal": {"name": "one"}}"#,
        #"{"id": "second", "dependsOn": [], "signal": {"name": "two"}, "remind": {"after": "10ms"}}"#), by: "test")
    let id = try await running.start().id
    try await running.engine.state(of: id, when: "people are reminded") { $0.step("second")?.wait?.reminders == 1 }
    var told = try await notices(store, id, maker(running, store), NoticeType.usual)
    #expect(told.map(\.type) == [.sagaReminder])
    #expect(
      told.first?.summary == "Saga \(id) of spec waits at step second for the signal “two”. "
        + "People have been reminded of it once. Step first waits for the signal “one”.")
    #expect(told.first?.details["step"] == "second" && told.first?.details["code"] == nil)
    #expect(told.first?.details["next"]?.arrayValue?.contains { $0["signal"] == "two" } == true)
    for name in ["one", "two"] {
      _ = try await running.engine.signal(id, name: name, body: .null, signalID: name, by: "mia")
    }
    _ = try await running.end(of: id)
    told = try await notices(store, id, maker(running, store))
    #expect(told.map(\.type) == [.sagaReminder, .sagaCompleted])
    #expect(told.last?.details["status"] == "completed")
    await running.stop()
  }

  @Test("An overdue saga and an overdue step make a notice")
  func overdue() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await RunningEngine(store, ScriptedExecutor())
    _ = try await running.engine.register(Workflow.of(#"{"id": "w", "signal": {"name": "go"}}"#), by: "test")
    let id = try await running.start().id
    try await running.engine.wait(for: id, step: "w", toBe: .waiting)
    let state = try await running.engine.saga(id).state
    await running.stop()
    let bench = try await NoticeBench(store)
    let late: JSON = ["at": "2026-03-01T08:15:30.250Z"]
    try await bench.append("sagaOverdue", late, to: id, after: state.version)
    var step = late.objectValue ?? [:]
    (step["step"], step["phase"], step["since"]) = ("w", "forward", "2026-03-01T07:00:00.000Z")
    (step["expectedMs"], step["basis"], step["samples"]) = (90_000, "learned", 300)
    try await bench.append("stepOverdue", .object(step), to: id, after: state.version + 1)
    let told = try await notices(store, id, maker(running, store))
    #expect(told.map(\.type) == [.sagaOverdue, .sagaOverdue])
    let subject = "Saga \(id) of spec waits at step w for the signal “go”."
    #expect(
      told[0].summary == "\(subject) The saga is overdue: its deadline was \(Explanation.Words.time(state.deadline)).")
    #expect(told[0].at == Timestamp("2026-03-01T08:15:30.250Z"))
    #expect(
      told[1].summary
        == "\(subject) Step w is overdue: its end was expected at 2026-03-01 07:00:00 UTC, after 1 min 30 s "
        + "(learned from 300 runs). The saga is overdue: its deadline was \(Explanation.Words.time(state.deadline)).")
    #expect(told[1].details["code"] == nil)
    #expect(told[1].details["verbs"]?.arrayValue?.isEmpty == false, "its events are read")
    #expect(told[1].details["step"] == "w" && told[1].details["workflow"] == "spec")
  }

  @Test("A stuck saga makes a notice even when this version can't read its event")
  func unreadable() async throws {
    let bench = try await NoticeBench()
    let maker = NoticeMaker(store: bench.store) { _ in nil }
    let start: JSON = ["at": "2026-03-01T08:15:30.250Z", "saga": ["workflow": "later"]]
    let id = try await bench.append("sagaStarted", start)
    let stuck = #"{"schema":9,"status":"stuck"}"#
    try await bench.append("stepExploded", [:], meta: stuck, to: id, after: 1)
    try await bench.append("stepExploded", [:], meta: stuck, to: id, after: 2)
    try await bench.append("stepExploded", [:], meta: #"{"schema":9,"status":"running"}"#, to: id, after: 3)
    try await bench.append("undoFailed", NoticeBench.undoFailed("s"), to: id, after: 4)
    try await bench.append("stepFailed", ["step": "t", "consequence": "goesOn"], to: id, after: 5)
    let told = try await notices(bench.store, id, maker)
    #expect(told.map(\.details["version"]) == [2, 5])
    #expect(told[0].summary.hasPrefix("Saga \(id) of later is stuck. This version cannot read its history"))
    #expect(told[1].summary == "Saga \(id) of later is stuck because the undo of step s failed for good: no [E].")
  }

  @Test("An operation makes a notice when it waits for another person, and one with its result")
  func engineOperations() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await RunningEngine(store, ScriptedExecutor(), approvals: [.cancel])
    _ = try await running.engine.register(Workflow.of(#"{"id": "w", "signal": {"name": "go"}}"#), by: "test")
    let id = try await running.start().id
    let asked = try await running.engine.ask(
      id, OperatorRequest(.cancel, by: OperatorAct(by: "bob", reason: "bad lot"))
    ).id
    _ = try await running.engine.approve(asked, OperatorAct(by: "eve", reason: "seen"))
    try await eventually("the operation is finished") {
      try await running.engine.operation(asked).status == .finished
    }
    let told = try await notices(store, asked, maker(running, store))
    #expect(
      told.map(\.summary) == [
        "bob wants to cancel 1 saga: “bad lot”. A second person must approve operation \(asked).",
        "Operation \(asked) (cancel) is finished: 1 done, 0 refused.",
      ])
    #expect(told.map(\.type) == [.approvalNeeded, .operationFinished])
    #expect(told.first?.details["verbs"] == ["approve", "decline"] && told.last?.details["verbs"] == nil)
    #expect(told.last?.details["done"] == 1 && told.last?.details["by"] == "bob")
    #expect(told.last?.details["path"] == .string("/#/operation/\(asked)"))
    await running.stop()
  }

  @Test("An operation that can't be read makes a notice from the event's own members")
  func operations() async throws {
    let bench = try await NoticeBench()
    let maker = NoticeMaker(store: bench.store) { _ in nil }
    let id = try await bench.append("operationStarted", ["needsApproval": false, "verb": "retry", "by": "bob"])
    try await bench.append("operationFinished", ["verb": "retry", "done": 118, "refused": 2], to: id, after: 1)
    let told = try await notices(bench.store, id, maker)
    #expect(told.map(\.type) == [.operationFinished])
    #expect(told[0].summary == "Operation \(id) (retry) is finished: 118 done, 2 refused.")
    #expect(told[0].details["operation"] == .string(id.description) && told[0].details["done"] == 118)
    #expect(told[0].details["path"] == .string("/#/operation/\(id)"))
  }
}
