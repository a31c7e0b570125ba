import HTTP
import JSON
import Persistence
import Runtime
import Values

/// The sequencing service: its commands, and its queries over HTTP, under `/sequencing`.
struct SequencingService: Sendable {
  let commandHandler: CommandHandler
  let gate: CommandGate
  let queries: LabQueries
  let layout: LaboratoryLayout
  let places: FreePlaces<LaneName>
  /// How long a run takes, once it is started.
  let runTime: Duration

  var commands: [ServiceCommand] {
    let run = "/runs/{runId}"
    return [
      ServiceCommand(.sequencing, "schedule", "PUT \(run)", "POST /runs") { try await schedule($0) },
      ServiceCommand(.sequencing, "cancel", "DELETE \(run)", query: ["reason"]) {
        try await undo($0, creates: true, .cancel(reason: $0.parameters["reason"]))
      },
      ServiceCommand(.sequencing, "bookLane", "POST \(run)/lanes") { try await bookLane($0) },
      ServiceCommand(.sequencing, "releaseLane", "DELETE \(run)/lanes/{flowCell}/{lane}") { received in
        let text = "\(received.parameters["flowCell"] ?? "")/\(received.parameters["lane"] ?? "")"
        guard let lane = LaneName(text) else { throw LabRefusal.unknown("lane", text) }
        return try await undo(received, creates: false, .releaseLane(lane))
      },
      ServiceCommand(.sequencing, "load", "POST \(run)/load", "PUT \(run)/load") {
        try await perform($0, 200, .load)
      },
      ServiceCommand(.sequencing, "unload", "DELETE \(run)/load") { try await undo($0, creates: false, .unload) },
      ServiceCommand(.sequencing, "start", "POST \(run)/start", "PUT \(run)/start") {
        try await perform($0, 200, .start(at: commandHandler.environment.now()))
      },
      ServiceCommand(.sequencing, "complete", "POST \(run)/complete", "PUT \(run)/complete") {
        try await perform($0, 200, .complete)
      },
      ServiceCommand(.sequencing, "recordEvent", "POST \(run)/events") { received in
        var fields = try Fields(received.body)
        let kind = fields.text("kind", longest: 100)
        let text = fields.optionalText("text", longest: 2_000)
        try fields.check()
        return try await perform(received, 201, .record(kind: kind, text: text))
      },
      ServiceCommand(.sequencing, "takeKit", "PUT /kits/{kitId}", "POST /kits") { try await takeKit($0) },
      ServiceCommand(.sequencing, "returnKit", "DELETE /kits/{kitId}") {
        try await undoKit($0, creates: true, .giveBack)
      },
      ServiceCommand(.sequencing, "thawKit", "POST /kits/{kitId}/thaw", "PUT /kits/{kitId}/thaw") {
        try await performKit($0, 200, .thaw(at: commandHandler.environment.now()))
      },
      ServiceCommand(.sequencing, "writeOffKit", "DELETE /kits/{kitId}/thaw") {
        try await undoKit($0, creates: false, .writeOff)
      },
    ]
  }

