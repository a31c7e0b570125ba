import JSON
import TestSupport
import Testing

@Suite("demultiplex-and-deliver on a live laboratory", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct DeliveryTests {
  private static let workflow = "demultiplex-and-deliver"
  private static let input: JSON = [
    "runId": "RUN-7", "barcodes": ["TS-1", "TS-2"], "folder": "ward-7/RUN-7", "customer": "ward-7@lab.example",
  ]

  @Test("A run is delivered although answers are lost and the engine is killed while the job runs and in the review")
  func completes() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab(
      "--demultiplex-time", "1h", "--fault", "pipeline.startJob:drop-answer,once", "--fault",
      "pipeline.copyFile:drop-answer,once", "--fault", "pipeline.deliver:status=503,once")
    var engine = try await site.startEngine(lab: lab)
    var saga = try await LiveSaga.start(Self.workflow, key: "RUN-7", Self.input, site, engine)
    try await saga.waits(at: "followJob")
    let job = try await job(of: saga)
    await engine.killNow()
    for report: JSON in [["barcode": "TS-2", "reads": 999], ["isDone": true]] {
      let key = ["Idempotency-Key": "report \(report.text().count)"]
      let reported = try await site.call(
        "POST", "\(lab.url)/pipeline/jobs/\(job)/reports", body: report, headers: key)
      #expect(reported.status == 201, "\(reported.body.text())")
    }
    engine = try await site.startEngine(lab: lab)
    saga = saga.on(engine)
    try await review(saga)
    await engine.killNow()
    engine = try await site.startEngine(lab: lab)
    saga = saga.on(engine)
    #expect(try await saga.signal("review", ["decision": "deliver"]).status == 200)
    try await eventually("the saga is completed", every: .milliseconds(200)) {
      try await saga.operate("run-now", ["reason": "the pipeline is back"])
      return try await saga.now["status"] == "completed"
    }
    let output = try await saga.now["output"]
    #expect(output?["files"] == ["TS-1_R1.fastq.gz", "TS-1_R2.fastq.gz"])
    #expect(output?["tooFewReads"] == ["TS-2"])
    let delivery = try #require(output?["deliveryId"]?.stringValue)
    let delivered = try await site.call("GET", "\(lab.url)/pipeline/deliveries/\(delivery)").body
    #expect(delivered["copies"]?.arrayValue?.count == 2 && delivered["recipient"] == "ward-7@lab.example")
    #expect(try await saga.effects(at: lab) == 5)
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
    try await review(saga)
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

  /// Asks for what is due until the files wait for their review.
  private func review(_ saga: LiveSaga) async throws {
    try await eventually("review waits", every: .milliseconds(200)) {
      try await saga.operate("run-now", ["reason": "the files are there"])
      return try await saga.step("review")?["status"] == "waiting"
    }
  }
}
