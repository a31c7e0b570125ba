import JSON
import Values

/// A sequencing run of a sample, or of a pool of libraries.
///
/// ```
/// absent ── schedule ──▶ scheduled ── load ──▶ loaded ── start ──▶ running ── complete ──▶ completed
///   │                     │  ↺ book lane  ◀─ unload ─┘ │                ↺ record event
///   │ undone before       └── cancel ──▶ cancelled ◀──┘
///   ▼
/// undoneBefore ✗ schedule
/// ```
/// A running run can't be cancelled, because its reagents are spent; it can only be completed.
struct Run: Aggregate {
  enum Status: String, Sendable, CaseIterable {
    case absent, undoneBefore, scheduled, loaded, running, completed, cancelled
  }

  /// The sample and settings of a requested run.
  struct Request: Sendable, Equatable {
    var id: UniqueID
    /// The sample; nil for the run of a pool.
    var sampleID: String?
    var poolID: String?
    var barcode: String?
    var instrument: String
    var priority: String?
    /// The assay in the sender's words: `wgs`, `rna-seq`, ….
    var assay: String?
    var scheduledAt: Timestamp
  }

  var status = Status.absent
  var request: Request?
  var lanes: [LaneName] = []
  /// The number of recorded events of the instrument.
  var recorded = 0
  /// Nil before the start, and of a run that an older version started.
  var startedAt: Timestamp?
  /// What the instrument said when it failed.
  var failure: String?
  /// The part of bases with a quality of at least 30, in percent, when someone has measured it.
  var q30: Double?

  static let absent = Run()
  static let name = "run"
}

extension Run {
  enum Command: Sendable {
    case schedule(Request)
    /// - lane: a lane that seems free. Its claim decides whether it is free.
    case bookLane(LaneName)
    case releaseLane(LaneName)
    case load
    case unload
    case start(at: Timestamp)
    case record(kind: String, text: String?)
    case complete
    case cancel(reason: String?)
  }

  static func decide(_ command: Command, _ run: Run) throws(LabRefusal) -> [RunEvent] {
    switch command {
    case .schedule(let request):
      return try decideSchedule(request, run)
    case .bookLane(let lane):
      try run.mustBe(.scheduled, to: "book a lane")
      guard !run.lanes.contains(lane) else { throw laneTaken(lane) }
      return [.laneBooked(lane)]
    case .releaseLane(let lane):
      _ = try run.present()
      guard run.lanes.contains(lane) else { throw .gone("Lane \(lane) isn't booked for this run.") }
      try run.mustBe(.scheduled, to: "release a lane")
      return [.laneReleased(lane)]
    case .load:
      try run.mustBe(.scheduled, to: "load")
      guard !run.lanes.isEmpty else { throw wrongState("The run has no lane booked; book one before loading.") }
      return [.loaded]
    case .unload:
      _ = try run.present()
      guard run.status == .loaded else {
        if run.status == .scheduled { throw .gone("Nothing is loaded.") }
        throw wrongState("The run is \(run.status.rawValue); only a loaded one is unloaded.")
      }
      return [.unloaded]
    case .start(let time):
      try run.mustBe(.loaded, to: "start")
      return [.started(at: time)]
    case .record(let kind, let text):
      try run.mustBe(.running, to: "record an event")
      return [.recorded(kind: kind, text: text)]
    case .complete:
      try run.mustBe(.running, to: "complete")
      return [.completed]
    case .cancel(let reason):
      _ = try run.present()
      guard run.status == .scheduled || run.status == .loaded else {
        throw wrongState("The run is \(run.status.rawValue); it can't be cancelled any more.")
      }
      return [.cancelled(reason: reason, lanes: run.lanes)]
    }
  }

  private static func decideSchedule(_ request: Request, _ run: Run) throws(LabRefusal) -> [RunEvent] {
    switch run.status {
    case .absent: return [.scheduled(request)]
    case .undoneBefore: throw .undoneBefore("Run \(request.id) was undone before it was scheduled.")
    case .scheduled, .loaded, .running, .completed: throw .exists(name)
    case .cancelled: throw .gone("Run \(request.id) was cancelled; a new one needs a new id.")
    }
  }

