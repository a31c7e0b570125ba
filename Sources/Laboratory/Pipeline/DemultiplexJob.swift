import JSON
import Values

/// A job that sorts the reads of a run by sample, and writes two files for each sample.
///
/// ```
/// absent ── start ──▶ running ── time passes ──▶ done ── delete ──▶ deleted
///   │                  │ ↺ report reads, finish   ▲                   ▲
///   │ undone before    └── fail ──▶ failed ───────┴─── delete ────────┘
///   ▼
/// undoneBefore ✗ start
/// ```
struct DemultiplexJob: Aggregate {
  enum Status: String, Sendable, CaseIterable { case absent, undoneBefore, running, failed, deleted }

  struct Request: Sendable, Equatable {
    var id: UniqueID
    /// The sequencing run.
    var runID: String
    /// The barcodes of the samples that the run has sequenced, each once.
    var barcodes: [String]
    /// The job to whose reads this one adds; nil for a job of its own.
    var earlier: Earlier?
    var startedAt: Timestamp

    /// The samples of the run and of the earlier job, each once.
    var samples: [String] {
      let before = earlier?.reads.map(\.barcode) ?? []
      return before + barcodes.filter { !before.contains($0) }
    }
  }

  /// The reads of an earlier job, by sample.
  struct Earlier: Sendable, Equatable {
    struct Reads: Sendable, Equatable {
      var barcode: String
      var reads: Int
    }

    var jobID: UniqueID
    var reads: [Reads]
  }

  var status = Status.absent
  var request: Request?
  /// The numbers of reads that were reported, by barcode. The other samples have the usual number.
  var reads: [String: Int] = [:]
  /// Whether the end of the job was reported, before its time has passed.
  var isFinished = false
  /// Why the job failed.
  var error: String?

  static let absent = DemultiplexJob()
  static let name = "job"
  /// The number of reads of a sample for which none was reported.
  private static let usualReads = 250_000
}

extension DemultiplexJob {
  enum Command: Sendable {
    case start(Request)
    case report(barcode: String, reads: Int)
    case finish
    case fail(error: String)
    case delete
  }

  static func decide(_ command: Command, _ job: DemultiplexJob) throws(LabRefusal) -> [JobEvent] {
    switch command {
    case .start(let request):
      switch job.status {
      case .absent: return [.started(request)]
      case .undoneBefore: throw .undoneBefore("Job \(request.id) was undone before it was started.")
      case .running, .failed: throw .exists(name)
      case .deleted: throw .gone("Job \(request.id) was deleted; a new one needs a new id.")
      }
    case .report(let barcode, let reads):
      let request = try job.running()
      guard request.barcodes.contains(barcode) else { throw .unknown("sample of the job", barcode) }
      return [.readsReported(barcode: barcode, reads: reads)]
    case .finish:
      _ = try job.running()
      return [.finished]
    case .fail(let error):
      _ = try job.running()
      return [.failed(error: error)]
    case .delete:
      _ = try job.present()
      return [.deleted]
    }
  }

  /// Returns the request of a job whose files exist or will exist.
  func present() throws(LabRefusal) -> Request {
    switch status {
    case .undoneBefore: throw .gone("The job was undone before it was started.")
    case .deleted: throw .gone("The job is deleted.")
    case .absent, .running, .failed: break
    }
    guard let request else { throw .missing("job") }
    return request
  }

  private func running() throws(LabRefusal) -> Request {
    let request = try present()
    guard status == .running else {
      throw LabRefusal(LabErrorCode.jobState, status: 409, "The job is \(status.rawValue).")
    }
    return request
  }

  static func evolve(_ job: DemultiplexJob, _ event: JobEvent) -> DemultiplexJob {
    var job = job
    switch event {
    case .started(let request):
      job.status = .running
      job.request = request
    case .undoneBefore: job.status = .undoneBefore
    case .readsReported(let barcode, let reads): job.reads[barcode] = reads
    case .finished: job.isFinished = true
    case .failed(let error):
      job.status = .failed
      job.error = error
    case .deleted: job.status = .deleted
    case .undoNoted: break
    }
    return job
  }

  /// The form in which a job is shown before its files are there.
  var json: JSON {
    guard let request else { return ["status": .string(status.rawValue)] }
    return .members(
      ("id", .text(request.id)), ("runId", .string(request.runID)), ("addsTo", .text(request.earlier?.jobID)),
      ("startedAt", .text(request.startedAt)),
      ("status", .string(status.rawValue)), ("error", .text(error)))
  }
}

