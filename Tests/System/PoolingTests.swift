import JSON
import TestSupport
import Testing

@Suite("pooling-and-lanes on a live laboratory", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct PoolingTests {
  private static let workflow = "pooling-and-lanes"
  private static let libraries = ["TS-1-L": "ATTACTCG", "TS-2-L": "TCCGGAGA"]

  private static func input(_ pool: String, lanes: Int = 2) -> JSON {
    [
      "pool": .string(pool), "libraries": ["TS-1-L", "TS-2-L"], "flowCell": "FC-7", "lanes": .int(lanes),
      "robot": "ROBOT-1", "qa": "qa@lab.example", "requestedBy": "genomics@lab.example",
    ]
  }

  @Test("A pool is mixed although answers are lost and the engine is killed in the approval and in the qPCR")
  func completes() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab(
      "--fault", "pooling.lockLibrary:drop-answer,once", "--fault", "pooling.diluteLibrary:drop-answer,once", "--fault",
      "sequencing.reserveLanes:drop-answer,once", "--fault", "pooling.mixPool:drop-answer,once", "--fault",
      "pooling.writeSampleSheet:status=503,once")
    try await receive(site, lab)
    var engine = try await site.startEngine(lab: lab)
    var saga = try await LiveSaga.start(Self.workflow, key: "POOL-7", Self.input("POOL-7"), site, engine)
    try await saga.waits(at: "approval")
    await engine.killNow()
    engine = try await site.startEngine(lab: lab)
    saga = saga.on(engine)

    // The decision names its pool, and one identity decides once.
    #expect(try await decide("approve", "POOL-8", "other", site, engine).status == 422)
    let approved = try await decide("approve", "POOL-7", "mail-1", site, engine)
    #expect(approved.status == 200, "\(approved.body.text())")
    #expect(try await decide("refuse", "POOL-7", "mail-1", site, engine).status == 409)
    try await saga.waits(at: "qpcrResult")
    await engine.killNow()
    engine = try await site.startEngine(lab: lab)
    saga = saga.on(engine)
    let result: JSON = ["pool": "POOL-7", "nM": 3.9]
    #expect(try await signal("qpcr-result", result, "plate-1", site, engine).status == 200)
    try await saga.ends("completed")

    let output = try await saga.now["output"]
    #expect(output?["lanes"] == ["FC-7/1", "FC-7/2"])
    #expect(output?["nM"] == 3.9 && output?["approvedBy"] == "ines")
    #expect(
      output?["sampleSheet"]?.stringValue == """
        Lane,Sample_ID,index,index2
        1,TS-1-L,ATTACTCG,
        1,TS-2-L,TCCGGAGA,
        2,TS-1-L,ATTACTCG,
        2,TS-2-L,TCCGGAGA,

        """)
    for barcode in Self.libraries.keys {
      let library = try await library(barcode, site, lab)
      #expect(library["status"] == "received" && library["volumeLeftUl"] == 19.2, "\(library.text())")
    }
    let cell = try await site.call("GET", "\(lab.url)/sequencing/flow-cells/FC-7").body
    #expect(cell["free"] == ["FC-7/3", "FC-7/4"])
    // Three of each library, five of the pool, one reservation, a question and a message.
    #expect(try await saga.effects(at: lab) == 3 * 2 + 5 + 1 + 2)
    try await close(site, engine, lab)
  }

  @Test(
    "A pool that quality assurance refuses is undone although answers are lost and the engine is killed in the undo")
  func refused() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab(
      "--fault", "pooling.discardDilution:drop-answer,once", "--fault", "pooling.unlockLibrary:drop-answer,once",
      "--fault", "sequencing.releaseLanes:slow=2s")
    try await receive(site, lab)
    var engine = try await site.startEngine(lab: lab)
    var saga = try await LiveSaga.start(Self.workflow, key: "POOL-7", Self.input("POOL-7"), site, engine)
    try await saga.waits(at: "approval")
    #expect(try await decide("refuse", "POOL-7", "mail-1", site, engine).status == 200)
    try await eventually("the saga compensates") { try await saga.now["status"] == "compensating" }
    await engine.killNow()
    engine = try await site.startEngine(lab: lab)
    saga = saga.on(engine)
    try await saga.ends("compensated")
    #expect(try await saga.now["turnBack"]?["code"] == "POOL_REFUSED")
    for barcode in Self.libraries.keys {
      let library = try await library(barcode, site, lab)
      #expect(library["status"] == "received", "\(library.text())")
      #expect(library["volumeLeftUl"] == 19.2 && library["volumeLostUl"] == 0.8, "\(library.text())")
    }
    let cell = try await site.call("GET", "\(lab.url)/sequencing/flow-cells/FC-7").body
    #expect(cell["free"]?.arrayValue?.count == 4 && cell["reservations"] == [])
    let messages = try await site.call("GET", "\(lab.url)/notification/messages?sagaId=\(saga.id)").body["items"]
    #expect(messages?.arrayValue?.map { $0["status"] } == ["corrected"])
    let pool = try #require(try await saga.step("openPool")?["output"]?["id"]?.stringValue)
    #expect(try await site.call("GET", "\(lab.url)/pooling/pools/\(pool)").body["status"] == "dissolved")
    try await close(site, engine, lab)
  }

  @Test(
    "A pool whose libraries another one has locked, or whose flow cell has too few lanes, leaves the other as it is")
  func clash() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab()
    try await receive(site, lab)
    let engine = try await site.startEngine(lab: lab)
    let first = try await LiveSaga.start(Self.workflow, key: "POOL-7", Self.input("POOL-7"), site, engine)
    try await first.waits(at: "approval")
    let second = try await LiveSaga.start(Self.workflow, key: "POOL-8", Self.input("POOL-8"), site, engine)
    try await second.ends("compensated")
    #expect(try await second.now["turnBack"]?["step"] == "lockLibraries")
    let pool = try #require(try await first.step("openPool")?["output"]?["id"])
    for barcode in Self.libraries.keys {
      #expect(try await library(barcode, site, lab)["poolId"] == pool)
    }
    let cancelled = try await first.operate("cancel", ["reason": "the order is cancelled"])
    #expect(cancelled.status == 200, "\(cancelled.body.text())")
    try await first.ends("compensated")

    // Another pool has three of the four lanes.
    let path = "\(lab.url)/sequencing/flow-cells/FC-7/reservations"
    let wanted: JSON = ["poolId": "POOL-1", "lanes": 3]
    let reserved = try await site.call("POST", path, body: wanted, headers: ["Idempotency-Key": "POOL-1"])
    #expect(reserved.status == 201, "\(reserved.body.text())")
    let third = try await LiveSaga.start(Self.workflow, key: "POOL-9", Self.input("POOL-9"), site, engine)
    try await third.ends("compensated")
    #expect(try await third.now["turnBack"]?["code"] == "sequencing.lanesFull")
    try await close(site, engine, lab)
  }

  @Test("The people of `saga lab --people` refuse the first pool, and approve and measure the second")
  func people() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab()
    try await receive(site, lab)
    let engine = try await site.startEngine(lab: lab)
    let people = try await SagaProcess.listening(
      [
        "lab", "--store", "memory", "--port", "0", "--people", engine.url, "--people-delay", "100ms", "--fault",
        "people.approval:fail,once",
      ], in: site.folder)
    try await eventually("the people say whom they answer") {
      people.said.contains("answer the sagas of \(engine.url)")
    }
    let refused = try await LiveSaga.start(Self.workflow, key: "POOL-7", Self.input("POOL-7"), site, engine)
    try await refused.ends("compensated")
    let approved = try await LiveSaga.start(Self.workflow, key: "POOL-8", Self.input("POOL-8"), site, engine)
    try await approved.ends("completed")
    let output = try await approved.now["output"]
    #expect(output?["approvedBy"] == "qa" && output?["nM"] == 3.9)
    #expect(await people.stop() == 0)
    try await close(site, engine, lab)
  }

  // MARK: The laboratory and the people

  /// Tells the laboratory which libraries and which flow cell it has.
  private func receive(_ site: Site, _ lab: SagaProcess) async throws {
    for (barcode, i7) in Self.libraries {
      let body: JSON = ["i7": .string(i7), "ngPerUl": 13.2, "sizeBp": 400, "volumeUl": 20]
      let received = try await site.call(
        "PUT", "\(lab.url)/pooling/libraries/\(barcode)", body: body, headers: ["Idempotency-Key": barcode])
      #expect(received.status == 201, "\(received.body.text())")
    }
    let received = try await site.call(
      "PUT", "\(lab.url)/sequencing/flow-cells/FC-7", body: ["kind": "S4", "expiresOn": "2999-12-31"],
      headers: ["Idempotency-Key": "FC-7"])
    #expect(received.status == 201, "\(received.body.text())")
  }

  private func library(_ barcode: String, _ site: Site, _ lab: SagaProcess) async throws -> JSON {
    try await site.call("GET", "\(lab.url)/pooling/libraries/\(barcode)").body
  }

  private func decide(
    _ decision: String, _ pool: String, _ key: String, _ site: Site, _ engine: SagaProcess
  ) async throws -> Site.Answer {
    try await signal("approval", ["pool": .string(pool), "decision": .string(decision)], key, site, engine)
  }

  /// Sends a signal to the saga with the business key `POOL-7`, under an identity.
  private func signal(
    _ name: String, _ body: JSON, _ key: String, _ site: Site, _ engine: SagaProcess
  ) async throws -> Site.Answer {
    try await site.call(
      "POST", "\(engine.url)/v1/workflows/\(Self.workflow)/keys/POOL-7/signals/\(name)", body: body,
      headers: ["Idempotency-Key": key, "Saga-User": "ines"])
  }

  private func close(_ site: Site, _ engine: SagaProcess, _ lab: SagaProcess) async throws {
    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }
}
