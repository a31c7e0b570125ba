import JSON
import TestSupport
import Testing

@Suite("incoming-qc on a live laboratory", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct IncomingQCTests {
  private static let workflow = "incoming-qc"
  private static let dna = "5b40865d-e4dc-83f2-8d30-c0c0f8f78473"
  private static let rna = "6c51976e-f5ed-83f2-8d30-c0c0f8f78473"
  private static let input: JSON = [
    "batch": "B-7", "plate": "QC-0042",
    "samples": [
      ["sampleId": .string(dna), "barcode": "TS-1", "type": "dna", "aliquot": "TS-1-QC"],
      ["sampleId": .string(rna), "barcode": "TS-2", "type": "rna", "aliquot": "TS-2-QC"],
    ],
    "customer": "ward-7@lab.example", "requestedBy": "genomics@lab.example",
  ]

  @Test("A batch is decided although answers are lost and the engine is killed in both waits")
  func completes() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab(
      "--measurement-time", "2s", "--fault", "qc.reserveWells:drop-answer,once", "--fault",
      "samples.aliquot:drop-answer,once", "--fault", "qc.evaluate:drop-answer,once", "--fault",
      "qc.answer:drop-answer,once")
    try await register(site, lab)
    var engine = try await site.startEngine(lab: lab)
    var saga = try await LiveSaga.start(Self.workflow, key: "B-7", Self.input, site, engine)
    try await wait(for: ["waiting", "waiting"], of: "fragmentResult", saga)
    await engine.killNow()
    engine = try await site.startEngine(lab: lab)
    saga = saga.on(engine)

    // A result of RNA needs its integrity number. Without it the wait goes on.
    #expect(try await fragments(["barcode": "TS-2", "sizeBp": 210], "half", saga).status == 422)
    #expect(try await fragments(["barcode": "TS-2", "sizeBp": 210, "rin": 4.2], "TS-2", saga).status == 200)
    #expect(try await fragments(["barcode": "TS-1", "sizeBp": 480], "TS-1", saga).status == 200)
    try await wait(for: ["waiting"], of: "customerDecision", saga)
    await engine.killNow()
    engine = try await site.startEngine(lab: lab)
    saga = saga.on(engine)
    let decided = try await signal(
      "customer-decision", ["barcode": "TS-2", "decision": "proceed"], key: "mail-1", saga)
    #expect(decided.status == 200, "\(decided.body.text())")
    try await saga.ends("completed")

    let samples = try await saga.now["output"]?["samples"]?.arrayValue ?? []
    #expect(samples.map { $0["outcome"] } == ["passed", "atRisk"])
    #expect(samples.map { $0["massNg"] } == [1440, 1440])
    #expect(samples.last?["reasons"] == ["RIN 4.2 is below 7"])
    let messages = try await site.call("GET", "\(lab.url)/notification/messages?sagaId=\(saga.id)").body["items"]
    #expect(
      Set(messages?.arrayValue?.compactMap { $0["subject"]?.stringValue } ?? []) == [
        "Sample TS-2 failed its quality control", "The quality control of B-7 is done",
      ])
    // One reservation, two of each step of a sample, and one question with its answer, and one message.
    #expect(try await saga.effects(at: lab) == 1 + 6 * 2 + 2 + 1)
    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }

  @Test("A batch whose record is refused is undone: its wells are free, and what was drawn is booked as a loss")
  func refused() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab(
      "--measurement-time", "1s", "--fault", "qc.recordDecision:fail=LIMS_CLOSED,match=TS-2", "--fault",
      "qc.withdrawDecision:drop-answer,once", "--fault", "samples.voidAliquot:drop-answer,once")
    try await register(site, lab)
    let engine = try await site.startEngine(lab: lab)
    let saga = try await LiveSaga.start(Self.workflow, key: "B-7", Self.input, site, engine)
    // Results that come before their waits are kept.
    _ = try await fragments(["barcode": "TS-1", "sizeBp": 480], "TS-1", saga)
    _ = try await fragments(["barcode": "TS-2", "sizeBp": 310, "rin": 8.5], "TS-2", saga)
    try await eventually("the saga is compensated", every: .milliseconds(200)) {
      try await saga.operate("run-now", ["reason": "the results are there"])
      return try await saga.now["status"] == "compensated"
    }
    let why = try await saga.now["turnBack"]
    #expect(why?["step"] == "record" && why?["code"] == "forEach.failures")
    #expect(try await freeWells(site, lab) == 96)
    for sample in [Self.dna, Self.rna] {
      let tube = try await site.call("GET", "\(lab.url)/samples/samples/\(sample)").body
      #expect(tube["volumeLostMl"] == 0.012 && tube["volumeLeftMl"] == 3.988, "\(tube.text())")
    }
    let decisions = try await site.call("GET", "\(lab.url)/qc/decisions?sagaId=\(saga.id)").body["items"]
    #expect(decisions?.arrayValue?.map { $0["status"] } == ["withdrawn", "withdrawn"])
    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }

  @Test("A batch that an operator cancels while the customer decides corrects its question")
  func cancelled() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab("--measurement-time", "1s", "--fault", "qc.releaseWells:status=503,once")
    try await register(site, lab)
    let engine = try await site.startEngine(lab: lab)
    let saga = try await LiveSaga.start(Self.workflow, key: "B-7", Self.input, site, engine)
    _ = try await fragments(["barcode": "TS-1", "sizeBp": 480], "TS-1", saga)
    _ = try await fragments(["barcode": "TS-2", "sizeBp": 310, "rin": 6.9], "TS-2", saga)
    try await wait(for: ["waiting"], of: "customerDecision", saga)
    let cancelled = try await saga.operate("cancel", ["reason": "the study has ended"])
    #expect(cancelled.status == 200, "\(cancelled.body.text())")
    try await saga.ends("compensated")
    #expect(try await freeWells(site, lab) == 96)
    let messages = try await site.call("GET", "\(lab.url)/notification/messages?sagaId=\(saga.id)").body["items"]
    #expect(messages?.arrayValue?.map { $0["status"] } == ["corrected"])
    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }

  // MARK: The laboratory and the people

  /// Registers both tubes at the laboratory and has them validated.
  private func register(_ site: Site, _ lab: SagaProcess) async throws {
    for (id, barcode, type, temperature) in [(Self.dna, "TS-1", "dna", "+4"), (Self.rna, "TS-2", "rna", "-80")] {
      let tube: JSON = [
        "barcode": .string(barcode), "type": .string(type), "volumeMl": 4, "temperature": .string(temperature),
      ]
      let url = "\(lab.url)/samples/samples/\(id)"
      let made = try await site.call("PUT", url, body: tube, headers: ["Idempotency-Key": "create-\(barcode)"])
      #expect(made.status == 201, "\(made.body.text())")
      let key = ["Idempotency-Key": "validate-\(barcode)"]
      #expect(try await site.call("POST", "\(url)/validation", headers: key).status == 200)
    }
  }

  private func freeWells(_ site: Site, _ lab: SagaProcess) async throws -> JSON? {
    try await site.call("GET", "\(lab.url)/qc/plates/QC-0042").body["free"]
  }

  /// Asks for the results that are due, until the items of a step have these statuses.
  private func wait(for statuses: [JSON], of step: String, _ saga: LiveSaga) async throws {
    try await eventually("the items of \(step) are \(statuses)", every: .milliseconds(200)) {
      try await saga.operate("run-now", ["reason": "the result is there"])
      let items = try await saga.site.call("GET", "\(saga.url)/steps/\(step)/items").body["items"]
      return items?.arrayValue?.map { $0["status"] ?? .null } == statuses
    }
  }

  private func fragments(_ body: JSON, _ key: String, _ saga: LiveSaga) async throws -> Site.Answer {
    try await signal("fragment-result", body, key: "file-\(key)", saga)
  }

  private func signal(_ name: String, _ body: JSON, key: String, _ saga: LiveSaga) async throws -> Site.Answer {
    try await saga.site.call(
      "POST", "\(saga.url)/signals/\(name)", body: body, headers: ["Idempotency-Key": key, "Saga-User": "analyzer-1"])
  }
}
