import JSON
import Rehearsal
import SagaCore
import TestSupport
import Testing
import Values
import Workflows

@Suite("A saga in virtual time", .timeLimit(.minutes(15)), .inTurn)
struct VirtualSagaTests {
  private static let two = Small.workflow([Small.put("reserve"), Small.put("pay")].joined(separator: ", "))
  private static let overKafka = Small.workflow(
    [Small.put("reserve", kind: "kafka"), Small.put("pay", kind: "kafka")].joined(separator: ", "))

  private func saga(_ text: String, input: JSON = [:]) throws -> VirtualSaga {
    VirtualSaga(try definition(text), input: input)
  }

  /// Answers every call as a participant that keeps the rules.
  private func honest(_ call: VirtualCall) -> PlannedAnswer {
    switch call.call.phase {
    case .forward: return .succeeds(["id": .string(call.call.step)])
    case .undo:
      if call.isInEffect { return .succeeds(.null) }
      var gone = StepFailure(code: "http.404", message: "Nothing there.", isGone: true)
      gone.keepsTombstones = true
      return PlannedAnswer(.failed(gone), after: .milliseconds(50), effect: .milliseconds(50))
    }
  }

  @Test("sends each call once, at its time, and completes")
  func completes() throws {
    let run = try saga(Self.two).run(participant: honest)
    #expect(run.status == .completed)
    #expect(run.sent == ["reserve.forward#1@0", "pay.forward#1@50"])
    #expect(
      run.kinds == [
        "sagaStarted", "attemptStarted", "stepSucceeded", "attemptStarted", "stepSucceeded", "sagaCompleted",
      ])
    #expect(run.quietAt - run.state.startedAt == .milliseconds(100))
    #expect(run.account.inEffect == ["reserve", "pay"])
    #expect(run.state.step("pay")?.output == ["id": "pay"])
    #expect(run.calls[0].call.idempotencyKey == "\(run.state.id)/reserve/1")
  }

  @Test("ends an attempt without an answer at its timeout, and retries after the pauses of the policy")
  func timesOut() throws {
    let run = try saga(Self.two).run { call in
      call.call.phase == .forward ? .neverAnswers(happens: false) : honest(call)
    }
    #expect(
      run.sent == [
        "reserve.forward#1@0", "reserve.forward#2@11000", "reserve.forward#3@23000", "reserve.undo#1@33000",
      ])
    #expect(run.status == .compensated)
    #expect(run.state.step("reserve")?.outcome == .unknown)
    #expect(run.state.step("reserve")?.undoHow == "alreadyGone")
    #expect(run.account.happened("reserve") == false)
    let failed = run.events.compactMap { $0.what as? StepFailed }.map(\.failure.code)
    #expect(failed == ["timeout"])
  }

  @Test("loses an HTTP answer that comes after the timeout")
  func lateHTTP() throws {
    let run = try saga(Self.two).run { call in
      guard call.call.step == "reserve" else { return honest(call) }
      return call.number == 1
        ? PlannedAnswer(.succeeded(["late": true]), after: .seconds(15), effect: .seconds(15))
        : PlannedAnswer(.succeeded(["late": false]), after: .seconds(9), effect: .seconds(9))
    }
    #expect(run.status == .completed)
    #expect(run.sent == ["reserve.forward#1@0", "reserve.forward#2@11000", "pay.forward#1@20000"])
    #expect(run.state.step("reserve")?.output == ["late": false])
    #expect(!run.kinds.contains("answerIgnored"))
  }

  @Test("takes a message that comes after the timeout, for the attempt that is under way by then")
  func lateMessage() throws {
    let run = try saga(Self.overKafka).run { call in
      guard call.call.step == "reserve" else { return honest(call) }
      return call.number == 1
        ? PlannedAnswer(.succeeded(["late": true]), after: .seconds(15), effect: .seconds(15))
        : .neverAnswers(happens: true)
    }
    #expect(run.status == .completed)
    #expect(run.sent == ["reserve.forward#1@0", "reserve.forward#2@11000", "pay.forward#1@15000"])
    #expect(run.state.step("reserve")?.output == ["late": true])
  }

  @Test("keeps an early signal, and gives a scheduled one to the step that waits")
  func signals() throws {
    let text = Small.workflow(
      #"""
      { "id": "rest", "delay": { "for": "10s" } },
      { "id": "approve", "signal": { "name": "approval", "accept": "$.signal.approved == true" }, "timeout": "1h" },
      { "id": "scan", "signal": { "name": "scan" }, "timeout": "1h" }
      """#)
    var saga = try saga(text)
    func signal(_ after: Duration, _ name: String, _ body: JSON) -> VirtualAct {
      VirtualAct(after: after, .signal(SignalGiven(name: name, id: "\(name)\(after)", body: body, by: "qa")))
    }
    saga.acts = [
      signal(.seconds(2), "approval", ["approved": true]), signal(.seconds(3), "nothing", [:]),
      signal(.seconds(20), "scan", ["position": "A1"]),
    ]
    let run = try saga.run(participant: honest)
    #expect(run.status == .completed)
    #expect(run.state.step("approve")?.endedAt == saga.startedAt + .seconds(10))
    #expect(run.state.step("scan")?.endedAt == saga.startedAt + .seconds(20))
    #expect(run.state.step("scan")?.output == ["position": "A1"])
    #expect(run.refusals.map(\.refusal.code) == ["signal.unknown"])
    #expect(run.refusals.first?.at == saga.startedAt + .seconds(3))
  }

  @Test("asks the people when a step begins to wait, and records what the step refuses")
  func people() throws {
    let text = Small.workflow(
      #"{ "id": "approve", "signal": { "name": "go", "accept": "$.signal.ok == true" }, "timeout": "1h" }"#)
    var asked: [VirtualWait] = []
    let run = try saga(text).run(
      people: { wait in
        asked.append(wait)
        return [false, true].enumerated().map { index, isOK in
          VirtualAct(
            after: .seconds(index + 1),
            .signal(SignalGiven(name: wait.signal, id: "\(index)", body: ["ok": .bool(isOK)], by: "qa")))
        }
      }, participant: honest)
    #expect(asked.map(\.step) == ["approve"])
    #expect(asked.first?.until == run.state.startedAt + .seconds(3_600))
    #expect(
      run.kinds == ["sagaStarted", "waitStarted", "signalRefused", "signalReceived", "stepSucceeded", "sagaCompleted"])
    #expect(run.quietAt == run.state.startedAt + .seconds(2))
  }

  @Test("carries out an operator's request at its time")
  func operators() throws {
    var saga = try saga(Self.two)
    saga.acts = [
      VirtualAct(
        after: .seconds(4),
        .operate(OperatorRequest(.cancel, by: OperatorAct(by: "ada", reason: "the tube broke"))))
    ]
    let run = try saga.run { call in
      call.call.step == "pay" && call.call.phase == .forward
        ? PlannedAnswer(.succeeded(.null), after: .seconds(8), effect: .seconds(1)) : honest(call)
    }
    #expect(run.status == .compensated)
    #expect(run.state.turnBack?.value.code == "saga.cancelled")
    #expect(run.state.turnBack?.at == saga.startedAt + .seconds(4))
    // The attempt under way is awaited before anything is undone.
    #expect(run.sent.suffix(2) == ["pay.undo#1@8050", "reserve.undo#1@8100"])
    #expect(run.account.undone == ["pay", "reserve"])
  }

  @Test("makes an attempt again under its key when the engine crashes before the record")
  func crashBefore() throws {
    var saga = try saga(Self.two)
    saga.crashes = [VirtualCrash(.beforeRecord(step: "reserve", phase: .forward, attempt: 1))]
    let run = try saga.run(participant: honest)
    #expect(run.status == .completed)
    #expect(run.sent == ["reserve.forward#1@0", "reserve.forward#2@6050", "pay.forward#1@6100"])
    #expect(run.restarts == [saga.startedAt + .milliseconds(5_050)])
    #expect(Set(run.calls.prefix(2).map(\.call.idempotencyKey)).count == 1)
    #expect(run.account.works.count { $0.step == "reserve" } == 1)
    let failed = run.events.compactMap { $0.what as? AttemptFailed }
    #expect(failed.map(\.failure.code) == ["engine.attemptInterrupted"])
    #expect(failed.map(\.isUnknown) == [true])
  }

  @Test("never sends what a crashed engine had decided and not sent")
  func crashAfter() throws {
    var saga = try saga(Self.two)
    saga.crashes = [VirtualCrash(.afterRecord(step: "reserve", phase: .forward, attempt: 1), downtime: .seconds(60))]
    let run = try saga.run(participant: honest)
    #expect(run.status == .completed)
    #expect(run.sent == ["reserve.forward#1@0", "pay.forward#2@61050"])
  }

  @Test("reads a message again that came before a crash")
  func crashWithMessage() throws {
    var saga = try saga(Self.overKafka)
    saga.crashes = [VirtualCrash(.beforeRecord(step: "reserve", phase: .forward, attempt: 1))]
    let run = try saga.run(participant: honest)
    #expect(run.status == .completed)
    let ignored = run.events.filter { $0.what is AnswerIgnored }
    #expect(ignored.map(\.at) == [saga.startedAt + .milliseconds(5_050)])
    #expect(run.sent == ["reserve.forward#1@0", "reserve.forward#2@6050", "pay.forward#1@6100"])
  }

  @Test("comes back after a crash at any time", arguments: [0, 25, 50, 75, 99])
  func crashAnyTime(milliseconds: Int) throws {
    var saga = try saga(Self.two)
    saga.crashes = [VirtualCrash(.at(.milliseconds(milliseconds)))]
    let run = try saga.run(participant: honest)
    #expect(run.status == .completed)
    #expect(run.restarts.count == 1)
    #expect(run.account.inEffect == ["reserve", "pay"])
  }

  @Test("refuses a command that comes after its undo, if the participants keep tombstones", arguments: [true, false])
  func tombstones(areKept: Bool) throws {
    var saga = try saga(Self.two)
    saga.keepsTombstones = areKept
    let run = try saga.run { call in
      switch (call.call.step, call.call.phase) {
      case ("pay", .forward): PlannedAnswer(nil, after: .zero, effect: .seconds(86_400))
      case ("pay", .undo): .succeeds(.null)
      default: honest(call)
      }
    }
    #expect(run.status == .compensated)
    #expect(run.account.isInEffect("pay") == !areKept)
    #expect(run.account.inEffect == (areKept ? [] : ["pay"]))
    #expect(run.quietAt - saga.startedAt > .seconds(86_400))
  }

  @Test("gives the same run for the same plan")
  func deterministic() throws {
    var saga = try saga(Self.two)
    saga.seed = 7
    let one = try saga.run(participant: honest)
    let other = try saga.run(participant: honest)
    #expect(one.events == other.events)
    #expect(one.calls == other.calls)
    saga.seed = 8
    #expect(try saga.run(participant: honest).state.id != one.state.id)
  }

  @Test("stops with a coded error at its budget")
  func budget() throws {
    var saga = try saga(Self.two)
    saga.budget = VirtualBudget(events: 4, happenings: 100, time: .seconds(100))
    #expect(throws: RehearsalError.self) { try saga.run(participant: honest) }
    saga.budget = VirtualBudget(events: 100, happenings: 2, time: .seconds(100))
    #expect(throws: RehearsalError.self) { try saga.run(participant: honest) }
    saga.budget = VirtualBudget(events: 100, happenings: 100, time: .seconds(5))
    do {
      _ = try saga.run { _ in .neverAnswers(happens: false) }
      Issue.record("The run has no end.")
    } catch {
      #expect(error.code == "rehearsal.budget")
      #expect(error.message == "The run takes longer than 5 seconds.")
    }
  }

  @Test("refuses an input that the schema refuses")
  func input() throws {
    let text = Small.workflow(Small.put("a"), more: #""inputSchema": { "required": ["barcode"] },"#)
    let refused = try saga(text)
    do {
      _ = try refused.run(participant: honest)
      Issue.record("The input was taken.")
    } catch {
      #expect(error.code == "input.invalid")
    }
    #expect(try saga(text, input: ["barcode": "1"]).run(participant: honest).status == .completed)
  }
}
