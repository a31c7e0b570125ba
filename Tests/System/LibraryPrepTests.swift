import JSON
import TestSupport
import Testing

@Suite("library-prep on a live laboratory", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct LibraryPrepTests {
  private static let workflow = "library-prep"
  private static let input: JSON = [
    "batch": "B-7",
    "samples": [["sample": "TS-1", "library": "LIB-1"], ["sample": "TS-2", "library": "LIB-2"]],
    "lots": [
      ["lot": "LIG-7", "stage": "ligation"], ["lot": "PCR-3", "stage": "pcr"],
      ["lot": "BEADS-12", "stage": "clean-up"],
    ],
    "tagPlate": "TAG-42", "robot": "BRAVO-1", "requestedBy": "genomics@lab.example",
  ]

  @Test("Libraries are made although answers are lost and the engine is killed before and after the tags are spent")
  func completes() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab(
      "--robot-time", "1h", "--measurement-time", "1h", "--fault", "library-prep.reserveLot:drop-answer,once",
      "--fault",
      "library-prep.makePlate:drop-answer,once", "--fault", "library-prep.consumeTagPlate:drop-answer,once", "--fault",
      "library-prep.bookLibraryQC:drop-answer,once")
    try await stock(site, lab)
    var engine = try await site.startEngine(lab: lab)
    var saga = try await LiveSaga.start(Self.workflow, key: "B-7", Self.input, site, engine)
    try await saga.waits(at: "shearDone")
    await engine.killNow()
    engine = try await site.startEngine(lab: lab)
    saga = saga.on(engine)
    try await finish("shear", saga, lab)
    try await look(saga, until: "ligationDone")
    try await finish("ligation", saga, lab)
    try await look(saga, until: "pcrDone")
    await engine.killNow()
    engine = try await site.startEngine(lab: lab)
    saga = saga.on(engine)
    try await finish("pcr", saga, lab)
    try await look(saga, until: "cleanupDone")
    try await finish("cleanup", saga, lab)
    try await eventually("the analyzer works", every: .milliseconds(200)) {
      try await saga.operate("run-now", ["reason": "the robot is done"])
      let items = try await site.call("GET", "\(saga.url)/steps/qcResult/items").body["items"]?.arrayValue ?? []
      return items.map { $0["status"] } == ["waiting", "waiting"]
    }
    for (barcode, ngPerUl) in [("LIB-1", 8.25), ("LIB-2", 0.33)] as [(JSON, JSON)] {
      try await measure(barcode, ngPerUl, saga, lab)
    }
    try await eventually("the saga is completed", every: .milliseconds(200)) {
      try await saga.operate("run-now", ["reason": "the results are there"])
      return try await saga.now["status"] == "completed"
    }

    let output = try await saga.now["output"]
    #expect(output?["failed"] == ["LIB-2"])
    let libraries = output?["libraries"]?.arrayValue ?? []
    #expect(libraries.map { $0["barcode"] } == ["LIB-1"] && libraries.map { $0["nM"] } == [25])
    #expect(libraries.first?["well"] == "A01" && libraries.first?["i7"] == "ACACACACAC")
    let tags = try await site.call("GET", "\(lab.url)/library-prep/tag-plates/TAG-42").body
    #expect(tags["status"] == "consumed", "\(tags.text())")
    #expect(try await free(site, lab) == [94, 94, 94])
    // Three lots and the tag plate, two libraries, four plates with their beds, three lots opened, the PCR, each library
    // made and booked, and one message.
    #expect(try await saga.effects(at: lab) == 4 + 2 + 4 * 2 + 3 + 1 + 2 * 2 + 1)
    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }

  @Test("A lot that expires right before the PCR discards the plates, writes off what is open, and spares the tags")
  func expired() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab(
      "--robot-time", "1ms", "--fault", "library-prep.consumeLot:fail=prep.lotExpired,match=PCR-3", "--fault",
      "library-prep.discardPlate:drop-answer,once", "--fault", "library-prep.releaseLot:status=503,once", "--fault",
      "library-prep.cancelLibrary:drop-answer,once")
    try await stock(site, lab)
    let engine = try await site.startEngine(lab: lab)
    let saga = try await LiveSaga.start(Self.workflow, key: "B-7", Self.input, site, engine)
    try await eventually("the saga is compensated", every: .milliseconds(200)) {
      try await saga.operate("run-now", ["reason": "the robot is done"])
      return try await saga.now["status"] == "compensated"
    }
    let why = try await saga.now["turnBack"]
    #expect(why?["failedStep"] == "openPcrLots" && why?["code"] == "forEach.failures")
    try await isUndone(saga, lab, plates: 3)
    // The reagents of the ligation were opened.
    #expect(try await free(site, lab) == [94, 96, 96])
    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }

  @Test("A batch that an operator cancels while a robot works is undone, also when the engine is killed in the undo")
  func cancelled() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab("--robot-time", "1h", "--fault", "library-prep.discardPlate:timeout,once")
    try await stock(site, lab)
    var engine = try await site.startEngine(lab: lab)
    var saga = try await LiveSaga.start(Self.workflow, key: "B-7", Self.input, site, engine)
    try await saga.waits(at: "shearDone")
    let cancelled = try await saga.operate("cancel", ["reason": "the study has ended"])
    #expect(cancelled.status == 200, "\(cancelled.body.text())")
    try await eventually("the plate is being discarded") {
      try await saga.step("shearPlate")?["status"] == "undoing"
    }
    await engine.killNow()
    engine = try await site.startEngine(lab: lab)
    saga = saga.on(engine)
    try await eventually("the saga is compensated", every: .milliseconds(200)) {
      try await saga.operate("run-now", ["reason": "the robot is free"])
      return try await saga.now["status"] == "compensated"
    }
    try await isUndone(saga, lab, plates: 1)
    #expect(try await free(site, lab) == [96, 96, 96])
    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }

  @Test("A lot that has expired starts nothing")
  func refused() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab()
    try await stock(site, lab, until: "2020-01-31")
    let engine = try await site.startEngine(lab: lab)
    let saga = try await LiveSaga.start(Self.workflow, key: "B-7", Self.input, site, engine)
    try await saga.ends("compensated")
    let why = try await saga.now["turnBack"]
    #expect(why?["failedStep"] == "refuseLots" && why?["code"] == "LOT_UNUSABLE")
    #expect(why?["message"]?.stringValue?.contains("it expired on 2020-01-31") == true, "\(why?.text() ?? "")")
    #expect(try await saga.effects(at: lab) == 0)
    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }

  // MARK: The laboratory and the people

  /// Brings three lots and a tag plate to the laboratory.
  /// - Parameter day: the last day of the lot of the ligation.
  private func stock(_ site: Site, _ lab: SagaProcess, until day: JSON = "2999-12-31") async throws {
    let things: [(path: String, body: JSON)] = [
      ("lots/LIG-7", ["stage": "ligation", "expiresOn": day, "reactions": 96]),
      ("lots/PCR-3", ["stage": "pcr", "expiresOn": "2999-12-31", "reactions": 96]),
      ("lots/BEADS-12", ["stage": "clean-up", "expiresOn": "2999-12-31", "reactions": 96]),
      ("tag-plates/TAG-42", ["set": "A", "expiresOn": "2999-12-31"]),
    ]
    for thing in things {
      let received = try await site.call(
        "PUT", "\(lab.url)/library-prep/\(thing.path)", body: thing.body, headers: ["Idempotency-Key": thing.path])
      #expect(received.status == 201, "\(received.body.text())")
    }
  }

  /// The free reactions of the three lots.
  private func free(_ site: Site, _ lab: SagaProcess) async throws -> [JSON?] {
    var free: [JSON?] = []
    for lot in ["LIG-7", "PCR-3", "BEADS-12"] {
      free.append(try await site.call("GET", "\(lab.url)/library-prep/lots/\(lot)").body["free"])
    }
    return free
  }

  /// Reports that the robot of a stage is done.
  private func finish(_ stage: String, _ saga: LiveSaga, _ lab: SagaProcess) async throws {
    let plate = try #require(try await saga.step("\(stage)Plate")?["output"]?["id"]?.stringValue)
    let reported = try await saga.site.call(
      "POST", "\(lab.url)/library-prep/plates/\(plate)/reports", body: ["isDone": true],
      headers: ["Idempotency-Key": "done \(stage)"])
    #expect(reported.status == 201, "\(reported.body.text())")
  }

  /// Asks the robots until a step waits.
  private func look(_ saga: LiveSaga, until step: String) async throws {
    try await eventually("\(step) waits", every: .milliseconds(200)) {
      try await saga.operate("run-now", ["reason": "the robot is done"])
      return try await saga.step(step)?["status"] == "waiting"
    }
  }

  /// Records what the analyzer has measured of a library.
  private func measure(_ barcode: JSON, _ ngPerUl: JSON, _ saga: LiveSaga, _ lab: SagaProcess) async throws {
    let name = barcode.stringValue ?? ""
    let known = try await saga.site.call("GET", "\(lab.url)/library-prep/libraries?barcode=\(name)").body["items"]
    let id = try #require(known?[0]?["id"]?.stringValue)
    let measured = try await saga.site.call(
      "POST", "\(lab.url)/library-prep/libraries/\(id)/qc/result", body: ["ngPerUl": ngPerUl, "sizeBp": 500],
      headers: ["Idempotency-Key": "measure \(name)"])
    #expect(measured.status == 200, "\(measured.body.text())")
  }

  /// Checks that all plates of a saga are discarded, its libraries are cancelled, and its tag plate is free.
  private func isUndone(_ saga: LiveSaga, _ lab: SagaProcess, plates: Int) async throws {
    for (list, status, count) in [("plates", "discarded", plates), ("libraries", "cancelled", 2)] {
      let items = try await saga.site.call("GET", "\(lab.url)/library-prep/\(list)?sagaId=\(saga.id)").body["items"]
      #expect(items?.arrayValue?.count == count)
      #expect(items?.arrayValue?.allSatisfy { $0["status"]?.stringValue == status } == true, "\(items?.text() ?? "")")
    }
    let tags = try await saga.site.call("GET", "\(lab.url)/library-prep/tag-plates/TAG-42").body
    #expect(tags["status"] == "received", "\(tags.text())")
  }
}
