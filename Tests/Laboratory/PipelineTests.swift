import JSON
import Runtime
import TestSupport
import Testing
import Values

@testable import Laboratory

private let began = Timestamp(milliseconds: 1_772_355_600_000)

@Suite("A demultiplexing job", .timeLimit(.minutes(15)), .inTurn)
struct DemultiplexJobTests {
  typealias Spec = AggregateSpec<DemultiplexJob>
  static let request = DemultiplexJob.Request(
    id: .named("job"), runID: "RUN-7", barcodes: ["TS-1", "TS-2"], startedAt: began)
  static let started = JobEvent.started(request)

  @Test func `started, reported and deleted`() {
    Spec.given().when(.start(Self.request)).then(Self.started)
    Spec.given(Self.started).when(.start(Self.request)).thenRefused("lab.exists", 409)
    Spec.given(.undoneBefore).when(.start(Self.request)).thenRefused("lab.undoneBefore", 410)
    Spec.given(Self.started).when(.report(barcode: "TS-2", reads: 9)).then(.readsReported(barcode: "TS-2", reads: 9))
    Spec.given(Self.started).when(.report(barcode: "TS-9", reads: 9)).thenRefused("lab.unknown", 404)
    Spec.given(Self.started).when(.finish).then(.finished)
    Spec.given(Self.started).when(.fail(error: "DISK_FULL")).then(.failed(error: "DISK_FULL"))
    Spec.given(Self.started, .failed(error: "x")).when(.finish).thenRefused("pipeline.wrongState", 409)
    Spec.given(Self.started, .failed(error: "x")).when(.delete).then(.deleted)
    Spec.given(Self.started, .deleted).when(.delete).thenRefused("lab.gone", 410)
    Spec.given(Self.started, .deleted).when(.start(Self.request)).thenRefused("lab.gone", 410)
    Spec.given().when(.delete).thenRefused("lab.unknown", 404)
  }

  @Test func `done after its time, with the reads that were reported`() {
    let job = [Self.started, .readsReported(barcode: "TS-2", reads: 999)]
      .reduce(DemultiplexJob.absent, DemultiplexJob.evolve)
    let early = job.json(at: began + .seconds(9), time: .seconds(10))
    #expect(early["status"] == "running" && early["samples"] == nil)
    let done = job.json(at: began + .seconds(10), time: .seconds(10))
    #expect(done["status"] == "done")
    #expect(done["samples"]?.arrayValue?.map { $0["reads"] } == [250_000, 999])
    #expect(
      done["samples"]?[0]?["files"] == [
        ["name": "TS-1_R1.fastq.gz", "barcode": "TS-1"], ["name": "TS-1_R2.fastq.gz", "barcode": "TS-1"],
      ])
    #expect(DemultiplexJob.evolve(job, .finished).isDone(at: began, time: .seconds(10)))
    let failed = DemultiplexJob.evolve(job, .failed(error: "x")).json(at: began + .seconds(60), time: .seconds(10))
    #expect(failed["status"] == "failed" && failed["error"] == "x")
  }

  @Test func `adds its reads to those of an earlier job`() throws {
    let first = [Self.started, .readsReported(barcode: "TS-2", reads: 999), .finished]
      .reduce(DemultiplexJob.absent, DemultiplexJob.evolve)
    let earlier = try first.earlier(at: began, time: .seconds(10))
    #expect(earlier.jobID == .named("job") && earlier.reads.map(\.reads) == [250_000, 999])
    let request = DemultiplexJob.Request(
      id: .named("second"), runID: "RUN-8", barcodes: ["TS-2", "TS-3"], earlier: earlier, startedAt: began)
    let second = [JobEvent.started(request), .readsReported(barcode: "TS-2", reads: 1), .finished]
      .reduce(DemultiplexJob.absent, DemultiplexJob.evolve)
    let json = second.json(at: began, time: .seconds(10))
    #expect(json["addsTo"]?.stringValue == UniqueID.named("job").description)
    #expect(json["samples"]?.arrayValue?.map { $0["barcode"] } == ["TS-1", "TS-2", "TS-3"])
    #expect(json["samples"]?.arrayValue?.map { $0["reads"] } == [250_000, 1_000, 250_000])
    #expect(second.files.count == 6)
    // Reads are reported of the samples that the run has sequenced.
    #expect(throws: LabRefusal.self) { try DemultiplexJob.decide(.report(barcode: "TS-1", reads: 1), second) }
    let running = DemultiplexJob.evolve(.absent, Self.started)
    let refusal = #expect(throws: LabRefusal.self) { try running.earlier(at: began, time: .seconds(10)) }
    #expect(refusal?.code == "pipeline.notDone")
    try expectStorable(JobEvent.started(request))
  }

  @Test func stored() throws {
    let events: [JobEvent] = [
      Self.started, .undoneBefore, .readsReported(barcode: "TS-1", reads: 1), .finished, .failed(error: "x"), .deleted,
      .undoNoted(command: "k"),
    ]
    for event in events { try expectStorable(event) }
  }
}

