import Foundation
import HTTP
import JSON
import Notifications
import Persistence
import SagaCore
import Streaming
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

/// The bytes of the answers, member by member in their order. Clients compare and store them, so they change only on
/// purpose: `RENEW_COPIES=1` writes the stored answers again.
@Suite("Answers keep their text", .timeLimit(.minutes(15)), .inTurn)
struct AnswerTextTests {
  private static let folder = "Tests/Server/Answers"

  private func expect(_ answer: Answer, is name: String, _ status: Int = 200) throws {
    #expect(answer.status == status, "\(name): \(answer.json.text())")
    let path = "\(Self.folder)/\(name).json"
    // The text is compared as it is; the file has one member a line.
    let text = answer.json.text(.pretty) + "\n"
    #expect(answer.json.bytes() == answer.bytes, "\(name) is not written compactly")
    if Repository.renewsCopies {
      try Repository.write(text, to: path)
    } else {
      #expect(text == String(decoding: try Repository.bytes(path), as: UTF8.self), "\(name)")
    }
  }

  private func engine() throws -> FakeEngine {
    let engine = FakeEngine()
    try engine.register(Samples.storage)
    try engine.register(Samples.pivot)
    try engine.register(Samples.kafka)
    return engine
  }

  private func operate(_ engine: FakeEngine, _ id: UniqueID, _ verb: OperatorVerb) throws {
    let act = OperatorAct(by: "mia", reason: "a reason", from: "cli 127.0.0.1")
    try engine.tell(id, .operate(OperatorRequest(verb, by: act, expectedVersion: nil)))
  }

  @Test("Sagas of every kind")
  func sagas() async throws {
    let engine = try engine()
    var sagas: [(name: String, id: UniqueID)] = []
    func saga(_ name: String, of workflow: String = "store-sample", _ act: (UniqueID) throws -> Void) throws {
      let id = try engine.start(workflow)
      engine.clock.advance(by: .milliseconds(1_250))
      try act(id)
      sagas.append((name, id))
    }
    try saga("running") { _ in }
    try saga("waiting") { try engine.settle($0, "create", .succeeded(["id": "S-1"])) }
    try saga("backing-off") { try engine.settle($0, "create", .unknown(Samples.lost)) }
    try saga("paused") { try operate(engine, $0, .pause) }
    try saga("unread") { try engine.settle($0, "create", .succeededUnread(Samples.refused)) }
    try saga("progress", of: "thaw") {
      _ = try engine.tell(
        $0,
        .answered(
          StepAnswer(
            step: "thaw", phase: .forward, round: 1, attempt: 1, id: "m",
            content: .progress(StepProgress(message: "at -20", fraction: 0.5)))))
    }
    try saga("stuck", of: "sequence") {
      try engine.settle($0, "load", .succeeded(.null))
      try engine.settle($0, "notify", .failed(Samples.refused))
    }
    try saga("abandoned", of: "sequence") {
      try engine.settle($0, "load", .succeeded(.null))
      try engine.settle($0, "notify", .failed(Samples.refused))
      try operate(engine, $0, .abandon)
    }
    try saga("undoing") {
      try engine.settle($0, "create", .succeeded(["id": "S-1"]))
      try operate(engine, $0, .cancel)
    }
    try saga("compensated") {
      try engine.settle($0, "create", .succeeded(["id": "S-1"]))
      try operate(engine, $0, .compensate)
      engine.clock.advance(by: .seconds(2))
      try engine.settle($0, "create", .succeeded(.null))
    }
    try saga("rewinding") {
      try engine.settle($0, "create", .succeeded(["id": "S-1"]))
      try operate(engine, $0, .rewind(step: "create"))
    }
    try engine.register(Samples.labelled)
    try saga("labelled", of: "tube") { _ in }
    engine.clock.advance(by: .seconds(7_200))
    try await TestAPI.run(engine: engine) { api in
      for (name, id) in sagas { try expect(try await api.get("/v1/sagas/\(id)"), is: "saga-\(name)") }
      let stuck = try #require(sagas.first { $0.name == "stuck" }).id
      try expect(try await api.get("/v1/sagas?facets=true&limit=9"), is: "sagas")
      try expect(try await api.get("/v1/incidents?samples=1&limit=6"), is: "incidents")
      try expect(try await api.get("/v1/sagas/\(stuck)/events?limit=3"), is: "events")
      try expect(try await api.get("/v1/sagas/\(stuck)/timeline"), is: "timeline")
      try expect(try await api.get("/v1/sagas/\(stuck)/document"), is: "document")
      try expect(try await api.get("/v1/stats"), is: "stats")
      try expect(
        try await api.post("/v1/sagas/\(stuck)/resume", ["reason": "go on"]), is: "problem-allowed", 409)
      let waiting = try #require(sagas.first { $0.name == "waiting" }).id
      let signal: JSON = ["approved": true]
      let key: HTTPHeaders = ["Idempotency-Key": "K", "Saga-User": "mia"]
      try expect(try await api.post("/v1/sagas/\(waiting)/signals/approval", signal, headers: key), is: "signal")
      try expect(
        try await api.post("/v1/sagas/\(waiting)/signals/approval", signal, headers: key), is: "signal-repeated")
    }
  }

