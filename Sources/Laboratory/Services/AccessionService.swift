import HTTP
import JSON
import Persistence
import Runtime
import Values

/// The registry that gives out accession numbers, under `/accession`. It is not the laboratory's own: a request is
/// answered at once, and the number comes later.
struct AccessionService: Sendable {
  let commandHandler: CommandHandler
  let gate: CommandGate
  /// The time that the registry takes for a number.
  let time: Duration

  var commands: [ServiceCommand] {
    [
      ServiceCommand(.accession, "request", "PUT /requests/{requestId}", "POST /requests") { try await request($0) }
    ]
  }

  func queryRoutes(in router: inout Router) {
    router.on("GET", "/accession/requests/{id}") { _, path in
      try await gate.query {
        let id = try CommandGate.id(path)
        let request = try await commandHandler.load(AccessionRequest.self, id).state
        guard request.content != nil else {
          throw LabRefusal.unknown("request for an accession number", id.description)
        }
        return request.json(at: commandHandler.environment.now())
      }
    }
  }

  private func request(_ received: ReceivedCommand) async throws -> Answer {
    var fields = try Fields(received.body)
    let barcode = fields.barcode()
    let sampleID = fields.optionalIdentifier("sampleId", longest: 100)
    let content = AccessionRequest.Content(
      id: try received.id("requestId"), barcode: try fields.checked(barcode).text, sampleID: sampleID,
      assignedAt: commandHandler.environment.now() + time)
    return try await commandHandler.perform(
      .request(content), received.call, on: content.id, as: AccessionRequest.self, status: 202
    ).answer
  }
}