@Suite("A file's copy and its delivery", .timeLimit(.minutes(15)), .inTurn)
struct FileCopyTests {
  static let content = FileCopy.Content(
    id: .named("c"), jobID: .named("job"), file: "TS-1_R1.fastq.gz", folder: "ward-7")
  static let delivery = Delivery.Content(
    id: .named("d"), recipient: "a@b.example", copies: [.named("c")], deliveredAt: began)

  @Test func `made once, deleted once`() {
    typealias Spec = AggregateSpec<FileCopy>
    Spec.given().when(.copy(Self.content)).then(.copied(Self.content))
    Spec.given(.copied(Self.content)).when(.copy(Self.content)).thenRefused("lab.exists", 409)
    Spec.given(.copied(Self.content)).when(.delete).then(.deleted)
    Spec.given(.copied(Self.content), .deleted).when(.delete).thenRefused("lab.gone", 410)
    Spec.given(.copied(Self.content), .deleted).when(.copy(Self.content)).thenRefused("lab.gone", 410)
    Spec.given(.undoneBefore).when(.copy(Self.content)).thenRefused("lab.undoneBefore", 410)
    Spec.given().when(.delete).thenRefused("lab.unknown", 404)
  }

  @Test func `delivered once`() {
    typealias Spec = AggregateSpec<Delivery>
    Spec.given().when(.deliver(Self.delivery)).then(.delivered(Self.delivery))
    Spec.given(.delivered(Self.delivery)).when(.deliver(Self.delivery)).thenRefused("lab.exists", 409)
  }

  @Test func stored() throws {
    let events: [CopyEvent] = [.copied(Self.content), .undoneBefore, .deleted, .undoNoted(command: "k")]
    for event in events { try expectStorable(event) }
    for event in [DeliveryEvent.delivered(Self.delivery), .undoNoted(command: "k")] { try expectStorable(event) }
  }
}

@Suite("The pipeline, in process", .timeLimit(.minutes(15)), .inTurn)
struct PipelineServiceTests {
  private static let job = "/pipeline/jobs/\(UniqueID.named("j"))"
  private static let copy = "/pipeline/copies/\(UniqueID.named("c"))"
  private static let delivery = "/pipeline/deliveries/\(UniqueID.named("d"))"

  private func file(_ name: String) -> JSON {
    ["jobId": .string(UniqueID.named("j").description), "file": .string(name), "folder": "ward-7"]
  }

