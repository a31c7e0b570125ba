import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

/// Each kind of act, done for real, and the row that an auditor reads of it. The switch over all kinds lets none be
/// forgotten.
@Suite("An act's row has user, time, reason, act, place and origin", .timeLimit(.minutes(15)), .inTurn)
struct AuditContentTests {
  private static let way = "rest 10.0.0.7"
  private static let act = OperatorAct(by: "anna", reason: "the freezer is back", from: way, commandID: "ticket-17")
  private static let later = #""retry": {"maxAttempts": 3, "initialInterval": "1h", "jitter": 0}"#

  /// The expected content of a row.
  private struct Expected {
    var step: String?
    var reason: String?
    var content: JSON
  }

  private struct Bench {
    let store: MemoryStore
    let running: RunningEngine
    var engine: Engine { running.engine }

    init() async throws {
      store = MemoryStore(environment: .system)
      running = try await RunningEngine(
        store,
        ScriptedExecutor { call in
          switch call.step {
          case "fails": .failed(StepFailure(code: "QC", message: "no"))
          case "hangs": .unknown(StepFailure(code: "timeout", message: "no answer", isRetryable: true))
          default: .succeeded(["ok": true])
          }
        }, approvals: [.abandon], sealKeys: SealKeys(.system))
    }

    /// A saga of these steps, once it has come to where it stays.
    func saga(_ steps: String..., until isThere: (SagaState) -> Bool) async throws -> UniqueID {
      let text = #"{"name": "spec", "version": 1, "timeout": "2h", "steps": [\#(steps.joined(separator: ","))]}"#
      _ = try await engine.register(Array(text.utf8), by: "author", from: way)
      let id = try await engine.start(
        StartRequest(
          workflow: "spec", version: 1, input: ["n": 1], idempotencyKey: "ORD-1", tags: ["ward-3"], by: "lims",
          from: way)
      ).id
      try await engine.state(of: id, when: "the saga is where it stays", isThere)
      return id
    }

    func waiting() async throws -> UniqueID {
      try await saga(
        #"{"id": "w", "signal": {"name": "go", "accept": "$.signal.ok == true"}, "timeout": "1h", "compensation": "none"}"#,
        #"{"id": "d", "delay": {"for": "30m"}}"#
      ) { $0.step("w")?.status == .waiting }
    }

