import JSON
import TestSupport
import Testing

@Suite("sequencing-run on a live laboratory", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct SequencingRunTests {
  private static let workflow = "sequencing-run"
  private static let input: JSON = [
    "poolId": "POOL-7", "instrument": "NOVASEQ-1", "flowCell": "NOVASEQ-1-FC1", "lane": 2, "kitLot": "NX-7",
    "kitExpiresOn": "2999-12-31", "requestedBy": "genomics@lab.example",
  ]
  private static let warm: JSON = ["step": "thawing", "reason": "the kit is warm"]

  @Test(
    "A pool is sequenced although answers are lost and the engine is killed while it waits and while the run goes on")
  func completes() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab(
      "--run-time", "8s", "--fault", "sequencing.thawKit:drop-answer,once", "--fault",
      "sequencing.start:drop-answer,once")
    var engine = try await site.startEngine(lab: lab)
    var saga = try await LiveSaga.start(Self.workflow, key: "POOL-7", Self.input, site, engine)
    try await saga.waits(at: "thawing")
    await engine.killNow()
    engine = try await site.startEngine(lab: lab)
    saga = saga.on(engine)
    #expect(try await saga.operate("run-now", Self.warm).status == 200)
    try await saga.waits(at: "readyToLoad")
    #expect(try await saga.signal("ready-to-load").status == 200)
    try await saga.waits(at: "followRun")
    await engine.killNow()
    engine = try await site.startEngine(lab: lab)
    saga = saga.on(engine)
    try await saga.completes(lookingAt: "followRun")
    #expect(try await saga.now["output"]?["q30"] == 92)
    #expect(try await saga.effects(at: lab) == 8)
    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }

  @Test(
    "A run whose start the instrument refuses is unloaded by a person, its kit is written off, and its lane is free again"
  )
  func refused() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab(
      "--fault", "sequencing.start:fail=SELF_TEST_FAILED", "--fault", "sequencing.writeOffKit:drop-answer,once")
    var engine = try await site.startEngine(lab: lab)
    var saga = try await LiveSaga.start(Self.workflow, key: "POOL-7", Self.input, site, engine)
    try await saga.waits(at: "thawing")
    try await saga.operate("run-now", Self.warm)
    try await saga.waits(at: "readyToLoad")
    #expect(try await saga.signal("ready-to-load").status == 200)

    // The undo of the load is a saga of its own, in which a person takes the flow cell out.
    try await saga.waitsToUndo("load")
    let child = try #require(try await saga.step("load")?["undo"]?["child"])
    #expect(child["workflow"] == "unload-flow-cell", "\(child.text())")
    var unload = LiveSaga(site: site, engine: engine, id: try #require(child["id"]?.stringValue))
    try await unload.waits(at: "confirm")
    #expect(try await unload.now["parent"] == ["id": .string(saga.id), "step": "load", "phase": "undo"])
    await engine.killNow()
    engine = try await site.startEngine(lab: lab)
    (saga, unload) = (saga.on(engine), unload.on(engine))
    try await saga.waitsToUndo("load")
    #expect(try await unload.signal("unloaded", ["flowCell": "NOVASEQ-1-FC2"]).status == 422)
    let run = try #require(try await saga.step("reserveRun")?["output"]?["id"]?.stringValue)
    #expect(try await site.call("GET", "\(lab.url)/sequencing/runs/\(run)").body["status"] == "loaded")
    let confirmed = try await site.call(
      "POST", "\(unload.url)/signals/unloaded", body: ["flowCell": "NOVASEQ-1-FC1"],
      headers: ["Idempotency-Key": "unloaded/2", "Saga-User": "ines"])
    #expect(confirmed.status == 200, "\(confirmed.body.text())")
    try await unload.ends("completed")
    try await saga.ends("compensated")
    #expect(try await saga.now["turnBack"]?["code"] == "SELF_TEST_FAILED")
    let lanes = try await site.call("GET", "\(lab.url)/sequencing/lanes?instrument=NOVASEQ-1").body
    #expect(lanes["instruments"]?[0]?["lanes"]?.arrayValue?.contains("NOVASEQ-1-FC1/2") == true, "\(lanes.text())")
    let kit = try await saga.step("takeKit")?["output"]?["id"]?.stringValue ?? ""
    #expect(try await site.call("GET", "\(lab.url)/sequencing/kits/\(kit)").body["status"] == "writtenOff")
    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }
}