  func queryRoutes(in router: inout Router) {
    router.on("GET", "/sequencing/runs/{id}") { _, path in
      try await gate.query {
        let id = try CommandGate.id(path)
        let run = try await commandHandler.load(Run.self, id).state
        guard run.request != nil else { throw LabRefusal.unknown("run", id.description) }
        return run.json
      }
    }
    router.on("GET", "/sequencing/runs/{id}/events") { _, path in
      try await gate.query {
        let id = try CommandGate.id(path)
        let history = try await commandHandler.history(Run.self, id)
        guard !history.isEmpty else { throw LabRefusal.unknown("run", id.description) }
        return try StoredHistory.json(history)
      }
    }
    router.on("GET", "/sequencing/runs/{id}/report") { _, path in
      try await gate.query {
        let id = try CommandGate.id(path)
        let run = try await commandHandler.load(Run.self, id).state
        guard run.request != nil else { throw LabRefusal.unknown("run", id.description) }
        return run.report(at: commandHandler.environment.now(), runTime: runTime)
      }
    }
    router.on("GET", "/sequencing/kits/{id}") { _, path in
      try await gate.query {
        let id = try CommandGate.id(path)
        let kit = try await commandHandler.load(ReagentKit.self, id).state
        guard kit.content != nil else { throw LabRefusal.unknown("kit", id.description) }
        return kit.json
      }
    }
    router.on("GET", "/sequencing/runs") { request, _ in
      try await gate.query {
        var wanted = LabQueries.Wanted(collection: .runs)
        for name in ["instrument", "status", "sampleId", "sagaId"] {
          wanted.fields[name] = request.query(name).map(VisibleText.normal)
        }
        wanted.from = try LabQueries.time("scheduledFrom", request)?.description
        wanted.below = try LabQueries.time("scheduledBefore", request)?.description
        return try await queries.list(wanted, request).json
      }
    }
    router.on("GET", "/sequencing/lanes") { request, _ in
      try await gate.query { try await freeLanes(request.query("instrument")) }
    }
  }

  private func schedule(_ received: ReceivedCommand) async throws -> Answer {
    var fields = try Fields(received.body)
    let poolID = fields.optionalIdentifier("poolId", longest: 100)
    let sampleID: String? =
      poolID == nil
      ? fields.identifier("sampleId", longest: 100) : fields.optionalIdentifier("sampleId", longest: 100)
    let barcode = fields.optionalIdentifier("barcode", longest: Barcode.longest)
    let assay = fields.optionalText("assay", longest: 100)
    let priority = fields.optionalText("priority", longest: 50)
    let id = try received.id(Self.id)
    let instruments = layout.instruments.map(\.name)
    // Without an instrument the id chooses one, so that a repeat gets the same instrument.
    var instrument = instruments.isEmpty ? "" : instruments[Int(id.low % UInt64(instruments.count))]
    if fields.has("instrument") {
      instrument = fields.named("instrument", instruments) { instruments.contains($0) ? $0 : nil } ?? ""
    }
    try fields.check()
    guard !instrument.isEmpty else {
      throw LabRefusal(LabErrorCode.runState, status: 409, "The laboratory has no sequencer.")
    }
    let request = Run.Request(
      id: id, sampleID: sampleID, poolID: poolID, barcode: barcode, instrument: instrument, priority: priority,
      assay: assay,
      scheduledAt: commandHandler.environment.now())
    return try await perform(received, 201, .schedule(request))
  }

  private func bookLane(_ received: ReceivedCommand) async throws -> Answer {
    var fields = try Fields(received.body)
    let flowCell = fields.optionalText("flowCell")
    let number = fields.has("lane") ? received.body?["lane"]?.intValue : nil
    if fields.has("lane"), number == nil { fields.refuse("lane", "must be a whole number") }
    if fields.has("lane"), flowCell == nil { fields.refuse("flowCell", "is required where a lane is named") }
    let cell = try await receivedCell(flowCell)
    if let cell, let number, !cell.has(lane: number) { fields.refuse("lane", "is not a lane of the flow cell") }
    let lanes = layout.instruments.flatMap(\.lanes)
    if cell == nil, let flowCell, !lanes.contains(where: { $0.flowCell == flowCell && number ?? $0.lane == $0.lane }) {
      fields.refuse("flowCell", "has no such lane, or the flow cell does not exist")
    }
    try fields.check()
    if let first = try await commandHandler.firstAnswer(to: received.call) { return first }
    if let cell { return try await bookReserved(received, cell, number) }
    if let flowCell, let number {
      return try await perform(received, 201, .bookLane(LaneName(flowCell: flowCell, lane: number)))
    }
    let id = try received.id(Self.id)
    let run = try await commandHandler.load(Run.self, id).state
    let cells =
      flowCell.map { [$0] } ?? layout.instruments.first { $0.name == run.request?.instrument }?.flowCells ?? []
    guard run.request != nil else { throw LabRefusal.unknown("run", id.description) }
    while let lane = await places.take(from: cells) {
      do {
        let (answer, repeated) = try await carryOut(received, 201, .bookLane(lane))
        await places.settle(lane, held: !repeated)
        return answer
      } catch let refusal as LabRefusal where refusal.code == LabErrorCode.laneTaken {
        await places.settle(lane, held: true)
      } catch {
        await places.settle(lane, held: false)
        throw error
      }
    }
    throw LabRefusal(
      LabErrorCode.lanesFull, status: 409, "No lane is free on \(cells.joined(separator: ", ")).")
  }

