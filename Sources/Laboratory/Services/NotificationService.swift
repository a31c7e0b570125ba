import HTTP
import JSON
import Persistence
import Runtime
import Values

/// The notification service: its commands, and its queries over HTTP, under `/notification`.
struct NotificationService: Sendable {
  let commandHandler: CommandHandler
  let gate: CommandGate
  let queries: LabQueries

  var commands: [ServiceCommand] {
    [
      ServiceCommand(.notification, "send", "PUT /messages/{messageId}", "POST /messages") { try await send($0) },
      ServiceCommand(.notification, "correct", "POST /messages/{messageId}/corrections") { received in
        var fields = try Fields(received.body)
        let text = fields.text("text", longest: 10_000)
        try fields.check()
        return try await perform(received, .correct(text: text))
      },
      // The undo of a message that may have been sent. A sent message can't be taken back. An undo that comes before its
      // message prevents the message.
      ServiceCommand(.notification, "correct", "DELETE /messages/{messageId}") { received in
        try await commandHandler.undo(
          .correct(text: "Please disregard this message."), received.call, on: received.id(Self.id), as: Message.self,
          creates: true)
      },
    ]
  }

  func queryRoutes(in router: inout Router) {
    router.on("GET", "/notification/messages/{id}") { _, path in
      try await gate.query {
        let id = try CommandGate.id(path)
        let message = try await commandHandler.load(Message.self, id).state
        guard message.content != nil else { throw LabRefusal.unknown("message", id.description) }
        return message.json
      }
    }
    router.on("GET", "/notification/messages/{id}/events") { _, path in
      try await gate.query {
        let id = try CommandGate.id(path)
        let history = try await commandHandler.history(Message.self, id)
        guard !history.isEmpty else { throw LabRefusal.unknown("message", id.description) }
        return try StoredHistory.json(history)
      }
    }
    router.on("GET", "/notification/messages") { request, _ in
      try await gate.query {
        var wanted = LabQueries.Wanted(collection: .messages)
        for name in ["recipient", "sagaId", "sampleId", "status"] {
          wanted.fields[name] = request.query(name).map(VisibleText.normal)
        }
        return try await queries.list(wanted, request).json
      }
    }
  }

  private func send(_ received: ReceivedCommand) async throws -> Answer {
    var fields = try Fields(received.body)
    let recipient = fields.identifier("recipient", longest: 320)
    let subject = fields.text("subject", longest: 500)
    let text = fields.optionalText("text", longest: 10_000)
    let sampleID = fields.optionalIdentifier("sampleId", longest: 100)
    try fields.check()
    let content = Message.Content(
      id: try received.id(Self.id), recipient: recipient, subject: subject, text: text, sampleID: sampleID)
    return try await perform(received, .send(content))
  }

  private func perform(_ received: ReceivedCommand, _ command: Message.Command) async throws -> Answer {
    try await commandHandler.perform(command, received.call, on: received.id(Self.id), as: Message.self, status: 201)
      .answer
  }
  private static let id = "messageId"
}
