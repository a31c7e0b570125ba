import HTTP
import JSON
import Persistence
import Runtime
import Values

/// The service that sorts the reads of a run by sample, copies the files and delivers them: its commands, and its queries
/// over HTTP, under `/pipeline`.
struct PipelineService: Sendable {
  let commandHandler: CommandHandler
  let gate: CommandGate
  /// How long a job takes.
  let jobTime: Duration

  var commands: [ServiceCommand] {
    [
      ServiceCommand(.pipeline, "startJob", "PUT /jobs/{jobId}", "POST /jobs") { try await startJob($0) },
      ServiceCommand(.pipeline, "deleteJob", "DELETE /jobs/{jobId}") { received in
        let id = try received.id(Self.jobID)
        return try await commandHandler.undo(.delete, received.call, on: id, as: DemultiplexJob.self, creates: true)
      },
      ServiceCommand(.pipeline, "reportJob", "POST /jobs/{jobId}/reports") { try await reportJob($0) },
      ServiceCommand(.pipeline, "copyFile", "PUT /copies/{copyId}", "POST /copies") { try await copyFile($0) },
      ServiceCommand(.pipeline, "deleteCopy", "DELETE /copies/{copyId}") { received in
        let id = try received.id(Self.copyID)
        return try await commandHandler.undo(.delete, received.call, on: id, as: FileCopy.self, creates: true)
      },
      ServiceCommand(.pipeline, "deliver", "PUT /deliveries/{deliveryId}", "POST /deliveries") {
        try await deliver($0)
      },
    ]
  }

  func queryRoutes(in router: inout Router) {
    router.on("GET", "/pipeline/jobs/{id}") { _, path in
      try await gate.query {
        let id = try CommandGate.id(path)
        let job = try await commandHandler.load(DemultiplexJob.self, id).state
        guard job.request != nil else { throw LabRefusal.unknown("job", id.description) }
        return job.json(at: commandHandler.environment.now(), time: jobTime)
      }
    }
    router.on("GET", "/pipeline/copies/{id}") { _, path in
      try await gate.query {
        let id = try CommandGate.id(path)
        let copy = try await commandHandler.load(FileCopy.self, id).state
        guard copy.content != nil else { throw LabRefusal.unknown("copy", id.description) }
        return copy.json
      }
    }
    router.on("GET", "/pipeline/deliveries/{id}") { _, path in
      try await gate.query {
        let id = try CommandGate.id(path)
        let delivery = try await commandHandler.load(Delivery.self, id).state
        guard delivery.content != nil else { throw LabRefusal.unknown("delivery", id.description) }
        return delivery.json
      }
    }
  }

  private static let jobID = "jobId"
  private static let copyID = "copyId"
  /// The most samples of a job, and the most copies of a delivery.
  private static let mostSamples = 1_000
  private static let mostCopies = 2_000

  // MARK: Jobs

  private func startJob(_ received: ReceivedCommand) async throws -> Answer {
    var fields = try Fields(received.body)
    let runID = fields.identifier("runId", longest: 100)
    let barcodes = fields.barcodes(atMost: Self.mostSamples)
    let earlierID = fields.has("addsTo") ? fields.id("addsTo") : nil
    let id = try received.id(Self.jobID)
    try fields.check()
    // The earlier job may be deleted since the first time.
    if let first = try await commandHandler.firstAnswer(to: received.call) { return first }
    let now = commandHandler.environment.now()
    var earlier: DemultiplexJob.Earlier?
    if let earlierID {
      earlier = try await commandHandler.load(DemultiplexJob.self, earlierID).state.earlier(at: now, time: jobTime)
    }
    let request = DemultiplexJob.Request(
      id: id, runID: runID, barcodes: barcodes, earlier: earlier, startedAt: now)
    return try await commandHandler.perform(
      .start(request), received.call, on: id, as: DemultiplexJob.self, status: 202
    ).answer
  }

  /// Records the number of reads of one sample, the end of the job (`isDone`), or the `error` with which it failed.
  private func reportJob(_ received: ReceivedCommand) async throws -> Answer {
    var fields = try Fields(received.body)
    let command: DemultiplexJob.Command
    if let error = fields.optionalText("error", longest: 500) {
      try fields.check()
      command = .fail(error: error)
    } else if fields.has("isDone") {
      let isDone = fields.read("isDone", "must be true") { $0.boolValue == true ? true : nil }
      _ = try fields.checked(isDone)
      command = .finish
    } else {
      let barcode = fields.barcode()
      let reads = fields.integer("reads", from: 0, isRequired: true)
      command = .report(barcode: try fields.checked(barcode).text, reads: try fields.checked(reads))
    }
    return try await commandHandler.perform(
      command, received.call, on: received.id(Self.jobID), as: DemultiplexJob.self, status: 201
    ).answer
  }

  // MARK: Files

  private func copyFile(_ received: ReceivedCommand) async throws -> Answer {
    var fields = try Fields(received.body)
    let job = fields.id("jobId")
    let file = fields.identifier("file", longest: 200)
    let folder = fields.identifier("folder", longest: 200)
    let jobID = try fields.checked(job)
    let id = try received.id(Self.copyID)
    // The job may be deleted since the first time.
    if let first = try await commandHandler.firstAnswer(to: received.call) { return first }
    let state = try await commandHandler.load(DemultiplexJob.self, jobID).state
    _ = try state.present()
    guard state.isDone(at: commandHandler.environment.now(), time: jobTime) else {
      throw LabRefusal(LabErrorCode.notDone, status: 409, "Job \(jobID) has no files: it is not done.")
    }
    guard state.files.contains(file) else { throw LabRefusal.unknown("file of the job", file) }
    let content = FileCopy.Content(id: id, jobID: jobID, file: file, folder: folder)
    return try await commandHandler.perform(
      .copy(content), received.call, on: id, as: FileCopy.self, status: 201
    ).answer
  }

  private func deliver(_ received: ReceivedCommand) async throws -> Answer {
    var fields = try Fields(received.body)
    let recipient = fields.identifier("recipient", longest: 320)
    let most = Self.mostCopies
    let ids = fields.read("copies", "must be a list of 1 to \(most) UUIDs", isRequired: true) { value in
      value.elements { $0.stringValue.flatMap { UniqueID($0) } }.flatMap { (1...most).contains($0.count) ? $0 : nil }
    }
    let copies = try fields.checked(ids)
    if let first = try await commandHandler.firstAnswer(to: received.call) { return first }
    for id in copies {
      let copy = try await commandHandler.load(FileCopy.self, id).state
      guard copy.status == .copied else {
        throw LabRefusal(
          LabErrorCode.notCopied, status: 409, "Copy \(id) can't be delivered: it is \(copy.status.rawValue).")
      }
    }
    let content = Delivery.Content(
      id: try received.id("deliveryId"), recipient: recipient, copies: copies,
      deliveredAt: commandHandler.environment.now())
    return try await commandHandler.perform(
      .deliver(content), received.call, on: content.id, as: Delivery.self, status: 201
    ).answer
  }
}