    func stuck() async throws -> UniqueID {
      try await saga(Workflow.step("p", #""pivot": true"#), Workflow.step("fails")) { $0.status == .stuck }
    }

    /// Registers a saga's workflow again, under another version.
    /// - Returns: the digest of the definition.
    func release(_ id: UniqueID, version: Int) async throws -> String {
      var source = try #require(try await engine.saga(id).definition.source.objectValue)
      source["version"] = .int(version)
      return try await engine.register(JSON.object(source).bytes(), by: "author", from: way).digest
    }

    func operate(_ id: UniqueID, _ verb: OperatorVerb) async throws {
      _ = try await engine.operate(id, OperatorRequest(verb, by: act))
    }

    func row(_ source: String, _ verb: String) async throws -> AuditEntry {
      try await engine.waitUntilAudited()
      var filter = AuditFilter()
      filter.verb = verb
      return try #require(try await engine.audit(filter, after: nil, limit: 10).entries.last, "\(source)")
    }
  }

  @Test("A row has the content of its act", arguments: AuditAct.types.sorted())
  func content(source: String) async throws {
    let bench = try await Bench()
    let expected = try await perform(source, bench)
    let data: JSON = source == "turnBackRequested" ? ["reason": ["cause": "compensate"]] : [:]
    let act = try #require(AuditAct.audited(source, data))
    let verb = act.verb
    let row = try await bench.row(source, verb)
    #expect(row.kind.rawValue == act.kind.rawValue)
    #expect(row.from == Self.way)
    #expect(row.step == expected.step)
    #expect(row.reason == expected.reason)
    #expect(JSON.object(row.content) == expected.content, "\(JSON.object(row.content))")
    #expect(!row.actor.isEmpty && row.at.milliseconds > 0)
    switch row.kind {
    case .start, .signal, .verb:
      #expect(row.saga != nil && row.version != nil && row.workflow == "spec" && row.after != nil)
    case .operation: #expect(row.operation != nil)
    case .registration: Issue.record("a registration is no event")
    case .engine: #expect(row.saga == nil)
    }
    // It is the same when the list is made again.
    try await bench.engine.auditor.rebuild()
    #expect(try await bench.row(source, verb) == row)
    await bench.running.stop()
  }

  private func perform(_ source: String, _ bench: Bench) async throws -> Expected {
    let engine = bench.engine
    let why = Self.act.reason
    switch source {
    case "sagaStarted":
      let id = try await bench.waiting()
      let definition = try await engine.saga(id).state.start.definitionDigest
      return Expected(
        content: [
          "workflow": "spec", "version": 1, "definition": .string(definition), "input": ["n": 1], "tags": ["ward-3"],
          "key": "ORD-1",
        ])
    case "signalReceived":
      _ = try await engine.signal(
        bench.waiting(), SignalGiven(name: "go", id: "click-1", body: ["ok": true], by: "qa", from: Self.way))
      return Expected(
        step: "w", reason: "signal go",
        content: ["key": "click-1", "signal": "go", "body": ["ok": true], "outcome": "taken"])
    case "signalRefused":
      let id = try await bench.waiting()
      let refused = await #expect(throws: Refusal.self) {
        try await engine.signal(
          id, SignalGiven(name: "go", id: "click-1", body: ["ok": false], by: "qa", from: Self.way))
      }
      return Expected(
        step: "w", reason: "signal go",
        content: [
          "key": "click-1", "signal": "go", "body": ["ok": false], "code": "signal.refused",
          "message": .string(refused?.message ?? ""), "outcome": "refused",
        ])
    case "operatorRetried":
      try await bench.operate(bench.stuck(), .retry(step: "fails", input: ["n": 2]))
      return Expected(
        step: "fails", reason: why, content: ["phase": "forward", "input": ["n": 2], "key": "ticket-17"])
    case "operatorResolved":
      try await bench.operate(bench.stuck(), .resolve(step: "fails", .happened(output: ["id": "S-1"])))
      return Expected(
        step: "fails", reason: why, content: ["resolution": "happened", "output": ["id": "S-1"], "key": "ticket-17"])
    case "operatorSkipped":
      try await bench.operate(bench.waiting(), .skip(step: "w", output: ["by": "hand"]))
      return Expected(step: "w", reason: why, content: ["output": ["by": "hand"], "key": "ticket-17"])
    case "operatorRanNow":
      let id = try await bench.saga(#"{"id": "d", "delay": {"for": "30m"}}"#) { $0.step("d")?.status == .waiting }
      try await bench.operate(id, .runNow(step: nil))
      return Expected(step: "d", reason: why, content: ["steps": ["d"], "key": "ticket-17"])
    case "operatorExtended":
      let id = try await bench.waiting()
      let was = try #require(try await engine.saga(id).state.step("w")?.wait?.until)
      try await bench.operate(id, .extend(step: "w", .by(.seconds(1_800))))
      return Expected(
        step: "w", reason: why,
        content: [
          "until": .timestamp(was + .seconds(1_800)), "key": "ticket-17", "was": .timestamp(was), "byMs": 1_800_000,
        ])
    case "rewindStarted":
      try await bench.operate(bench.waiting(), .rewind(step: "w"))
      return Expected(step: "w", reason: why, content: ["steps": ["w", "d"], "key": "ticket-17"])
    case "sagaPaused":
      try await bench.operate(bench.waiting(), .pause)
      return Expected(reason: why, content: ["key": "ticket-17"])
    case "sagaResumed":
      let id = try await bench.waiting()
      _ = try await engine.operate(id, OperatorRequest(.pause, by: OperatorAct(by: "op", reason: "look")))
      try await bench.operate(id, .resume)
      return Expected(reason: why, content: ["key": "ticket-17"])
    case "sagaMoved":
      let id = try await bench.waiting()
      let digest = try await bench.release(id, version: 2)
      try await bench.operate(id, .migrate(to: 2))
      return Expected(
        reason: why,
        content: ["fromVersion": 1, "toVersion": 2, "definition": .string(digest), "key": "ticket-17"])
    case "sagaAbandoned":
      try await bench.operate(bench.stuck(), .abandon)
      return Expected(reason: why, content: ["key": "ticket-17"])
    case "sagaForgotten":
      let text = #"""
        {"name": "spec", "version": 1, "steps": [{"id": "d", "delay": {"for": "0s"}}],
         "inputSchema": {"type": "object", "properties": {"patient": {"type": "string", "sensitive": true}}}}
        """#
      _ = try await engine.register(Array(text.utf8), by: "author", from: Self.way)
      let request = StartRequest(workflow: "spec", input: ["patient": "Nora Moor"], by: "lims", from: Self.way)
      let id = try await engine.start(request).id
      _ = try await bench.running.end(of: id)
      _ = try await engine.forget(id, Self.act)
      return Expected(reason: why, content: ["key": "ticket-17"])
    case "turnBackRequested":
      let pivot = #""pivot": true, \#(Self.later)"#
      let id = try await bench.saga(Workflow.step("hangs", pivot)) { $0.step("hangs")?.status == .backingOff }
      try await bench.operate(id, .compensate)
      #expect(try await engine.saga(id).state.requestedTurnBack != nil)
      return Expected(reason: why, content: ["key": "ticket-17"])
    case "turnedBack":
      try await bench.operate(bench.waiting(), .cancel)
      return Expected(reason: why, content: ["key": "ticket-17"])
    case "operationStarted", "operationApproved", "operationDeclined", "operationStopped":
      return try await performOperation(source, bench)
    case "echoRewound":
      let data =
        #"{"at":"2026-03-01T08:15:30.000Z","shard":1,"to":0,"from":12,"by":"eve","reason":"new topic","way":"\#(Self.way)"}"#
      _ = try await bench.store.append(
        Append(
          stream: Environment.system.newID(), expectedVersion: 0,
          events: [NewEvent(type: "echoRewound", data: Array(data.utf8))], appendID: Environment.system.newID()))
      return Expected(reason: "new topic", content: ["shard": 1, "to": 0, "fromPosition": 12])
    case "noticesResent":
      let act = EngineAct(
        kind: .noticesResent, by: "anna", from: Self.way, content: ["destination": "pager", "id": "x/1"])
      let stream = try await act.store(in: bench.store, at: Environment.system.now(), .system)
      try await EngineAct.end(stream, ["delivered": 1, "failed": 0, "left": 3], in: bench.store, .system)
      return Expected(
        content: [
          "destination": "pager", "id": "x/1", "outcome": ["delivered": 1, "failed": 0, "left": 3],
        ])
    case "noticeTested":
      let act = EngineAct(kind: .noticeTested, by: "anna", from: Self.way, content: ["destination": "pager"])
      try await act.store(in: bench.store, at: Environment.system.now(), .system)
      return Expected(content: ["destination": "pager"])
    case "projectionsRebuilt":
      _ = try await engine.rebuildProjections(by: "anna", from: Self.way)
      return Expected(content: ["generation": 1])
    default:
      Issue.record("\(source) is an act, and this test does not do it")
      return Expected(content: [:])
    }
  }

  private func performOperation(_ source: String, _ bench: Bench) async throws -> Expected {
    let engine = bench.engine
    let id = try await bench.stuck()
    let target = OperationTarget.filter(SagaQuery(), asked: ["status": "stuck"])
    try await engine.waitUntilListed()
    let selection = try await engine.preview(.abandon, target).selection
    let asked = OperationRequest(
      .abandon, target, selection: selection, pace: OperationPace(rate: 5, ramp: .seconds(2)), by: Self.act)
    let operation = try await engine.begin(asked, key: "op-1").operation
    let other = OperatorAct(by: "bert", reason: "seen", from: Self.way)
    let filter: JSON = ["status": "stuck"]
    var decided: JSONObject = [
      "request": ["verb": "abandon"], "filter": filter, "sagas": 1, "done": 0, "refused": 0, "left": 1,
      "askedBy": "anna",
    ]
    switch source {
    case "operationApproved":
      _ = try await engine.approve(operation.id, other)
      return Expected(reason: "seen", content: .object(decided))
    case "operationDeclined":
      _ = try await engine.decline(operation.id, other)
      return Expected(reason: "seen", content: .object(decided))
    case "operationStopped":
      _ = try await engine.stop(operation.id, other)
      return Expected(reason: "seen", content: .object(decided))
    default:
      _ = try await engine.approve(operation.id, other)
      try await engine.end(of: operation.id)
      #expect(try await engine.saga(id).state.status == .abandoned)
      decided["askedBy"] = nil
      decided["selection"] = .string(selection)
      (decided["rate"], decided["rampMs"], decided["needsApproval"], decided["key"]) = (5, 2_000, true, "ticket-17")
      (decided["status"], decided["done"], decided["left"], decided["refusals"]) = ("finished", 1, 0, .object([:]))
      decided["approvedBy"] = "bert"
      return Expected(reason: Self.act.reason, content: .object(decided))
    }
  }

  @Test("A registration's row names the definition and its origin")
  func registration() async throws {
    let bench = try await Bench()
    _ = try await bench.waiting()
    let row = try #require(
      try await bench.engine.audit(AuditFilter(verb: "register"), after: nil, limit: 10).entries.first)
    let digest = try bench.engine.workflow("spec", version: 1).digest
    #expect(row.kind == .registration && row.workflow == "spec v1" && row.actor == "author" && row.from == Self.way)
    #expect(row.content == ["workflow": "spec", "version": 1, "definition": .string(digest)])
    await bench.running.stop()
  }

  @Test("Every kind of row is tested")
  func kinds() {
    let kinds = Set(AuditAct.types.compactMap { AuditAct.audited($0, [:])?.kind.rawValue }).union(["registration"])
    #expect(kinds == Set(AuditEntry.Kind.allCases.map(\.rawValue)))
  }

  @Test("A kept signal's row names the step that took it later")
  func keptSignal() async throws {
    let bench = try await Bench()
    let id = try await bench.saga(
      #"{"id": "w", "signal": {"name": "go"}, "compensation": "none"}"#,
      #"{"id": "x", "signal": {"name": "more"}, "compensation": "none"}"#
    ) { $0.step("w")?.status == .waiting }
    _ = try await bench.engine.signal(id, SignalGiven(name: "more", id: "k", body: 2, by: "qa", from: Self.way))
    #expect(try await bench.row("signalReceived", "signal").content["outcome"] == "kept")
    _ = try await bench.engine.signal(id, SignalGiven(name: "go", id: "g", body: 1, by: "qa", from: Self.way))
    _ = try await bench.running.end(of: id)
    try await bench.engine.waitUntilAudited()
    let rows = try await bench.engine.audit(AuditFilter(verb: "signal"), after: nil, limit: 10).entries
    #expect(rows.map { $0.content["outcome"] } == ["taken", "taken"] && rows.map(\.step) == ["x", "w"])
    #expect(rows.map { $0.content["signal"] } == ["more", "go"])
    await bench.running.stop()
  }

  @Test("A long value is shown by its digest and length")
  func longValue() async throws {
    let bench = try await Bench()
    let body: JSON = ["ok": true, "report": .string(String(repeating: "x", count: AuditContent.longest))]
    _ = try await bench.engine.signal(
      bench.waiting(), SignalGiven(name: "go", id: "k", body: body, by: "qa", from: Self.way))
    let row = try await bench.row("signalReceived", "signal")
    #expect(row.content["body"] == nil)
    #expect(row.content["bodyDigest"] == .string("sha256:" + Digest.hex(body.bytes(.canonical))))
    #expect(row.content["bodyBytes"] == .int(body.bytes(.canonical).count))
    await bench.running.stop()
  }

  // A parent opens its child again. The person's act is the parent's.
  @Test(
    "Every event that names a person has a kind",
    arguments: SagaEvent.kinds.map { $0.typeName }.filter { $0 != "sagaReopened" })
  func complete(kind: String) {
    for event in EventSamples.of(kind) {
      let data = event.data
      let names = data["by"] ?? data["saga"]?["by"] ?? data["reason"]?["by"]
      if names != nil { #expect(AuditAct.types.contains(kind), "\(kind)") }
    }
  }

  @Test("Every verb, and every act on the engine itself, has its kind")
  func verbs() {
    let words = Set(
      AuditAct.types.flatMap { type in
        [AuditAct.audited(type, [:]), AuditAct.audited(type, ["reason": ["cause": "compensate"]])].map { $0?.verb }
      })
    for verb in OperatorVerb.Name.allCases { #expect(words.contains(verb.rawValue), "\(verb)") }
    for kind in EngineAct.Kind.allCases { #expect(AuditAct.types.contains(kind.rawValue), "\(kind)") }
  }
}
