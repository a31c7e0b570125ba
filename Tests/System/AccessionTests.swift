import JSON
import TestSupport
import Testing

@Suite("accession-and-storage on a live laboratory", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct AccessionTests {
  private static let workflow = "accession-and-storage"

  private static func tube(_ barcode: String) -> JSON {
    [
      "barcode": .string(barcode), "type": "blood", "volumeMl": 4, "temperature": "+4", "patientId": "P-1",
      "collectedAt": "2026-02-28T16:00:00Z", "requestedBy": "ward-7@lab.example",
    ]
  }

  /// The address at which the laboratory takes tasks, wherever the engine is.
  private static func atBench(_ front: TCPProxy) -> String { "http://127.0.0.1:\(front.port)" }

  private static func startEngine(_ site: Site, _ lab: SagaProcess, _ front: TCPProxy) async throws -> SagaProcess {
    let engine = try await site.startEngine(lab: lab)
    front.lead(to: try #require(engine.url.split(separator: ":").last.flatMap { Int($0) }))
    return engine
  }

  @Test(
    "A tube is scanned in and gets its number, although answers are lost and the engine is killed while it prints, and in both waits"
  )
  func completes() async throws {
    let site = try await Site(.sqlite)
    let front = try TCPProxy(to: 9)
    defer { front.close() }
    let lab = try await site.startLab(
      "--accession-time", "8s", "--engine", Self.atBench(front), "--fault", "samples.create:drop-answer,once",
      "--fault", "samples.printLabel:slow=5s,once", "--fault", "accession.request:drop-answer,once")
    var engine = try await Self.startEngine(site, lab, front)
    var saga = try await LiveSaga.start(Self.workflow, key: "TS-1", Self.tube("TS-1"), site, engine)
    try await eventually("the printer has the task") {
      try await site.call("GET", "\(engine.url)/v1/tasks?queue=laboratory.samples").body["tasks"]?.arrayValue?
        .contains { $0["worker"] == "saga-lab" } == true
    }
    await engine.killNow()
    engine = try await Self.startEngine(site, lab, front)
    saga = saga.on(engine)
    try await saga.waits(at: "scanIn")
    #expect(try await saga.step("printLabel")?["attempt"] == 1)
    await engine.killNow()
    engine = try await Self.startEngine(site, lab, front)
    saga = saga.on(engine)

    // A scan of the wrong place is refused, and the wait goes on. The right one comes by the tube's barcode.
    let position = try #require(try await saga.step("allocatePosition")?["output"]?["position"]?.stringValue)
    #expect(try await scan("TS-1", "C4-1/B99/H12", site, engine).status == 422)
    let scanned = try await scan("TS-1", position, site, engine)
    #expect(scanned.status == 200 && scanned.body["step"] == "scanIn", "\(scanned.body.text())")

    try await saga.waits(at: "awaitNumber")
    await engine.killNow()
    engine = try await Self.startEngine(site, lab, front)
    saga = saga.on(engine)
    try await saga.completes(lookingAt: "awaitNumber")
    let output = try await saga.now["output"]
    #expect(output?["accessionNumber"]?.stringValue?.hasPrefix("ACC-") == true)
    #expect(output?["position"] == .string(position))

    let summary = try await site.call("GET", "\(lab.url)/lab/summary").body
    #expect(summary["positions"]?.arrayValue?.map { $0["status"] } == ["stored"])
    #expect(try await saga.effects(at: lab) == 6)
    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }

  @Test("A tube that an operator cancels before its scan leaves nothing but its barcode")
  func cancelled() async throws {
    let site = try await Site(.sqlite)
    let front = try TCPProxy(to: 9)
    defer { front.close() }
    let lab = try await site.startLab(
      "--engine", Self.atBench(front), "--fault", "storage.release:status=503,once", "--fault",
      "samples.voidLabel:status=503,once")
    let engine = try await Self.startEngine(site, lab, front)
    let saga = try await LiveSaga.start(Self.workflow, key: "TS-2", Self.tube("TS-2"), site, engine)
    try await saga.waits(at: "scanIn")
    let cancelled = try await saga.operate("cancel", ["reason": "the tube broke"])
    #expect(cancelled.status == 200, "\(cancelled.body.text())")
    try await saga.ends("compensated")
    let summary = try await site.call("GET", "\(lab.url)/lab/summary").body
    #expect(summary["samplesByStatus"] == ["voided": 1])
    #expect(summary["positions"] == [])

    let again = try await LiveSaga.start(Self.workflow, key: "again", Self.tube("TS-2"), site, engine)
    try await again.ends("compensated")
    let refused = try await again.now["turnBack"]
    #expect(refused?["code"] == "samples.barcodeTaken" && refused?["step"] == "checkManifest")
    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }

  @Test("A tube that the registry refuses keeps its position until a person has taken it out, over a kill")
  func takenOut() async throws {
    let site = try await Site(.sqlite)
    let front = try TCPProxy(to: 9)
    defer { front.close() }
    let lab = try await site.startLab(
      "--engine", Self.atBench(front), "--fault", "accession.request:fail=REGISTRY_CLOSED", "--fault",
      "storage.remove:drop-answer,once")
    var engine = try await Self.startEngine(site, lab, front)
    var saga = try await LiveSaga.start(Self.workflow, key: "TS-3", Self.tube("TS-3"), site, engine)
    try await saga.waits(at: "scanIn")
    let position = try #require(try await saga.step("allocatePosition")?["output"]?["position"]?.stringValue)
    #expect(try await scan("TS-3", position, site, engine).status == 200)
    try await saga.waitsToUndo("scanIn")
    await engine.killNow()
    engine = try await Self.startEngine(site, lab, front)
    saga = saga.on(engine)
    try await saga.waitsToUndo("scanIn")
    let undo = try await saga.step("scanIn")?["undo"]
    #expect(undo?["waitingFor"]?["signal"] == "taken-out", "\(undo?.text() ?? "")")
    #expect(try await saga.now["status"] == "compensating")

    // The position is still the tube's. The signal for another tube is refused; the right one comes by the barcode.
    try await eventually("the position is empty and still taken") {
      let summary = try await site.call("GET", "\(lab.url)/lab/summary").body
      return summary["positions"]?.arrayValue?.map { $0["status"] } == ["allocated"]
    }
    #expect(try await takeOut("TS-4", position, of: "TS-3", site, engine).status == 422)
    let taken = try await takeOut("TS-3", position, of: "TS-3", site, engine)
    #expect(taken.status == 200 && taken.body["step"] == "scanIn", "\(taken.body.text())")
    try await saga.ends("compensated")
    let again = try await takeOut("TS-3", position, of: "TS-3", site, engine)
    #expect(again.status == 200 && again.body["answer"] == "repeated", "\(again.body.text())")
    let summary = try await site.call("GET", "\(lab.url)/lab/summary").body
    #expect(summary["samplesByStatus"] == ["voided": 1])
    #expect(summary["positions"] == [])
    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }

  private func takeOut(
    _ barcode: String, _ position: String, of key: String, _ site: Site, _ engine: SagaProcess
  ) async throws -> Site.Answer {
    try await site.call(
      "POST", "\(engine.url)/v1/workflows/\(Self.workflow)/keys/\(key)/signals/taken-out",
      body: ["barcode": .string(barcode), "position": .string(position)],
      headers: ["Idempotency-Key": "out-\(barcode)", "Saga-User": "ines"])
  }

  private func scan(
    _ barcode: String, _ position: String, _ site: Site, _ engine: SagaProcess
  ) async throws -> Site.Answer {
    try await site.call(
      "POST", "\(engine.url)/v1/workflows/\(Self.workflow)/keys/\(barcode)/signals/scan-in",
      body: ["barcode": .string(barcode), "position": .string(position)],
      headers: ["Idempotency-Key": "scan-\(position)", "Saga-User": "scanner-2"])
  }
}
