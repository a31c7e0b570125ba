import JSON
import Values

/// A message to a person. A sent message can't be taken back, but it can be corrected.
///
/// ```
/// absent ── send ──▶ sent ── correct ──▶ corrected ↺ correct
///   └─ undone before ──▶ undoneBefore ✗ send
/// ```
struct Message: Aggregate {
  enum Status: String, Sendable, CaseIterable { case absent, undoneBefore, sent, corrected }

  struct Content: Sendable, Equatable {
    var id: UniqueID
    var recipient: String
    var subject: String
    var text: String?
    /// The sample that the message is about; nil when it is not about one sample.
    var sampleID: String?
  }

  var status = Status.absent
  var content: Content?
  var corrections: [String] = []

  static let absent = Message()
  static let name = "message"
}

extension Message {
  enum Command: Sendable {
    case send(Content)
    case correct(text: String)
  }

  static func decide(_ command: Command, _ message: Message) throws(LabRefusal) -> [MessageEvent] {
    switch command {
    case .send(let content):
      switch message.status {
      case .absent: return [.sent(content)]
      case .undoneBefore: throw .undoneBefore("Message \(content.id) was undone before it was sent.")
      case .sent, .corrected: throw .exists(name)
      }
    case .correct(let text):
      switch message.status {
      case .absent: throw .missing("message")
      case .undoneBefore: throw .gone("The message was undone before it was sent.")
      case .sent, .corrected: return [.corrected(text: text)]
      }
    }
  }

  static func evolve(_ message: Message, _ event: MessageEvent) -> Message {
    var message = message
    switch event {
    case .sent(let content):
      message.status = .sent
      message.content = content
    case .corrected(let text):
      message.status = .corrected
      message.corrections.append(text)
    case .undoneBefore: message.status = .undoneBefore
    case .undoNoted: break
    }
    return message
  }

  /// The form in which a message is shown.
  var json: JSON {
    guard let content else { return ["status": .string(status.rawValue)] }
    var json = content.json
    json["status"] = .string(status.rawValue)
    if !corrections.isEmpty { json["corrections"] = .array(corrections.map { .string($0) }) }
    return .object(json)
  }
}

extension Message.Content {
  var json: JSONObject {
    JSON.members(
      ("id", .text(id)), ("recipient", .string(recipient)), ("subject", .string(subject)), ("text", .text(text)),
      ("sampleId", .text(sampleID))
    ).objectValue ?? [:]
  }
}

/// An event of a message.
enum MessageEvent: CreatingEvent {
  case sent(Message.Content)
  case corrected(text: String)
  case undoneBefore
  /// An undo came before its command. The command is refused from now on.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .sent: "message.sent"
    case .corrected: "message.corrected"
    case .undoneBefore: "message.undoneBefore"
    case .undoNoted: "message.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .sent(let content): .object(content.json)
    case .corrected(let text): ["text": .string(text)]
    case .undoneBefore: [:]
    case .undoNoted(let command): ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    switch type {
    case "message.sent":
      self = .sent(
        Message.Content(
          id: try members.id("id"), recipient: try members.string("recipient"), subject: try members.string("subject"),
          text: members.optionalText("text"), sampleID: members.optionalText("sampleId")))
    case "message.corrected": self = .corrected(text: try members.string("text"))
    case "message.undoneBefore": self = .undoneBefore
    case "message.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] { [] }
  var releases: [LabClaim] { [] }
}
