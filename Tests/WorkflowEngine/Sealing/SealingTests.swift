import Foundation
import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Sensitive fields", .timeLimit(.minutes(15)), .inTurn)
struct SealingTests {
  static let patient = "Nora Sensitive 1987"
  static let doctor = "Dr. Quill \"Q\" Sharp"
  static let keys = SealKeys(.system)

  /// A call with the patient, a wait for a doctor's word, and a call with both.
  static func content(version: Int = 1, isMarked: Bool = true) -> [UInt8] {
    let mark = isMarked ? #", "sensitive": true"# : ""
    return Workflow.of(
      #"""
      {"id": "register", "http": {"service": "lab", "method": "PUT", "path": "/r", "body": {"who": "${input.patient}"}},
       "compensation": "none", \#(Workflow.quick)}
      """#,
      #"""
      {"id": "word", "signal": {"name": "go", "schema": {"properties": {"doctor": {"type": "string"\#(mark)}}}}}
      """#,
      #"""
      {"id": "report", "http": {"service": "lab", "method": "PUT", "path": "/p", "body":
       {"who": "${input.patient}", "age": "${input.age}", "by": "${steps.word.output.doctor}", "echo": "${steps.register.output.echo}"}},
       "compensation": "none", \#(Workflow.quick)}
      """#,
      members: #"""
        "title": "Case ${input.code}",
        "inputSchema": {"properties": {"patient": {"type": "string"\#(mark)}, "age": {"type": "integer"\#(mark)}}},
        """#, version: version)
  }

  static let input: JSON = ["patient": .string(patient), "age": 39, "code": "C-1"]

  /// A participant that repeats the patient in its answer.
  static func participant() -> ScriptedExecutor {
    ScriptedExecutor { call in
      .succeeded(["ok": true, "echo": "Registered \(patient) today", "name": .string(patient), "code": "C-1"])
    }
  }

  /// The bytes of all events and snapshots of a store, and of its documents of keys.
  static func bytes(of store: any EventStore) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    for shard in 0..<store.shardCount {
      for event in try await store.tail(shard: shard, after: 0, limit: 10_000) {
        bytes += event.data + event.meta
        if let snapshot = try await store.snapshot(of: event.stream) { bytes += snapshot.data }
      }
    }
    for document in try await store.documents(DocumentQuery(collection: DataKeys.collection, limit: 1_000)) {
      bytes += document.data
    }
    return bytes
  }

  static func contains(_ bytes: [UInt8], _ text: String) -> Bool { bytes.firstRange(of: Array(text.utf8)) != nil }

  private func body(_ call: StepCall) -> JSON? {
    if case .http(let http) = call.action { http.body } else { nil }
  }

  private func running(_ store: any EventStore, _ executor: ScriptedExecutor, _ keys: SealKeys? = keys) async throws
    -> RunningEngine
  {
    try await RunningEngine(store, executor, sealKeys: keys)
  }

  @Test("Participants get the values, and no event, answer or list has them", arguments: EngineStoreKind.tested)
  func sealed(kind: EngineStoreKind) async throws {
    try await EngineStores.run(kind) { stores in
      var store = try await stores.open()
      let executor = Self.participant()
      var engine = try await running(store, executor)
      _ = try await engine.engine.register(Self.content(), by: "test")
      let id = try await engine.start(input: Self.input, key: "k").id
      try await engine.engine.wait(for: id, step: "word", toBe: .waiting)

      // After a restart the saga knows the values again.
      await engine.stop()
      if kind != .memory {
        await store.close()
        store = try await stores.open()
      }
      engine = try await running(store, executor)
      _ = try await engine.engine.signal(
        id, name: "go", body: ["doctor": .string(Self.doctor)], signalID: "s-1", by: "test")
      let end = try await engine.end(of: id)
      #expect(end.status == .completed && end.start.isSealed)
      #expect(executor.calls.map(body).first == ["who": .string(Self.patient)])
      #expect(
        executor.calls.map(body).last == [
          "who": .string(Self.patient), "age": 39, "by": .string(Self.doctor),
          "echo": .string("Registered \(Self.patient) today"),
        ])

      // What a reader of the engine gets.
      let shown = try await engine.engine.saga(id).state
      #expect(shown.start.title == "Case C-1" && shown.start.input["code"] == "C-1")
      #expect(shown.document["input"]?["patient"]?.stringValue.map(SealedText.isOne) == true)
      #expect(shown.step("register")?.output?["code"] == "C-1")
      var texts = [try await Self.bytes(of: store), Array("\(shown)".utf8)]
      for entry in try await engine.engine.history(of: id, after: 0, limit: 100) { texts.append(entry.data.bytes()) }
      texts.append(Array("\(try await engine.engine.calls(of: id, step: nil, after: 0, limit: 100).calls)".utf8))
      texts.append(Array("\(try await engine.engine.timeline(of: id, showsItems: true))".utf8))
      for text in texts {
        #expect(!Self.contains(text, "Nora") && !Self.contains(text, "Quill"))
        #expect(!Self.contains(text, Digest.hex(Self.input.bytes(.canonical))))
      }
      #expect(try await engine.engine.auditVerify(against: nil).isIntact)

      // A repeat of the start and of the signal is recognised, and another input is not the same.
      #expect(try await !engine.start(input: Self.input, key: "k").isNew)
      let other = await #expect(throws: EngineError.self) {
        try await engine.start(input: ["patient": "Olga", "age": 39, "code": "C-1"], key: "k")
      }
      #expect(other?.code == EngineErrorCode.sagaStartKeyReused)
      #expect(other?.message.contains("Nora") == false && other?.message.contains("/patient") == true)
      let again = try await engine.engine.signal(
        id, name: "go", body: ["doctor": .string(Self.doctor)], signalID: "s-1", by: "test")
      #expect(again.isRepeat)
      await engine.stop()
      await store.close()
    }
  }

  @Test("The same saga is stored under other texts each time, and one saga's text opens in no other")
  func texts() async throws {
    let store = MemoryStore(environment: .system, shardCount: 1)
    let engine = try await running(store, Self.participant())
    _ = try await engine.engine.register(Self.content(), by: "test")
    var sealed: [String] = []
    var ids: [UniqueID] = []
    for _ in 0..<2 {
      let id = try await engine.start(input: Self.input).id
      ids.append(id)
      sealed.append(try #require(try await engine.engine.saga(id).state.start.input["patient"]?.stringValue))
    }
    #expect(sealed[0] != sealed[1])
    let keys = engine.engine.host.dataKeys
    #expect(try await keys.known(ids[0])?.opened(sealed[0]) == .string(Self.patient))
    #expect(try await keys.known(ids[0])?.opened(sealed[1]) == nil)
    // A text of this form from outside is not opened: the participant gets it as it came.
    let id = try await engine.start(input: ["patient": "x", "age": 1, "code": .string(sealed[0])]).id
    let code = try await engine.engine.saga(id).state.start.input["code"]?.stringValue
    #expect(code != sealed[0] && code.map(SealedText.isOne) == true)
    #expect(try await keys.known(id)?.opened(code ?? "") == .string(sealed[0]))
    await engine.stop()
  }

  @Test("A forgotten saga reads without its values, its chain verifies, and nothing brings them back")
  func forgotten() async throws {
    let store = MemoryStore(environment: .system)
    let executor = Self.participant()
    var engine = try await running(store, executor)
    _ = try await engine.engine.register(Self.content(), by: "test")
    let id = try await engine.start(input: Self.input, key: "k").id
    try await engine.engine.wait(for: id, step: "word", toBe: .waiting)
    let act = OperatorAct(by: "anna", reason: "consent withdrawn", from: "test", commandID: "f-1")
    let early = await #expect(throws: Refusal.self) { try await engine.engine.forget(id, act) }
    #expect(early?.code == EngineErrorCode.sagaNotEnded)
    _ = try await engine.engine.signal(id, name: "go", body: ["doctor": "Dr. Quill"], signalID: nil, by: "test")
    _ = try await engine.end(of: id)
    let wrapped = try #require(try await store.document(collection: DataKeys.collection, id: id.description)).data
    let nameless = await #expect(throws: Refusal.self) {
      try await engine.engine.forget(id, OperatorAct(by: "anna", reason: " "))
    }
    #expect(nameless?.code == EngineErrorCode.sagaReasonMissing)

    let state = try await engine.engine.forget(id, act)
    #expect(state.forgotten?.value.by == "anna" && state.status == .completed)
    #expect(try await store.document(collection: DataKeys.collection, id: id.description) == nil)
    let stored = try await Self.bytes(of: store)
    #expect(stored.firstRange(of: wrapped) == nil)
    // A repeat changes nothing.
    let version = state.version
    #expect(try await engine.engine.forget(id, act).version == version)
    #expect(try await engine.engine.auditVerify(against: nil).isIntact)
    #expect(try await engine.engine.audit(AuditFilter(verb: "forget"), after: nil, limit: 9).entries.count == 1)
    await engine.stop()

    engine = try await running(store, executor)
    #expect(try await engine.engine.saga(id).state.forgotten?.value.reason == "consent withdrawn")
    #expect(try await engine.engine.history(of: id, after: 0, limit: 100).last?.type == "sagaForgotten")
    let start = await #expect(throws: Refusal.self) { try await engine.start(input: Self.input, key: "k") }
    #expect(start?.code == EngineErrorCode.sagaForgotten)
    #expect(engine.engine.sagasWithoutKey.isEmpty)
    await engine.stop()
  }

  @Test("A saga below an open one is not forgotten, also when the one between them has ended")
  func below() async throws {
    let engine = try await running(MemoryStore(environment: .system), Self.participant())
    let mark = #""inputSchema": {"properties": {"patient": {"sensitive": true}}},"#
    for content in [
      ChildShellTests.workflow("leaf", Workflow.step("x"), members: mark),
      ChildShellTests.workflow(
        "middle", #"{"id": "down", "workflow": {"name": "leaf", "input": {"patient": "${input.patient}"}}}"#,
        members: mark),
      ChildShellTests.workflow(
        "spec", #"{"id": "down", "workflow": {"name": "middle", "input": {"patient": "${input.patient}"}}}"#,
        #"{"id": "word", "signal": {"name": "go"}}"#, members: mark),
    ] {
      _ = try await engine.engine.register(content, by: "test")
    }
    let top = try await engine.start(input: Self.input).id
    try await engine.engine.wait(for: top, step: "word", toBe: .waiting)
    let middle = try #require(try await engine.engine.saga(top).state.step("down")?.child?.saga)
    let leaf = try #require(try await engine.engine.saga(middle).state.step("down")?.child?.saga)
    #expect(try await engine.engine.saga(middle).state.end != nil)
    let act = OperatorAct(by: "anna", reason: "consent withdrawn")
    for id in [leaf, middle] {
      let refusal = await #expect(throws: Refusal.self) { try await engine.engine.forget(id, act) }
      #expect(refusal?.code == EngineErrorCode.sagaNotEnded && refusal?.message.contains("\(top)") == true)
    }
    _ = try await engine.engine.signal(top, name: "go", body: [:], signalID: nil, by: "test")
    _ = try await engine.end(of: top)
    for id in [leaf, middle, top] { #expect(try await engine.engine.forget(id, act).forgotten != nil) }
    #expect(engine.engine.meters.count("tracseq_verbs_total")[["forget"]] == 3)
    await engine.stop()
  }

  @Test("The laboratory roles of a sender are compared, and so they stay as they are")
  func roles() async throws {
    let engine = try await running(MemoryStore(environment: .system), Self.participant())
    _ = try await engine.engine.register(Self.content(), by: "test")
    let id = try await engine.start(input: ["patient": "pathology", "age": 39, "code": "C-1"]).id
    try await engine.engine.wait(for: id, step: "word", toBe: .waiting)
    _ = try await engine.engine.signal(
      id, SignalGiven(name: "go", id: "s", body: [:], by: "anna", roles: ["pathology"]))
    let received = try await engine.engine.events(of: id, after: 0, limit: 100).compactMap {
      $0.what as? SignalReceived
    }
    #expect(received.map(\.signal.roles) == [["pathology"]])
    await engine.stop()
  }

  @Test("A destruction that a crash interrupted is finished at the next start")
  func interrupted() async throws {
    let store = MemoryStore(environment: .system)
    var engine = try await running(store, Self.participant())
    _ = try await engine.engine.register(Self.content(), by: "test")
    let id = try await engine.start(input: Self.input).id
    try await engine.engine.wait(for: id, step: "word", toBe: .waiting)
    _ = try await engine.engine.signal(id, name: "go", body: [:], signalID: nil, by: "test")
    _ = try await engine.end(of: id)
    let kept = try await engine.start(input: Self.input).id
    try await engine.engine.host.dataKeys.markForDestruction(id)
    try await engine.engine.host.dataKeys.markForDestruction(kept)
    _ = try await engine.engine.host.ask(id, .forget(OperatorAct(by: "anna", reason: "consent withdrawn")))
    await engine.stop()
    engine = try await running(store, Self.participant())
    #expect(try await store.document(collection: DataKeys.collection, id: id.description) == nil)
    // The other one was not forgotten.
    #expect(try await store.document(collection: DataKeys.collection, id: kept.description) != nil)
    await engine.stop()
  }

  @Test("Without keys no such saga starts; a saga whose key is lost waits, and the others go on")
  func lostKeys() async throws {
    let store = MemoryStore(environment: .system)
    let executor = Self.participant()
    var engine = try await running(store, executor)
    _ = try await engine.engine.register(Self.content(), by: "test")
    let id = try await engine.start(input: Self.input).id
    try await engine.engine.wait(for: id, step: "word", toBe: .waiting)
    await engine.stop()

    engine = try await running(store, executor, nil)
    let start = await #expect(throws: Refusal.self) { try await engine.start(input: Self.input) }
    #expect(start?.code == EngineErrorCode.sealKeysMissing)
    let signal = await #expect(throws: Refusal.self) {
      try await engine.engine.signal(id, name: "go", body: [:], signalID: nil, by: "test")
    }
    #expect(signal?.code == EngineErrorCode.sagaSealKeyMissing)
    #expect(engine.engine.sagasWithoutKey == [id])
    #expect(try await engine.engine.saga(id).state.step("word")?.status == .waiting)
    _ = try await engine.engine.register(Self.content(version: 2, isMarked: false), by: "test")
    let plain = try await engine.start(input: Self.input).id
    try await engine.engine.wait(for: plain, step: "word", toBe: .waiting)
    await engine.stop()

    // Keys of another file don't open it either.
    engine = try await running(store, executor, SealKeys(.system))
    let other = await #expect(throws: Refusal.self) {
      try await engine.engine.signal(id, name: "go", body: [:], signalID: nil, by: "test")
    }
    #expect(other?.code == EngineErrorCode.sagaSealKeyMissing)
    await engine.stop()
    engine = try await running(store, executor)
    #expect(engine.engine.sagasWithoutKey.isEmpty)
    _ = try await engine.engine.signal(id, name: "go", body: ["doctor": "Dr. Quill"], signalID: nil, by: "test")
    #expect(try await engine.end(of: id).status == .completed)
    await engine.stop()
  }

  @Test("A start wraps all data keys with the current key; then the older one may go")
  func rotation() async throws {
    let store = MemoryStore(environment: .system)
    let executor = Self.participant()
    var keys = SealKeys(.system)
    var engine = try await running(store, executor, keys)
    _ = try await engine.engine.register(Self.content(), by: "test")
    let id = try await engine.start(input: Self.input).id
    try await engine.engine.wait(for: id, step: "word", toBe: .waiting)
    await engine.stop()
    let old = keys.current.id
    keys.renew(.system)
    let isCurrentRemoved = keys.remove(keys.current.id)
    #expect(keys.current.id != old && !isCurrentRemoved)
    engine = try await running(store, executor, keys)
    await engine.stop()
    let isOldRemoved = keys.remove(old)
    #expect(isOldRemoved)
    keys = try SealKeys(parsing: keys.bytes, of: "keys.json")
    engine = try await running(store, executor, keys)
    _ = try await engine.engine.signal(id, name: "go", body: ["doctor": "Dr. Quill"], signalID: nil, by: "test")
    #expect(try await engine.end(of: id).status == .completed)
    await engine.stop()
  }

  @Test("A saga that began without a key can't move to a version with sensitive fields")
  func moves() async throws {
    let engine = try await running(MemoryStore(environment: .system), Self.participant())
    _ = try await engine.engine.register(Self.content(isMarked: false), by: "test")
    let id = try await engine.start(input: Self.input).id
    try await engine.engine.wait(for: id, step: "word", toBe: .waiting)
    #expect(try await !engine.engine.saga(id).state.start.isSealed)
    _ = try await engine.engine.register(Self.content(version: 2), by: "test")
    let refusal = await #expect(throws: Refusal.self) {
      try await engine.engine.operate(
        id, OperatorRequest(.migrate(to: 2), by: OperatorAct(by: "anna", reason: "mark it")))
    }
    #expect(refusal?.code == EngineErrorCode.sagaNotMovable)
    await engine.stop()
  }

  @Test("A refused signal, a kept signal and an operator's input are sealed, too")
  func others() async throws {
    let store = MemoryStore(environment: .system)
    let executor = Self.participant()
    let engine = try await running(store, executor)
    _ = try await engine.engine.register(Self.content(), by: "test")
    let id = try await engine.start(input: Self.input).id
    try await engine.engine.wait(for: id, step: "word", toBe: .waiting)
    await #expect(throws: Refusal.self) {
      try await engine.engine.signal(id, name: "go", body: ["doctor": ["Nora Other"]], signalID: "a", by: "test")
    }
    _ = try await engine.engine.operate(
      id,
      OperatorRequest(
        .skip(step: "word", output: ["doctor": "Dr. Nora Third"]),
        by: OperatorAct(by: "anna", reason: "the word of \(Self.patient) came by phone", commandID: "c-1")))
    #expect(try await engine.end(of: id).status == .completed)
    #expect(executor.calls.last.flatMap(body)?["by"] == "Dr. Nora Third")
    #expect(!Self.contains(try await Self.bytes(of: store), "Nora"))
    await engine.stop()
  }

  @Test("The events of a workflow without sensitive fields have no trace of sealing")
  func unchanged() async throws {
    let store = MemoryStore(environment: .system)
    let engine = try await running(store, Self.participant())
    _ = try await engine.engine.register(Self.content(isMarked: false), by: "test")
    let id = try await engine.start(input: Self.input, key: "k").id
    try await engine.engine.wait(for: id, step: "word", toBe: .waiting)
    let bytes = try await Self.bytes(of: store)
    #expect(!Self.contains(bytes, "sealed") && Self.contains(bytes, Self.patient))
    #expect(
      try await store.startKey(scope: "spec", key: "k")?.digest == Digest.sha256(Self.input.bytes(.canonical)))
    let refusal = await #expect(throws: Refusal.self) {
      _ = try await engine.engine.operate(
        id, OperatorRequest(.cancel, by: OperatorAct(by: "anna", reason: "no more")))
      _ = try await engine.end(of: id)
      return try await engine.engine.forget(id, OperatorAct(by: "anna", reason: "forget it"))
    }
    #expect(refusal?.code == EngineErrorCode.sagaNotSealed)
    await engine.stop()
  }

  @Test("A file of keys with a mistake is refused, and the error has no key in it")
  func files() throws {
    let good = Self.keys.bytes
    #expect(try SealKeys(parsing: good, of: "f").current.id == Self.keys.current.id)
    let text = String(decoding: good, as: UTF8.self)
    let secret = try #require(try JSON(parsing: good)["keys"]?[0]?["key"]?.stringValue)
    for bad in [
      "", "[]", "{}", #"{"keys": []}"#, text.replacing(secret, with: String(secret.dropLast(2))),
      text.replacing(#""current": ""#, with: #""current": "x"#),
      text.replacing(Self.keys.current.id, with: "a b"),
    ] {
      let error = #expect(throws: SealKeys.Unreadable.self) { try SealKeys(parsing: Array(bad.utf8), of: "f") }
      #expect(error?.message.contains(secret.prefix(10)) == false)
    }
    #expect(!"\(Self.keys)".contains(secret))
  }
}