  static func laneTaken(_ lane: LaneName) -> LabRefusal {
    LabRefusal(LabErrorCode.laneTaken, status: 409, "Lane \(lane) is already booked.")
  }

  private static func wrongState(_ message: String) -> LabRefusal {
    LabRefusal(LabErrorCode.runState, status: 409, message)
  }

  private func present() throws(LabRefusal) -> Request {
    guard let request else {
      if status == .undoneBefore { throw .gone("The run was undone before it was scheduled.") }
      throw .missing("run")
    }
    guard status != .cancelled else { throw .gone("Run \(request.id) is cancelled.") }
    return request
  }

  private func mustBe(_ wanted: Status, to act: String) throws(LabRefusal) {
    _ = try present()
    guard status == wanted else {
      throw Self.wrongState("The run is \(status.rawValue); to \(act) it must be \(wanted.rawValue).")
    }
  }

  static func evolve(_ run: Run, _ event: RunEvent) -> Run {
    var run = run
    switch event {
    case .scheduled(let request):
      run.status = .scheduled
      run.request = request
    case .undoneBefore: run.status = .undoneBefore
    case .laneBooked(let lane): run.lanes.append(lane)
    case .laneReleased(let lane): run.lanes.removeAll { $0 == lane }
    case .loaded: run.status = .loaded
    case .unloaded: run.status = .scheduled
    case .started(let time):
      run.status = .running
      run.startedAt = time
    case .recorded(let kind, let text):
      run.recorded += 1
      if kind == Run.failedKind { run.failure = text ?? kind }
      if kind == Run.q30Kind { run.q30 = text.flatMap { Double($0) } }
    case .completed: run.status = .completed
    case .cancelled:
      run.status = .cancelled
      run.lanes = []
    case .undoNoted: break
    }
    return run
  }

  /// The form in which a run is shown.
  var json: JSON {
    guard let request else { return ["status": .string(status.rawValue)] }
    var json = request.json
    json["status"] = .string(status.rawValue)
    json["lanes"] = .array(lanes.map { .string($0.description) })
    json["recordedEvents"] = .int(recorded)
    return .object(json)
  }
}

extension Run {
  /// The kinds of recorded events that the report shows: the instrument failed, and the quality that was measured.
  static let failedKind = "failed"
  static let q30Kind = "q30"
  private static let cycles = 300
  /// The quality of a run for which none was measured, in percent.
  private static let usualQ30 = 92.0

  /// Returns what the instrument reports of the run.
  /// - Parameters:
  ///   - now: decides how far the run is.
  ///   - time: how long a run takes.
  func report(at now: Timestamp, runTime time: Duration) -> JSON {
    let part = startedAt.map { time == .zero ? 1 : max(0, min(1, (now - $0) / time)) } ?? 1
    let state: String
    switch status {
    case .absent, .undoneBefore, .scheduled, .loaded: state = "waiting"
    case .running: state = failure != nil ? "failed" : part < 1 ? "running" : "done"
    case .completed: state = "done"
    case .cancelled: state = "cancelled"
    }
    let isOver = state == "done"
    let cycle = isOver ? Self.cycles : startedAt == nil ? 0 : Int(part * Double(Self.cycles))
    return .members(
      ("state", .string(state)), ("cycles", .int(Self.cycles)), ("cycle", .int(cycle)),
      ("error", .text(state == "failed" ? failure : nil)),
      ("q30", isOver ? .number(JSONNumber(q30 ?? Self.usualQ30)) : nil))
  }
}

extension Run.Request {
  var json: JSONObject {
    JSON.members(
      ("id", .text(id)), ("sampleId", .text(sampleID)), ("poolId", .text(poolID)), ("barcode", .text(barcode)),
      ("instrument", .text(instrument)),
      ("priority", .text(priority)), ("assay", .text(assay)), ("scheduledAt", .text(scheduledAt))
    ).objectValue ?? [:]
  }
}
