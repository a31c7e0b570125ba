import JSON
import TestSupport
import Testing

@Suite("demultiplex-and-deliver on a live laboratory", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct DeliveryTests {
  private static let workflow = "demultiplex-and-deliver"
  private static let input: JSON = [
    "runId": "RUN-7", "barcodes": ["TS-1", "TS-2"], "folder": "ward-7/RUN-7", "customer": "ward-7@lab.example",
  ]

  @Test(
    "A case is topped up and delivered although answers are lost and the engine is killed in job, top-up and review")
  func completes() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab(
      "--demultiplex-time", "1h", "--run-time", "1ms", "--fault", "pipeline.startJob:drop-answer,once", "--fault",
      "sequencing.bookLane:drop-answer,once", "--fault", "pipeline.copyFile:drop-answer,once", "--fault",
      "pipeline.deliver:status=503,once")
    var engine = try await site.startEngine(lab: lab)
    var saga = try await LiveSaga.start(Self.workflow, key: "RUN-7", Self.input, site, engine)
    try await saga.waits(at: "followJob")
    let first = try await job(of: saga)
    await engine.killNow()
    try await report(["barcode": "TS-2", "reads": 999], on: first, site, lab)
    try await report(["isDone": true], on: first, site, lab)
    engine = try await site.startEngine(lab: lab)
    saga = saga.on(engine)

    // The top-up is a saga of its own, and the engine is killed while its run goes on.
    var topUp = try await child(of: saga)
    try await topUp.waits(at: "followRun")
    #expect(try await saga.step("topUp")?["status"] == "waiting")
    #expect(try await topUp.now["parent"]?["id"]?.stringValue == saga.id)
    let run = try await topUp.step("scheduleRun")
    await engine.killNow()
    try await sequence(run, site, lab)
    engine = try await site.startEngine(lab: lab)
    saga = saga.on(engine)
    topUp = topUp.on(engine)
    try await look(topUp, until: "followJob")
    let second = try await job(of: topUp)
    try await report(["barcode": "TS-2", "reads": 1], on: second, site, lab)
    try await report(["isDone": true], on: second, site, lab)
    try await look(saga, topUp, until: "review")
    #expect(try await topUp.now["status"] == "completed")
    // 999 reads of the first run and one of the second are enough.
    #expect(try await topUp.now["output"]?["tooFewReads"] == [])

    await engine.killNow()
    engine = try await site.startEngine(lab: lab)
    saga = saga.on(engine)
    #expect(try await saga.signal("review", ["decision": "deliver"]).status == 200)
    try await eventually("the saga is completed", every: .milliseconds(200)) {
      try await saga.operate("run-now", ["reason": "the pipeline is back"])
      return try await saga.now["status"] == "completed"
    }
    let output = try await saga.now["output"]
    #expect(
      output?["files"] == ["TS-1_R1.fastq.gz", "TS-1_R2.fastq.gz", "TS-2_R1.fastq.gz", "TS-2_R2.fastq.gz"])
    #expect(output?["toppedUp"] == true && output?["tooFewReads"] == [])
    let delivery = try #require(output?["deliveryId"]?.stringValue)
    let delivered = try await site.call("GET", "\(lab.url)/pipeline/deliveries/\(delivery)").body
    let copies = delivered["copies"]?.arrayValue ?? []
    #expect(copies.count == 4 && delivered["recipient"] == "ward-7@lab.example")
    // The files with the reads of both runs are delivered.
    for copy in copies.compactMap(\.stringValue) {
      let copied = try await site.call("GET", "\(lab.url)/pipeline/copies/\(copy)").body
      #expect(copied["jobId"]?.stringValue == second, "\(copied.text())")
    }
    #expect(try await saga.effects(at: lab) == 7)
    #expect(try await topUp.effects(at: lab) == 3)
    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }

  @Test("A review that refuses the files turns the top-up back, and a case whose top-up fails goes on without it")
  func topUpUndone() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab("--demultiplex-time", "1h", "--run-time", "1ms")
    let engine = try await site.startEngine(lab: lab)
    let saga = try await LiveSaga.start(Self.workflow, key: "RUN-7", Self.input, site, engine)
    try await saga.waits(at: "followJob")
    let first = try await job(of: saga)
    try await report(["barcode": "TS-2", "reads": 999], on: first, site, lab)
    try await report(["isDone": true], on: first, site, lab)
    let topUp = try await child(of: saga)
    try await topUp.waits(at: "followRun")
    try await sequence(topUp.step("scheduleRun"), site, lab)
    try await look(topUp, until: "followJob")
    let second = try await job(of: topUp)
    try await report(["isDone": true], on: second, site, lab)
    try await look(saga, topUp, until: "review")
    #expect(try await saga.signal("review", ["decision": "refuse"]).status == 200)
    try await saga.ends("compensated")
    #expect(try await topUp.now["status"] == "compensated")
    for job in [first, second] {
      #expect(try await site.call("GET", "\(lab.url)/pipeline/jobs/\(job)").body["status"] == "deleted")
    }
    // Its run has started, so its undo leaves it as it is.
    let run = try #require(try await topUp.step("scheduleRun")?["output"]?["id"]?.stringValue)
    #expect(try await site.call("GET", "\(lab.url)/sequencing/runs/\(run)").body["status"] == "running")

    let fault: JSON = ["faults": ["sequencing.bookLane:fail=NO_LANE"]]
    #expect(try await site.call("PUT", "\(lab.url)/lab/faults", body: fault).status == 200)
    let other = try await LiveSaga.start(Self.workflow, key: "RUN-8", Self.input, site, engine)
    try await other.waits(at: "followJob")
    let third = try await job(of: other)
    try await report(["barcode": "TS-2", "reads": 999], on: third, site, lab)
    try await report(["isDone": true], on: third, site, lab)
    try await look(other, until: "review")
    #expect(try await other.step("topUp")?["status"] == "failed")
    let failed = try await child(of: other)
    #expect(try await failed.now["turnBack"]?["code"] == "NO_LANE")
    #expect(try await other.signal("review", ["decision": "deliver"]).status == 200)
    try await other.ends("completed")
    #expect(try await other.now["output"]?["files"] == ["TS-1_R1.fastq.gz", "TS-1_R2.fastq.gz"])
    #expect(try await other.now["output"]?["tooFewReads"] == ["TS-2"])
    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }

  @Test("Files that the reviewer refuses, or that an operator cancels, are deleted", arguments: ["refuse", "cancel"])
  func undone(by act: String) async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab("--demultiplex-time", "1ms", "--fault", "pipeline.deleteCopy:drop-answer,once")
    let engine = try await site.startEngine(lab: lab)
    let saga = try await LiveSaga.start(Self.workflow, key: "RUN-7", Self.input, site, engine)
    try await look(saga, until: "review")
    let files = try await site.call("GET", "\(saga.url)/steps/copyFiles/items").body["items"]?.arrayValue ?? []
    #expect(files.count == 4)
    let answer: Site.Answer
    if act == "refuse" {
      answer = try await saga.signal("review", ["decision": "refuse", "comment": "mixed up"])
    } else {
      answer = try await saga.operate("cancel", ["reason": "the run is repeated"])
    }
    #expect(answer.status == 200, "\(answer.body.text())")
    try await saga.ends("compensated")
    let code = act == "refuse" ? "REVIEW_REFUSED" : "saga.cancelled"
    #expect(try await saga.now["turnBack"]?["code"]?.stringValue == code)
    for file in files {
      let id = try #require(file["output"]?["id"]?.stringValue)
      #expect(try await site.call("GET", "\(lab.url)/pipeline/copies/\(id)").body["status"] == "deleted")
    }
    let job = try await job(of: saga)
    #expect(try await site.call("GET", "\(lab.url)/pipeline/jobs/\(job)").body["status"] == "deleted")
    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }

  private func job(of saga: LiveSaga) async throws -> String {
    try #require(try await saga.step("demultiplex")?["output"]?["id"]?.stringValue)
  }

  /// Returns the child saga of the step `topUp`, once there is one.
  private func child(of saga: LiveSaga) async throws -> LiveSaga {
    try await eventually("there is a top-up", every: .milliseconds(200)) {
      try await saga.operate("run-now", ["reason": "the files are there"])
      return try await saga.step("topUp")?["child"] != nil
    }
    let id = try #require(try await saga.step("topUp")?["child"]?["id"]?.stringValue)
    return LiveSaga(site: saga.site, engine: saga.engine, id: id)
  }

  /// Asks for what is due in all sagas, until a step of the first one waits.
  private func look(_ saga: LiveSaga, _ others: LiveSaga..., until step: String) async throws {
    try await eventually("\(step) waits", every: .milliseconds(200)) {
      for saga in [saga] + others { try await saga.operate("run-now", ["reason": "it is due"]) }
      return try await saga.step(step)?["status"] == "waiting"
    }
  }

  private func report(_ body: JSON, on job: String, _ site: Site, _ lab: SagaProcess) async throws {
    let reported = try await site.call(
      "POST", "\(lab.url)/pipeline/jobs/\(job)/reports", body: body,
      headers: ["Idempotency-Key": "\(job) \(body.text().count)"])
    #expect(reported.status == 201, "\(reported.body.text())")
  }

  /// Loads and starts the run that a step has scheduled.
  private func sequence(_ step: JSON?, _ site: Site, _ lab: SagaProcess) async throws {
    let run = try #require(step?["output"]?["id"]?.stringValue)
    for act in ["load", "start"] {
      let done = try await site.call(
        "POST", "\(lab.url)/sequencing/runs/\(run)/\(act)", headers: ["Idempotency-Key": "\(run) \(act)"])
      #expect(done.status == 200, "\(done.body.text())")
    }
  }
}