  /// Returns the flow cell with this barcode; nil for a flow cell of the equipment and an unknown one.
  private func receivedCell(_ barcode: String?) async throws -> FlowCell? {
    guard let barcode = barcode.flatMap({ Barcode($0) }) else { return nil }
    let cell = try await commandHandler.load(FlowCell.self, FlowCell.id(of: barcode.text)).state
    return cell.content == nil ? nil : cell
  }

  /// Books a lane that is reserved for the run's pool.
  /// - Parameter number: the lane; nil for any of them.
  private func bookReserved(_ received: ReceivedCommand, _ cell: FlowCell, _ number: Int?) async throws -> Answer {
    let id = try received.id(Self.id)
    let run = try await commandHandler.load(Run.self, id).state
    guard let request = run.request else { throw LabRefusal.unknown("run", id.description) }
    let reserved = try cell.lanes(
      reservedFor: request.poolID, number: number, at: commandHandler.environment.now())
    var refusal = Run.laneTaken(reserved[0])
    for lane in reserved {
      do {
        return try await perform(received, 201, .bookLane(lane))
      } catch let taken as LabRefusal where taken.code == LabErrorCode.laneTaken {
        refusal = taken
      }
    }
    throw refusal
  }

  private func perform(
    _ received: ReceivedCommand, _ status: Int, _ command: Run.Command
  ) async throws -> Answer { try await carryOut(received, status, command).answer }

  private func carryOut(
    _ received: ReceivedCommand, _ status: Int, _ command: Run.Command
  ) async throws -> (answer: Answer, repeated: Bool) {
    try await commandHandler.perform(command, received.call, on: received.id(Self.id), as: Run.self, status: status)
  }

  private func undo(
    _ received: ReceivedCommand, creates: Bool, _ command: Run.Command
  ) async throws -> Answer {
    try await commandHandler.undo(command, received.call, on: received.id(Self.id), as: Run.self, creates: creates)
  }

  private func takeKit(_ received: ReceivedCommand) async throws -> Answer {
    var fields = try Fields(received.body)
    let lot = fields.identifier("lot", longest: 100)
    let expiresOn = fields.lastDay("expiresOn")
    let content = ReagentKit.Content(
      id: try received.id(Self.kitID), lot: lot, expiresOn: try fields.checked(expiresOn).text)
    return try await performKit(received, 201, .take(content, at: commandHandler.environment.now()))
  }

  private func performKit(
    _ received: ReceivedCommand, _ status: Int, _ command: ReagentKit.Command
  ) async throws -> Answer {
    try await commandHandler.perform(
      command, received.call, on: received.id(Self.kitID), as: ReagentKit.self, status: status
    ).answer
  }

  private func undoKit(
    _ received: ReceivedCommand, creates: Bool, _ command: ReagentKit.Command
  ) async throws -> Answer {
    try await commandHandler.undo(
      command, received.call, on: received.id(Self.kitID), as: ReagentKit.self, creates: creates)
  }

  private static let id = "runId"
  private static let kitID = "kitId"

  private func freeLanes(_ instrument: String?) async throws -> JSON {
    var instruments: [JSON] = []
    for known in layout.instruments where instrument ?? known.name == known.name {
      var lanes: [JSON] = []
      for cell in known.flowCells { lanes += await places.free(in: cell).map { .string($0.description) } }
      instruments.append(["instrument": .string(known.name), "free": .int(lanes.count), "lanes": .array(lanes)])
    }
    if let instrument, instruments.isEmpty { throw LabRefusal.unknown("instrument", instrument) }
    return ["instruments": .array(instruments)]
  }
}
