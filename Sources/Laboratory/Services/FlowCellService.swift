import HTTP
import JSON
import Runtime
import Values

/// The part of the sequencing service for flow cells that are consumables: its commands, and its query over HTTP, under
/// `/sequencing/flow-cells`. A flow cell is named by its barcode.
struct FlowCellService: Sendable {
  let commandHandler: CommandHandler
  let gate: CommandGate
  let layout: LaboratoryLayout

  var commands: [ServiceCommand] {
    let cell = "/flow-cells/{flowCell}"
    return [
      ServiceCommand(.sequencing, "receiveFlowCell", "PUT \(cell)") { try await receive($0) },
      ServiceCommand(.sequencing, "discardFlowCell", "DELETE \(cell)") { received in
        let id = FlowCell.id(of: try Self.barcode(received))
        return try await commandHandler.undo(.discard, received.call, on: id, as: FlowCell.self, creates: true)
      },
      ServiceCommand(.sequencing, "useFlowCell", "POST \(cell)/use", "PUT \(cell)/use") { received in
        try await commandHandler.perform(
          .use(at: commandHandler.environment.now()), received.call,
          on: FlowCell.id(of: try Self.barcode(received)), as: FlowCell.self, status: 200
        ).answer
      },
      ServiceCommand(
        .sequencing, "reserveLanes", "PUT \(cell)/reservations/{reservationId}", "POST \(cell)/reservations"
      ) {
        try await reserve($0)
      },
      ServiceCommand(.sequencing, "releaseLanes", "DELETE \(cell)/reservations/{reservationId}") {
        try await release($0)
      },
    ]
  }

  func queryRoutes(in router: inout Router) {
    router.on("GET", "/sequencing/flow-cells/{flowCell}") { _, path in
      try await gate.query {
        let barcode = try Self.barcode(path.value("flowCell"))
        let cell = try await commandHandler.load(FlowCell.self, FlowCell.id(of: barcode)).state
        guard cell.content != nil else { throw LabRefusal.unknown("flow cell", barcode) }
        return cell.json
      }
    }
  }

  private static let reservationID = "reservationId"

  private static func barcode(_ received: ReceivedCommand) throws(LabRefusal) -> String {
    try barcode(received.parameters["flowCell"] ?? "")
  }

  /// Returns the barcode of a flow cell in normalization form C.
  private static func barcode(_ text: String) throws(LabRefusal) -> String {
    guard let barcode = Barcode(text) else {
      throw .invalid([LabRefusal.Place(pointer: "/flowCell", message: Barcode.rule)])
    }
    return barcode.text
  }

  private func receive(_ received: ReceivedCommand) async throws -> Answer {
    let barcode = try Self.barcode(received)
    var fields = try Fields(received.body)
    let kinds = FlowCell.Kind.allCases.map(\.rawValue)
    let kind = fields.named("kind", kinds) { FlowCell.Kind(rawValue: $0) }
    let expiresOn = fields.lastDay("expiresOn")
    let content = FlowCell.Content(
      barcode: barcode, kind: try fields.checked(kind), expiresOn: try fields.checked(expiresOn).text)
    // The flow cells of the equipment have names, too.
    guard !layout.instruments.contains(where: { $0.flowCells.contains(barcode) }) else {
      throw LabRefusal.exists("flow cell")
    }
    return try await commandHandler.perform(
      .receive(content, at: commandHandler.environment.now()), received.call, on: FlowCell.id(of: barcode),
      as: FlowCell.self, status: 201
    ).answer
  }

  private func reserve(_ received: ReceivedCommand) async throws -> Answer {
    let barcode = try Self.barcode(received)
    let id = try received.id(Self.reservationID)
    var fields = try Fields(received.body)
    let poolID = fields.identifier("poolId", longest: 100)
    let wanted = fields.integer("lanes", from: 1, isRequired: true)
    let lanes = try fields.checked(wanted)
    let now = commandHandler.environment.now()
    return try await commandHandler.perform(received.call, on: FlowCell.id(of: barcode), as: FlowCell.self) {
      (cell) throws(LabRefusal) in
      try FlowCell.decide(.reserve(id: id, poolID: poolID, lanes: lanes, at: now), cell)
    } answer: {
      Answer(status: 201, body: $0.json(of: id))
    }.answer
  }

  private func release(_ received: ReceivedCommand) async throws -> Answer {
    let barcode = try Self.barcode(received)
    let id = try received.id(Self.reservationID)
    return try await commandHandler.undo(
      received.call, on: FlowCell.id(of: barcode), as: FlowCell.self, creates: false
    ) { (cell) throws(LabRefusal) in
      try FlowCell.decide(.release(id: id), cell)
    } answer: {
      Answer(status: 200, body: $0.json(of: id))
    }
  }
}
