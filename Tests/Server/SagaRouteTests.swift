import HTTP
import JSON
import Runtime
import SagaCore
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct SagaRouteTests {
  private func engine(_ texts: String...) throws -> FakeEngine {
    let engine = FakeEngine()
    for text in texts { try engine.register(text) }
    return engine
  }

  private let created = StepOutcome.succeeded(["id": "S-000017"])
  private let stored = StepOutcome.succeeded(["position": "F2-B17-A3"])

  @Test func aSagaToItsEnd() async throws {
    let engine = try engine(Samples.storage)
    let id = try engine.start("store-sample")
    try await TestAPI.run(engine: engine) { api in
      func step(_ index: Int) async throws -> JSON? { try await api.get("/v1/sagas/\(id)").json["steps"]?[index] }
      let running = try #require(try await step(0))
      #expect(running["action"] == ["kind": "http", "service": "samples", "method": "PUT"])
      #expect(running["status"] == "running")
      #expect(running["attempt"] == 1)
      #expect(running["maxAttempts"] == 3)
      #expect(try await step(2)?["description"] == "Put it in the freezer.")
      #expect(try await step(2)?["dependsOn"] == ["approve"])

      engine.clock.advance(by: .milliseconds(1_500))
      try engine.settle(id, "create", created)
      let waiting = try #require(try await step(1))
      #expect(waiting["status"] == "waiting")
      #expect(waiting["waitingFor"] == ["kind": "signal", "signal": "approval", "name": "approval"])
      #expect(waiting["action"] == ["kind": "signal", "signal": "approval", "roles": ["qa"]])
      #expect(waiting["until"] == .string((engine.environment.now() + .seconds(1_800)).description))
      #expect(waiting["maxAttempts"] == nil)

      #expect(try await api.post("/v1/sagas/\(id)/signals/approval", ["approved": true]).json["answer"] == "taken")
      try engine.settle(id, "store", .unknown(Samples.lost))
      let backingOff = try #require(try await step(2))
      #expect(backingOff["status"] == "backingOff")
      #expect(backingOff["retryAt"] == .string((engine.environment.now() + .seconds(1)).description))
      #expect(backingOff["error"] == ["code": "http.503", "message": "No answer.", "outcome": "unknown"])
      #expect(backingOff["maxAttempts"] == 2)

      engine.clock.advance(by: .seconds(2))
      try engine.tell(id, .wake)
      try engine.settle(id, "store", stored)
      let done = try await api.get("/v1/sagas/\(id)").json
      #expect(done["status"] == "completed")
      #expect(done["output"] == ["position": "F2-B17-A3"])
      #expect(done["endedAt"] == .string(engine.environment.now().description))
      #expect(done["stuck"] == [])
      #expect(done["turnBack"] == nil && done["failedStep"] == nil && done["failureCode"] == nil)
      #expect(done["overdue"] == false)
    }
  }

  @Test func whatAParticipantSaysOfItsProgress() async throws {
    let engine = try engine(Samples.kafka)
    let id = try engine.start("thaw")
    func say(_ content: StepAnswer.Content, _ phase: StepPhase) throws {
      try engine.tell(
        id, .answered(StepAnswer(step: "thaw", phase: phase, round: 1, attempt: 1, id: "m", content: content)))
    }
    let now = JSON.string(engine.environment.now().description)
    try await TestAPI.run(engine: engine) { api in
      func step() async throws -> JSON? { try await api.get("/v1/sagas/\(id)").json["steps"]?[0] }
      #expect(try await step()?["action"] == ["kind": "kafka", "service": "storage", "command": "thaw"])
      #expect(try await step()?["maxAttempts"] == 3)
      #expect(try await step()?["progress"] == nil)
      try say(.progress(StepProgress(message: "at -20", fraction: 0.5)), .forward)
      #expect(try await step()?["progress"] == ["message": "at -20", "fraction": 0.5, "at": now])
      try say(.settled(.succeeded(["temperature": 4])), .forward)
      #expect(try await step()?["progress"] == nil, "it is over")
      #expect(try await step()?["output"] == ["temperature": 4])

      try engine.tell(id, .cancel(by: "test", reason: "test"))
      try say(.progress(StepProgress(message: "cooling")), .undo)
      #expect(try await step()?["undo"]?["progress"] == ["message": "cooling", "at": now])
      #expect(try await step()?["progress"] == nil)
      let events = try await api.get("/v1/sagas/\(id)/events").json["events"]
      #expect(events?.arrayValue?.last?["type"] == "stepProgressed")
      #expect(events?.arrayValue?.last?["data"]?["message"] == "cooling")
    }
  }

  @Test func aStepThatTakesLongerThanIsExpected() async throws {
    let engine = try engine(
      #"""
      {"name": "wait", "version": 1, "timeout": "1d",
       "steps": [{"id": "approve", "signal": {"name": "go"}, "expected": "10m"}]}
      """#)
    let id = try engine.start("wait")
    let due = engine.environment.now() + .seconds(600)
    try await TestAPI.run(engine: engine) { api in
      func saga() async throws -> JSON { try await api.get("/v1/sagas/\(id)").json }
      #expect(try await saga()["overdue"] == false)
      #expect(try await saga()["steps"]?[0]?["overdue"] == nil)
      engine.clock.advance(to: due)
      try engine.tell(id, .wake)
      #expect(try await saga()["overdue"] == true)
      #expect(
        try await saga()["steps"]?[0]?["overdue"]
          == [
            "phase": "forward", "since": .string(due.description), "expectedMs": 600_000, "basis": "declared",
          ])
      let events = try await api.get("/v1/sagas/\(id)/events").json["events"]
      #expect(events?.arrayValue?.last?["type"] == "stepOverdue")
      try engine.tell(id, .signal(name: "go", signalID: nil, body: 1, by: "qa"))
      #expect(try await saga()["overdue"] == false)
      #expect(try await saga()["steps"]?[0]?["overdue"] == nil)
    }
  }

  @Test func aSagaThatTurnsBack() async throws {
    let engine = try engine(Samples.storage)
    let id = try engine.start("store-sample")
    try engine.settle(id, "create", created)
    try engine.tell(id, .signal(name: "approval", signalID: nil, body: ["approved": true], by: "qa"))
    try engine.settle(id, "store", .failed(Samples.refused))
    try await TestAPI.run(engine: engine) { api in
      let turning = try await api.get("/v1/sagas/\(id)").json
      #expect(turning["status"] == "compensating")
      #expect(turning["turnBack"]?["cause"] == "stepFailed")
      #expect(turning["turnBack"]?["failedStep"] == "store")
      #expect(turning["turnBack"]?["step"] == "store")
      #expect(turning["failedStep"] == "store")
      #expect(turning["failureCode"] == "QC_FAILED")
      #expect(turning["failureMessage"] == turning["turnBack"]?["message"])
      #expect(turning["turnBack"]?["code"] == "QC_FAILED")
      #expect(turning["steps"]?[2]?["error"]?["outcome"] == "failed")
      #expect(turning["steps"]?[2]?["undo"] == nil)
      #expect(turning["steps"]?[0]?["undo"]?["status"] == "running")
      #expect(turning["steps"]?[0]?["undo"]?["maxAttempts"] == 10)

      try engine.settle(id, "create", .unknown(Samples.lost))
      let backingOff = try await api.get("/v1/sagas/\(id)").json["steps"]?[0]?["undo"]
      #expect(backingOff?["status"] == "backingOff")
      #expect(backingOff?["retryAt"] != nil)
      #expect(backingOff?["error"] == ["code": "http.503", "message": "No answer."])

      engine.clock.advance(by: .seconds(60))
      try engine.tell(id, .wake)
      try engine.settle(id, "create", .succeeded(.null))
      let done = try await api.get("/v1/sagas/\(id)").json
      #expect(done["status"] == "compensated")
      #expect(done["steps"]?[0]?["undo"]?["status"] == "undone")
      #expect(done["steps"]?[0]?["undo"]?["how"] == "answered")
    }
  }

  @Test("failedStep is the step that the saga is stuck on, in a list too; turnBack has the step that failed before")
  func twoFailures() async throws {
    let engine = try engine(Samples.storage)
    let id = try engine.start("store-sample")
    try engine.settle(id, "create", created)
    try engine.tell(id, .signal(name: "approval", signalID: nil, body: ["approved": true], by: "qa"))
    try engine.settle(id, "store", .failed(Samples.refused))
    try engine.settle(
      id, "create", .failed(StepFailure(code: "FREEZER_LOCKED", classes: [], message: "The freezer is locked.")))
    try await TestAPI.run(engine: engine) { api in
      let saga = try await api.get("/v1/sagas/\(id)").json
      #expect(saga["status"] == "stuck")
      #expect(saga["failedStep"] == "create")
      #expect(saga["failureCode"] == "FREEZER_LOCKED")
      #expect(saga["failureMessage"] == "The freezer is locked.")
      #expect(saga["turnBack"]?["failedStep"] == "store" && saga["turnBack"]?["code"] == "QC_FAILED")
      let line = try await api.get("/v1/sagas?status=stuck").json["sagas"]?[0]
      for name in ["failedStep", "failureCode", "failureMessage"] { #expect(line?[name] == saga[name], "\(name)") }
    }
  }

  @Test func overdueIsPastTheDeadlineAndNotEnded() async throws {
    let engine = try engine(Samples.pivot)
    let id = try engine.start("sequence")
    try await TestAPI.run(engine: engine) { api in
      #expect(try await api.get("/v1/sagas/\(id)").json["overdue"] == false)
      try engine.settle(id, "load", .succeeded(.null))
      engine.clock.advance(by: .seconds(4_000))
      let late = try await api.get("/v1/sagas/\(id)").json
      #expect(late["overdue"] == true)
      #expect(late["pivotPassed"] == true)
    }
  }

  @Test(arguments: Depth.allCases) func aHistoryIsPaged(at depth: Depth) async throws {
    let engine = try engine(Samples.storage)
    let id = try engine.start("store-sample")
    try engine.settle(id, "create", created)
    try await TestAPI.run(depth, engine: engine) { api in
      let all = try await api.get("/v1/sagas/\(id)/events")
      let count = try #require(all.json["events"]?.arrayValue?.count)
      #expect(all.json["events"]?[0]?["type"] == "sagaStarted")
      #expect(all.json["next"] == nil)
      #expect(try await api.get("/v1/sagas/\(id)").json["lastEvent"] == .int(count))

      var versions: [JSON] = []
      var after = 0
      while true {
        let page = try await api.get("/v1/sagas/\(id)/events?limit=2&after=\(after)").json
        versions += page["events"]?.arrayValue?.compactMap { $0["version"] } ?? []
        guard let next = page["next"]?.intValue else { break }
        after = next
      }
      #expect(versions == (1...count).map(JSON.int))
      #expect(try await api.get("/v1/sagas/\(id)/events?after=1000").json["events"] == [])
    }
  }

  @Test(arguments: Depth.allCases) func listsArePagedAndFiltered(at depth: Depth) async throws {
    let engine = try engine(Samples.pause("a"), Samples.pause("b"))
    var started: [UniqueID] = []
    for index in 0..<7 {
      engine.clock.advance(by: .milliseconds(5))
      started.append(try engine.start(index.isMultiple(of: 2) ? "a" : "b"))
    }
    try await TestAPI.run(depth, engine: engine) { api in
      var found: [String] = []
      var next: String?
      repeat {
        let page = try await api.get("/v1/sagas?limit=3" + (next.map { "&cursor=\($0)" } ?? "")).json
        found += page["sagas"]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? []
        next = page["next"]?.stringValue
      } while next != nil
      #expect(found == started.reversed().map(\.description))

      let some = try await api.get("/v1/sagas?workflow=b&status=running&limit=2")
      #expect(some.json["sagas"]?.arrayValue?.allSatisfy { $0["workflow"] == "b" } == true)
      #expect(try await api.get("/v1/sagas?status=completed").json["sagas"] == [])

      // The cursor belongs to its filters.
      let cursor = try #require(some.json["next"]?.stringValue)
      let carried = try await api.get("/v1/sagas?workflow=a&status=running&cursor=\(cursor)")
      #expect(carried.status == 400)
      #expect(carried.code == ServerErrorCode.cursorMalformed)
    }
  }

  @Test func aCursorThatWasChangedIsRefused() async throws {
    let engine = try engine(Samples.pause("a"))
    for _ in 0..<3 { _ = try engine.start("a") }
    try await TestAPI.run(engine: engine) { api in
      let cursor = try #require(try await api.get("/v1/sagas?limit=1").json["next"]?.stringValue)
      for index in cursor.indices {
        var changed = cursor
        changed.replaceSubrange(index...index, with: cursor[index] == "A" ? "B" : "A")
        // The last character's low bits may be padding that means nothing.
        if index == cursor.index(before: cursor.endIndex) { continue }
        let answer = try await api.get("/v1/sagas?limit=1&cursor=\(changed)")
        #expect(answer.code == ServerErrorCode.cursorMalformed, "\(changed)")
      }
      for cut in [String(cursor.dropLast()), String(cursor.dropFirst()), "x", "%2B%2B%2B", cursor + cursor] {
        #expect(try await api.get("/v1/sagas?cursor=\(cut)").code == ServerErrorCode.cursorMalformed, "\(cut)")
      }
    }
  }

  @Test func signals() async throws {
    let engine = try engine(Samples.storage)
    let id = try engine.start("store-sample")
    try await TestAPI.run(engine: engine) { api in
      let target = "/v1/sagas/\(id)/signals/approval"
      try engine.settle(id, "create", created)
      let refused = try await api.post(target, ["approved": false])
      #expect(refused.status == 422)
      #expect(refused.code == EngineErrorCode.signalRefused)
      let taken = try await api.post(target, ["approved": true], headers: ["Idempotency-Key": "click-1"])
      #expect(taken.status == 200)
      let again = try await api.post(target, ["approved": true], headers: ["Idempotency-Key": "click-1"])
      #expect(again.status == 200)
      #expect(again.json["answer"] == "repeated")
      #expect(again.json["became"] == "taken" && again.json["step"] == "approve" && again.json["by"] == "anonymous")
      #expect(taken.json["answer"] == "taken" && taken.json["step"] == "approve")
      let other = try await api.post(target, ["approved": 1], headers: ["Idempotency-Key": "click-1"])
      #expect(other.status == 409)
      #expect(other.code == EngineErrorCode.commandReused)
      let late = try await api.post(
        target, ["approved": false], headers: ["Idempotency-Key": "click-2", "Saga-User": "bert"])
      #expect(late.status == 409)
      #expect(late.code == EngineErrorCode.signalTooLate)
      let repeated = try await api.post(target, ["approved": false], headers: ["Idempotency-Key": "click-2"])
      #expect(repeated.status == 409 && repeated.code == EngineErrorCode.signalTooLate)
      #expect(repeated.json["detail"]?.stringValue?.contains("bert sent it at") == true)
      let events = try await api.get("/v1/sagas/\(id)/events").json["events"]?.arrayValue ?? []
      #expect(events.filter { $0["type"] == "signalRefused" }.count == 3)
      let unknown = try await api.post("/v1/sagas/\(id)/signals/aproval", [:])
      #expect(unknown.status == 404)
      #expect(unknown.code == EngineErrorCode.signalUnknown)
    }
  }

  /// Brings a saga of `Samples.undos` so far that its scan is to be undone by a signal.
  private func awaitUndo(of id: UniqueID, _ engine: FakeEngine, _ api: TestAPI) async throws {
    #expect(try await api.post("/v1/sagas/\(id)/signals/scanned", [:]).status == 200)
    try engine.settle(id, "load", .succeeded(.null))
    #expect(try await api.post("/v1/sagas/\(id)/cancel", ["reason": "a wrong tube"]).status == 200)
    let child = ChildLink(
      saga: UniqueID.version7(at: engine.clock.now(), random: (7, 11)), workflow: "unload", version: 1)
    let end = try #require(ChildEnd(of: child, .succeeded(.null)))
    for content in [ChildReport.Content.started(child), .ended(end)] {
      try engine.tell(id, .child(ChildReport(step: "load", round: 1, phase: .undo, content)))
    }
  }

  private func undo(of step: String, _ id: UniqueID, _ api: TestAPI) async throws -> JSON? {
    try await api.get("/v1/sagas/\(id)").json["steps"]?.arrayValue?.first { $0["id"]?.stringValue == step }?["undo"]
  }

  @Test("A signal goes to the undo that waits for it, is refused, and is a repeat, as for a step")
  func signalsToUndos() async throws {
    let engine = try engine(Samples.undos)
    let id = try engine.start("take-in")
    try await TestAPI.run(engine: engine) { api in
      let target = "/v1/sagas/\(id)/signals/taken-out"
      try await awaitUndo(of: id, engine, api)
      let waiting = try #require(try await undo(of: "scan", id, api))
      #expect(waiting["status"] == "waiting" && waiting["waitingFor"]?["signal"] == "taken-out")
      #expect(waiting["until"] != nil && waiting["attempt"] == 0 && waiting["maxAttempts"] == nil)
      let other = try await api.post(target, ["barcode": "TUBE-9999"])
      #expect(other.status == 422 && other.code == EngineErrorCode.signalRefused)
      let wrong = try await api.post(target, [:])
      #expect(wrong.status == 422 && wrong.code == EngineErrorCode.signalInvalid)
      let late = try await api.post("/v1/sagas/\(id)/signals/go", [:])
      #expect(late.status == 409 && late.code == EngineErrorCode.signalTooLate)
      let taken = try await api.post(target, ["barcode": "TUBE-0001"], headers: ["Idempotency-Key": "out-1"])
      #expect(taken.status == 200 && taken.json["answer"] == "taken" && taken.json["step"] == "scan")
      #expect(taken.json["phase"] == "undo")
      #expect(try await api.get("/v1/sagas/\(id)").json["status"] == "compensated")
      #expect(try await undo(of: "scan", id, api)?["how"] == "answered")
      let again = try await api.post(target, ["barcode": "TUBE-0001"], headers: ["Idempotency-Key": "out-1"])
      #expect(again.status == 200 && again.json["answer"] == "repeated" && again.json["became"] == "taken")
      let changed = try await api.post(target, ["barcode": "TUBE-0002"], headers: ["Idempotency-Key": "out-1"])
      #expect(changed.status == 409 && changed.code == EngineErrorCode.commandReused)
      let ended = try await api.post(target, ["barcode": "TUBE-0001"])
      #expect(ended.status == 409 && ended.code == EngineErrorCode.sagaEnded)
    }
  }

  @Test("A signal for an undo that comes before the saga compensates is kept, and confirms the undo once it is due")
  func earlySignalToUndo() async throws {
    let engine = try engine(Samples.undos)
    let id = try engine.start("take-in")
    try await TestAPI.run(engine: engine) { api in
      let early = try await api.post(
        "/v1/sagas/\(id)/signals/taken-out", ["barcode": "TUBE-0001"], headers: ["Idempotency-Key": "out-1"])
      #expect(early.status == 202 && early.json["answer"] == "kept" && early.json["candidates"] == ["scan"])
      try await awaitUndo(of: id, engine, api)
      #expect(try await api.get("/v1/sagas/\(id)").json["status"] == "compensated")
    }
  }

  @Test("An undo whose signal does not come fails, and an operator retries or resolves it")
  func signalToUndoMissed() async throws {
    let engine = try engine(Samples.undos)
    let id = try engine.start("take-in")
    try await TestAPI.run(engine: engine) { api in
      try await awaitUndo(of: id, engine, api)
      let reason: JSON = ["step": "scan", "reason": "they are on their way"]
      let extended = try await api.post("/v1/sagas/\(id)/extend", ["step": "scan", "by": "1h", "reason": "lunch"])
      #expect(extended.status == 200, "\(extended.json.text())")
      engine.clock.advance(by: .seconds(2 * 3_600))
      try engine.tell(id, .wake)
      #expect(try await undo(of: "scan", id, api)?["status"] == "waiting")
      engine.clock.advance(by: .seconds(3_600))
      try engine.tell(id, .wake)
      let failed = try #require(try await undo(of: "scan", id, api))
      #expect(failed["status"] == "failed" && failed["error"]?["code"]?.stringValue == EngineErrorCode.signalTimeout)
      #expect(failed["error"]?["outcome"] == nil && failed["waitingFor"] == nil)
      #expect(try await api.get("/v1/sagas/\(id)").json["status"] == "stuck")
      #expect(try await api.post("/v1/sagas/\(id)/retry", reason).status == 200)
      #expect(try await undo(of: "scan", id, api)?["status"] == "waiting")
    }
  }

  @Test("A saga is shown and signalled by the key that has started it")
  func byKey() async throws {
    let engine = try engine(Samples.storage)
    try await TestAPI.run(engine: engine) { api in
      let input: JSON = ["input": ["barcode": "TS-0017"]]
      // A key may have any visible character.
      for (key, path) in [("ORD-4711", "ORD-4711"), ("a/b?c", "a%2Fb%3Fc")] {
        let started = try await api.post(
          "/v1/workflows/store-sample/sagas", input, headers: ["Idempotency-Key": key])
        #expect(started.status == 201)
        let id = try #require(started.json["id"]?.stringValue)
        let shown = try await api.get("/v1/workflows/store-sample/keys/\(path)")
        #expect(shown.status == 200 && shown.json["id"] == .string(id) && shown.json["idempotencyKey"] == .string(key))
        let signalled = try await api.post(
          "/v1/workflows/store-sample/keys/\(path)/signals/approval", ["approved": true])
        #expect(signalled.status == 202)
        #expect(signalled.json["saga"] == .string(id) && signalled.json["answer"] == "kept")
        #expect(signalled.headers["Saga-Seen"] != nil)
      }
      for target in ["keys/none", "keys/none/signals/approval"] {
        let answer =
          try await target.hasSuffix("approval")
          ? api.post("/v1/workflows/store-sample/\(target)", ["approved": true])
          : api.get("/v1/workflows/store-sample/\(target)")
        #expect(answer.status == 404 && answer.code == EngineErrorCode.sagaNotFound)
      }
      let other = try await api.get("/v1/workflows/another/keys/ORD-4711")
      #expect(other.status == 404 && other.code == EngineErrorCode.sagaNotFound, "a key belongs to one workflow")
    }
  }

  @Test func aSignalThatComesEarlyIsKept() async throws {
    let engine = try engine(Samples.storage)
    let id = try engine.start("store-sample")
    try await TestAPI.run(engine: engine) { api in
      let answer = try await api.post("/v1/sagas/\(id)/signals/approval", ["approved": true])
      #expect(answer.status == 202)
      #expect(answer.json["answer"] == "kept")
      #expect(answer.json["candidates"] == ["approve"])
    }
  }

  @Test func aSignalWithoutABodyIsNull() async throws {
    let engine = FakeEngine()
    try engine.register(
      #"{"name": "w", "version": 1, "steps": [{"id": "a", "timeout": "1m", "signal": {"name": "go"}}]}"#)
    let id = try engine.start("w")
    try await TestAPI.run(engine: engine) { api in
      // A form on a web page sends such a request to any address.
      let untyped = try await api.send("POST", "/v1/sagas/\(id)/signals/go")
      #expect(untyped.status == 415)
      #expect(untyped.code == HTTPErrorCode.unsupportedMediaType)
      let answer = try await api.send(
        "POST", "/v1/sagas/\(id)/signals/go", headers: ["Content-Type": "application/json"])
      #expect(answer.json["answer"] == "taken")
      let step = try await api.get("/v1/sagas/\(id)").json["steps"]?[0]
      #expect(step?["output"] == .null)
    }
  }
}