  @Test("Calls over HTTP and over Kafka")
  func calls() async throws {
    let engine = try engine()
    try engine.register(Samples.secrets)
    let id = try engine.start("order", input: ["barcode": "T-1", "apiKey": "s3cret"])
    engine.clock.advance(by: .milliseconds(120))
    let answer = HTTPAnswer(
      sender: HTTPAnswer.Sender(name: "samples", keepsTombstones: false), status: 503,
      body: Array(#"{"detail":"busy","token":"s3cret"}"#.utf8),
      fields: [
        (name: "Content-Type", value: "application/json"), (name: "X-Request-Id", value: "R-7"),
        (name: "Set-Cookie", value: "id=s3cret"),
      ])
    try engine.settle(
      id, "create", HTTPOutcome.of(answer, success: [200...299], now: engine.clock.now(), limit: 1 << 20))
    engine.clock.advance(by: .seconds(2))
    try engine.tell(id, .wake)
    engine.clock.advance(by: .milliseconds(80))
    let created = LookAnswer(status: 201, headers: ["location": "/samples/7"], body: ["id": "S-1"])
    try engine.settle(id, "create", .answered(created))
    engine.clock.advance(by: .seconds(30))
    try engine.settle(id, "store", .unknown(Samples.lost))
    let thaw = try engine.start("thaw")
    try await TestAPI.run(engine: engine) { api in
      try expect(try await api.get("/v1/sagas/\(id)/calls?limit=3"), is: "calls")
      try expect(try await api.get("/v1/sagas/\(thaw)/calls"), is: "calls-kafka")
    }
  }

  @Test("A saga that polls")
  func polling() async throws {
    let engine = FakeEngine()
    try engine.register(Samples.poll)
    let id = try engine.start("sequence-run")
    let answer = LookAnswer(status: 200, body: ["state": "running"])
    try engine.tell(
      id,
      .looked(
        LookReport(step: "sequence", round: 1, number: 1, at: engine.clock.now(), outcome: .answered(answer))))
    engine.clock.advance(by: .seconds(700))
    try await TestAPI.run(engine: engine) { api in
      try expect(try await api.get("/v1/sagas/\(id)"), is: "saga-polling")
      try expect(try await api.get("/v1/sagas/\(id)/timeline"), is: "timeline-polling")
    }
  }

  @Test("A saga that waits for its turn, and who holds it")
  func turns() async throws {
    let engine = FakeEngine()
    try engine.register(Samples.turn)
    let id = try engine.start("load-run")
    engine.show([TurnRouteTests.line("HiSeq-1")])
    try await TestAPI.run(engine: engine) { api in
      try expect(try await api.get("/v1/sagas/\(id)"), is: "saga-queued")
      try expect(try await api.get("/v1/concurrency"), is: "concurrency")
    }
  }

  @Test("A saga with items")
  func items() async throws {
    let engine = FakeEngine()
    try engine.register(Samples.items)
    let id = try engine.start("plate", input: ["wells": ["A1", "A2", "A3", "A4"]])
    let refused = StepFailure(code: "CLOGGED", message: "The needle is clogged.")
    try engine.tell(
      id, .attemptSettled(step: "well[A1]", phase: .forward, attempt: 1, outcome: .succeeded(["volumeUl": 20])))
    try engine.tell(id, .attemptSettled(step: "well[A2]", phase: .forward, attempt: 1, outcome: .failed(refused)))
    try await TestAPI.run(engine: engine) { api in
      try expect(try await api.get("/v1/sagas/\(id)"), is: "saga-items")
      try expect(try await api.get("/v1/sagas/\(id)/steps/well/items?limit=2"), is: "items")
      let failed = try await api.get("/v1/sagas/\(id)/steps/well/items?status=failed")
      #expect(failed.json["items"]?.arrayValue?.map { $0["id"] } == ["well[A2]"])
      let first = try await api.get("/v1/sagas/\(id)/steps/well/items?limit=3").json
      let next = try #require(first["next"]?.stringValue)
      let rest = try await api.get("/v1/sagas/\(id)/steps/well/items?limit=3&cursor=\(next)").json
      #expect(rest["items"]?.arrayValue?.map { $0["id"] } == ["well[A4]"] && rest["next"] == nil)
      let all = try await api.get("/v1/sagas/\(id)/timeline").json["spans"]?.arrayValue ?? []
      #expect(
        all.compactMap { $0["step"]?.stringValue } == ["well", "well[A1]", "well[A2]", "well[A3]", "well[A4]"])
      let folded = try await api.get("/v1/sagas/\(id)/timeline?items=false").json["spans"]?.arrayValue ?? []
      #expect(
        folded == [
          ["step": "well", "phase": "forward", "kind": "items", "from": "2026-03-01T08:00:00.000Z"]
        ])
      for path in [
        "steps/other/items", "steps/well/items?status=done", "steps/well/items?cursor=x", "timeline?items=no",
      ] {
        #expect(try await api.get("/v1/sagas/\(id)/\(path)").status == 400, "\(path)")
      }
    }
  }

  @Test("A saga with a child")
  func child() async throws {
    let engine = FakeEngine()
    try engine.register(Samples.child)
    let id = try engine.start("run", input: ["run": "R7"])
    func started(_ child: UniqueID) -> SagaCommand {
      .child(
        ChildReport(
          step: "deliver", round: 1, .started(ChildLink(saga: child, workflow: "deliver-results", version: 2))))
    }
    let unknown = UniqueID.version7(at: engine.clock.now(), random: (7, 11))
    try engine.tell(id, started(unknown))
    let other = try engine.start("run", input: ["run": "R8"])
    try engine.tell(other, started(id))
    try await TestAPI.run(engine: engine) { api in
      try expect(try await api.get("/v1/sagas/\(id)"), is: "saga-child")
      let parent = try await api.get("/v1/sagas/\(other)").json
      #expect(
        parent["steps"]?[0]?["child"] == [
          "id": .string(id.description), "workflow": "deliver-results", "version": 2, "status": "running",
        ])
      #expect(
        parent["why"]?["sentence"]?.stringValue
          == "The saga waits at step deliver for its child saga \(id) (deliver-results), which is running.")
      let listed = try await api.get("/v1/sagas?parent=\(id)")
      #expect(listed.status == 200 && engine.lists.last?.query.parent == id.description)
      #expect(try await api.get("/v1/sagas?parent=7").status == 400)
    }
  }

  @Test("A saga whose undos wait: for the saga that undoes a step, and for the signal that confirms an undo")
  func undos() async throws {
    let engine = FakeEngine()
    try engine.register(Samples.undos)
    let id = try engine.start("take-in")
    let child = ChildLink(
      saga: UniqueID.version7(at: engine.clock.now(), random: (7, 11)), workflow: "unload", version: 2)
    try await TestAPI.run(engine: engine) { api in
      #expect(try await api.post("/v1/sagas/\(id)/signals/scanned", [:]).status == 200)
      try engine.settle(id, "load", .succeeded(.null))
      try operate(engine, id, .cancel)
      try engine.tell(id, .child(ChildReport(step: "load", round: 1, phase: .undo, .started(child))))
      try expect(try await api.get("/v1/sagas/\(id)"), is: "saga-undo-child")
      let end = try #require(ChildEnd(of: child, .succeeded(.null)))
      try engine.tell(id, .child(ChildReport(step: "load", round: 1, phase: .undo, .ended(end))))
      engine.clock.advance(by: .seconds(1_800))
      try engine.tell(id, .wake)
      try expect(try await api.get("/v1/sagas/\(id)"), is: "saga-undo-signal")
    }
  }

  @Test("Workflows")
  func workflows() async throws {
    let engine = try engine()
    try await TestAPI.run(engine: engine) { api in
      try expect(try await api.get("/v1/workflows"), is: "workflows")
      try expect(try await api.get("/v1/workflows/store-sample"), is: "workflow")
      try expect(try await api.post("/v1/workflows", text: Samples.storage), is: "registration")
      try expect(try await api.post("/v1/workflows/check", ["name": "x", "stepps": []]), is: "check")
      try expect(try await api.get("/v1/workflows/store-sample/statistics"), is: "statistics")
      try expect(
        try await api.post("/v1/workflows/store-sample/sagas", ["inptu": 1]), is: "problem-members", 400)
    }
  }

  @Test("The echo, notices, lists and readiness")
  func surroundings() async throws {
    let since = Timestamp("2026-03-01T08:15:30.250Z") ?? Timestamp(milliseconds: 0)
    let kafka = FakeKafka(
      .sample(.held, lagEvents: 12, lag: .milliseconds(90_500), problem: .unreachable),
      consumers: [.sample(), .sample("saga.replies", lag: 3, problem: "no leader")])
    let notices = FakeNotices(.sample(.failing, failing: since))
    try await TestAPI.run(engine: FakeEngine(), kafka: kafka, notices: notices) { api in
      try expect(try await api.get("/v1/echo"), is: "echo")
      try expect(try await api.post("/v1/echo/rewind", ["to": 90, "reason": "a new topic"]), is: "echo-rewind", 202)
      try expect(try await api.get("/v1/notices"), is: "notices")
      try expect(try await api.post("/v1/notices/test", ["destination": "pager"]), is: "notice-test")
      try expect(try await api.post("/v1/notices/resend", ["destination": "pager"]), is: "notice-resend")
      notices.answer(.failed(NoticeFailure(code: "notice.refused", message: "The receiver answered 503")))
      try expect(try await api.post("/v1/notices/test", ["destination": "pager"]), is: "notice-test-failed")
      try expect(try await api.post("/v1/notices/resend", ["destination": "pager"]), is: "notice-resend-failed")
      try expect(try await api.get("/v1/projections"), is: "projections")
      try expect(try await api.get("/readyz"), is: "readiness")
    }
  }

  @Test("Who the caller is")
  func caller() async throws {
    let engine = FakeEngine()
    let ring = try KeyRing(engine.environment)
    let key = try ring.add("lims", "viewer", "starter:store-sample", speaksForOthers: true).text
    try await TestAPI.run(engine: engine, authenticator: try ring.authenticator()) { api in
      try expect(try await api.get("/v1/me", key: key), is: "caller")
    }
    try await TestAPI.run(engine: engine) { api in try expect(try await api.get("/v1/me"), is: "caller-unknown") }
    let provider = StandInProvider(engine.clock)
    try await TestAPI.run(engine: engine, authenticator: try provider.known(engine.environment)) { api in
      try expect(try await api.get("/v1/me", key: provider.token()), is: "caller-token")
      try expect(try await api.get("/v1/session"), is: "sign-in-options")
      try expect(
        try await api.post("/v1/session/provider", [:], headers: ["Origin": "https://saga.lab.example"]),
        is: "sign-in-begun")
    }
  }

  @Test("What people did")
  func audit() async throws {
    let engine = FakeEngine()
    let at = Timestamp("2026-03-01T08:15:30.000Z") ?? Timestamp(milliseconds: 0)
    let saga = UniqueID(high: 0x019C_8A5E_7B1C_7D2E, low: 0x8F3A_0123_4567_8901)
    engine.note(
      AuditEntry(
        id: "\(saga)/1", at: at, actor: "anna", kind: .verb, verb: "skip", saga: saga, version: 7, workflow: "spec",
        step: "store", reason: "the freezer is back", from: "rest", operation: saga, content: ["output": ["a": 1]],
        before: .init(saga: "stuck", step: "failed"), after: .init(saga: "running", step: nil)))
    engine.note(
      AuditEntry(
        id: "w/1", at: at + .seconds(1), actor: "ben", kind: .verb, verb: "register", saga: nil, version: nil,
        workflow: "spec"))
    try await TestAPI.run(engine: engine) { api in
      try expect(try await api.get("/v1/audit?limit=1"), is: "audit-page")
      try expect(try await api.get("/v1/audit"), is: "audit")
    }
  }

  @Test("Operations")
  func operations() async throws {
    let engine = try engine()
    engine.requireApproval(of: .pause)
    let first = try engine.start("store-sample")
    let second = try engine.start("sequence")
    try operate(engine, second, .pause)
    try await TestAPI.run(engine: engine) { api in
      let sagas: JSON = [.string(first.description), .string(second.description)]
      let body: JSON = ["verb": "pause", "dryRun": true, "sagas": sagas]
      try expect(try await api.post("/v1/operations", body), is: "operation-preview")
      let begun = try await api.post(
        "/v1/operations", ["verb": "pause", "sagas": sagas, "reason": "defrosting"], headers: ["Saga-User": "mia"])
      try expect(begun, is: "operation", 202)
      let id = begun.json["id"]?.stringValue ?? ""
      try expect(try await api.get("/v1/operations/\(id)"), is: "operation-standing")
      try expect(try await api.get("/v1/operations/\(id)/sagas"), is: "operation-sagas")
      try expect(try await api.get("/v1/operations"), is: "operations")
    }
  }
}