extension DemultiplexJob {
  /// Returns whether the files are there.
  /// - Parameter time: how long a job takes.
  func isDone(at now: Timestamp, time: Duration) -> Bool {
    guard status == .running, let request else { return false }
    return isFinished || request.startedAt + time <= now
  }

  /// Returns the form in which a job is shown.
  func json(at now: Timestamp, time: Duration) -> JSON {
    guard isDone(at: now, time: time), let request, case .object(var json) = self.json else { return self.json }
    json["status"] = "done"
    json["samples"] = .array(
      totals(of: request).map { sample in
        [
          "barcode": .string(sample.barcode), "reads": .int(sample.reads),
          "files": .array(
            Self.files(of: sample.barcode).map { ["name": .string($0), "barcode": .string(sample.barcode)] }),
        ]
      })
    return .object(json)
  }

  /// Returns the reads of each sample: those of the run, and those of the earlier job.
  private func totals(of request: Request) -> [Earlier.Reads] {
    let earlier = Dictionary(
      (request.earlier?.reads ?? []).map { ($0.barcode, $0.reads) }, uniquingKeysWith: { first, _ in first })
    let sequenced = Set(request.barcodes)
    return request.samples.map { barcode in
      let new = sequenced.contains(barcode) ? reads[barcode] ?? Self.usualReads : 0
      return Earlier.Reads(barcode: barcode, reads: (earlier[barcode] ?? 0) + new)
    }
  }

  /// Returns the job as a later one adds to it.
  /// - Throws: a refusal when its reads are not there.
  func earlier(at now: Timestamp, time: Duration) throws(LabRefusal) -> Earlier {
    let request = try present()
    guard isDone(at: now, time: time) else {
      throw LabRefusal(LabErrorCode.notDone, status: 409, "Job \(request.id) has no reads to add to: it is not done.")
    }
    return Earlier(jobID: request.id, reads: totals(of: request))
  }

  /// The names of all files of the job.
  var files: [String] { request?.samples.flatMap(Self.files(of:)) ?? [] }

  /// Returns the names of the files of a sample: the reads from either end.
  private static func files(of barcode: String) -> [String] { ["R1", "R2"].map { "\(barcode)_\($0).fastq.gz" } }
}

extension DemultiplexJob.Earlier {
  fileprivate var json: JSON {
    [
      "jobId": .string(jobID.description),
      "reads": .array(reads.map { ["barcode": .string($0.barcode), "reads": .int($0.reads)] }),
    ]
  }

  fileprivate init?(_ json: JSON) {
    let reads = json["reads"]?.elements { sample -> Reads? in
      guard let barcode = sample["barcode"]?.stringValue, let reads = sample["reads"]?.intValue else { return nil }
      return Reads(barcode: barcode, reads: reads)
    }
    guard let jobID = json["jobId"]?.stringValue.flatMap({ UniqueID($0) }), let reads else { return nil }
    self.init(jobID: jobID, reads: reads)
  }
}

/// An event of a job.
enum JobEvent: CreatingEvent {
  case started(DemultiplexJob.Request)
  case undoneBefore
  case readsReported(barcode: String, reads: Int)
  case finished
  case failed(error: String)
  case deleted
  /// An undo came before its command. The command is refused from now on.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .started: "job.started"
    case .undoneBefore: "job.undoneBefore"
    case .readsReported: "job.readsReported"
    case .finished: "job.finished"
    case .failed: "job.failed"
    case .deleted: "job.deleted"
    case .undoNoted: "job.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .started(let request):
      .members(
        ("id", .text(request.id)), ("runId", .string(request.runID)),
        ("barcodes", .array(request.barcodes.map { .string($0) })), ("earlier", request.earlier?.json),
        ("startedAt", .text(request.startedAt)))
    case .undoneBefore, .finished, .deleted: [:]
    case .readsReported(let barcode, let reads): ["barcode": .string(barcode), "reads": .int(reads)]
    case .failed(let error): ["error": .string(error)]
    case .undoNoted(let command): ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    switch type {
    case "job.started":
      self = .started(
        DemultiplexJob.Request(
          id: try members.id("id"), runID: try members.string("runId"), barcodes: try members.strings("barcodes"),
          earlier: try members.optional("earlier", "an earlier job") { DemultiplexJob.Earlier($0) },
          startedAt: try members.timestamp("startedAt")))
    case "job.undoneBefore": self = .undoneBefore
    case "job.readsReported":
      self = .readsReported(barcode: try members.string("barcode"), reads: try members.int("reads"))
    case "job.finished": self = .finished
    case "job.failed": self = .failed(error: try members.string("error"))
    case "job.deleted": self = .deleted
    case "job.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] { [] }
  var releases: [LabClaim] { [] }
}