  @Test("Files are copied when the job is done, and delivered while their copies are there")
  func delivered() async throws {
    let lab = try await LabBench()
    let request: JSON = ["runId": "RUN-7", "barcodes": ["TS-1"]]
    let started = try await lab.send("PUT", Self.job, request, key: "j")
    #expect(started.status == 202 && started.body["status"] == "running")
    #expect(try await lab.send("PUT", Self.copy, file("TS-1_R1.fastq.gz"), key: "c").code == "pipeline.notDone")
    lab.clock.advance(by: .seconds(10))
    #expect(try await lab.send("GET", Self.job).body["status"] == "done")
    #expect(try await lab.send("PUT", Self.copy, file("TS-9_R1.fastq.gz"), key: "c1").code == "lab.unknown")
    let content: JSON = ["recipient": "a@b.example", "copies": [.string(UniqueID.named("c").description)]]
    #expect(try await lab.send("PUT", Self.delivery, content, key: "d").code == "pipeline.notCopied")
    let copied = try await lab.send("PUT", Self.copy, file("TS-1_R1.fastq.gz"), key: "c2")
    #expect(copied.status == 201 && copied.body["folder"] == "ward-7")
    let delivered = try await lab.send("PUT", Self.delivery, content, key: "d")
    #expect(delivered.status == 201 && delivered.body["status"] == "delivered")
    #expect(try await lab.send("GET", Self.delivery).body == delivered.body)
    // A repeat gets its first answer, although the copy and the job are gone.
    #expect(try await lab.send("DELETE", Self.copy, key: "u", compensates: "c2").body["status"] == "deleted")
    #expect(try await lab.send("DELETE", Self.job, key: "v", compensates: "j").body["status"] == "deleted")
    #expect(try await lab.send("PUT", Self.copy, file("TS-1_R1.fastq.gz"), key: "c2") == copied)
    #expect(try await lab.send("PUT", Self.delivery, content, key: "d") == delivered)
    #expect(try await lab.send("GET", Self.copy).body["status"] == "deleted")
    await lab.participants.close()
  }

  @Test("A job adds to a job that is done, and a repeat gets its answer when that job is deleted")
  func added() async throws {
    let lab = try await LabBench()
    let second = "/pipeline/jobs/\(UniqueID.named("second"))"
    let request: JSON = [
      "runId": "RUN-8", "barcodes": ["TS-1"], "addsTo": .string(UniqueID.named("j").description),
    ]
    #expect(try await lab.send("PUT", second, request, key: "0").code == "lab.unknown")
    _ = try await lab.send("PUT", Self.job, ["runId": "RUN-7", "barcodes": ["TS-1"]], key: "j")
    #expect(try await lab.send("PUT", second, request, key: "1").code == "pipeline.notDone")
    #expect(
      try await lab.send("PUT", second, ["runId": "R", "barcodes": ["A"], "addsTo": "x"], key: "2").code
        == "lab.invalid")
    lab.clock.advance(by: .seconds(10))
    let started = try await lab.send("PUT", second, request, key: "3")
    #expect(started.status == 202 && started.body["addsTo"] == request["addsTo"])
    _ = try await lab.send("DELETE", Self.job, key: "u", compensates: "j")
    #expect(try await lab.send("PUT", second, request, key: "3") == started)
    lab.clock.advance(by: .seconds(10))
    #expect(try await lab.send("GET", second).body["samples"]?[0]?["reads"] == 500_000)
    await lab.participants.close()
  }

  @Test("A wrong body is refused with every place, and a job takes one end")
  func refused() async throws {
    let lab = try await LabBench()
    let wrong = try await lab.send("PUT", Self.job, ["barcodes": ["TS-1", "TS-1"]], key: "w")
    #expect(wrong.body["errors"]?.arrayValue?.map { $0["pointer"] } == ["/runId", "/barcodes/1"])
    _ = try await lab.send("PUT", Self.job, ["runId": "RUN-7", "barcodes": ["TS-1"]], key: "j")
    let reports = Self.job + "/reports"
    #expect(try await lab.send("POST", reports, ["isDone": false], key: "1").code == "lab.invalid")
    #expect(try await lab.send("POST", reports, ["barcode": "TS-1", "reads": -1], key: "2").code == "lab.invalid")
    #expect(try await lab.send("POST", reports, ["barcode": "TS-1", "reads": 12], key: "3").status == 201)
    #expect(try await lab.send("POST", reports, ["isDone": true], key: "4").status == 201)
    #expect(try await lab.send("GET", Self.job).body["samples"]?[0]?["reads"] == 12)
    #expect(try await lab.send("POST", reports, ["error": "DISK_FULL"], key: "5").status == 201)
    #expect(try await lab.send("POST", reports, ["isDone": true], key: "6").code == "pipeline.wrongState")
    #expect(try await lab.send("PUT", Self.delivery, ["recipient": "a", "copies": []], key: "7").code == "lab.invalid")
    await lab.participants.close()
  }
}
