import JSON
import Values

/// A delivery of copied files to a customer. The customer may have read the files, so a delivery can't be taken back.
///
/// ```
/// absent ── deliver ──▶ delivered
/// ```
struct Delivery: Aggregate {
  struct Content: Sendable, Equatable {
    var id: UniqueID
    var recipient: String
    /// The copies that the customer gets.
    var copies: [UniqueID]
    var deliveredAt: Timestamp
  }

  var content: Content?

  static let absent = Delivery()
  static let name = "delivery"

  enum Command: Sendable { case deliver(Content) }

  static func decide(_ command: Command, _ delivery: Delivery) throws(LabRefusal) -> [DeliveryEvent] {
    switch command {
    case .deliver(let content):
      guard delivery.content == nil else { throw .exists(name) }
      return [.delivered(content)]
    }
  }

  static func evolve(_ delivery: Delivery, _ event: DeliveryEvent) -> Delivery {
    var delivery = delivery
    if case .delivered(let content) = event { delivery.content = content }
    return delivery
  }

  /// The form in which a delivery is shown.
  var json: JSON {
    guard let content else { return ["status": "absent"] }
    var json = content.json
    json["status"] = "delivered"
    return .object(json)
  }
}

extension Delivery.Content {
  fileprivate var json: JSONObject {
    JSON.members(
      ("id", .text(id)), ("recipient", .string(recipient)),
      ("copies", .array(copies.map { .string($0.description) })), ("deliveredAt", .text(deliveredAt))
    ).objectValue ?? [:]
  }
}

/// An event of a delivery.
enum DeliveryEvent: LabEvent {
  case delivered(Delivery.Content)
  /// An undo came for a delivery. It is noted; a delivery can't be taken back.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .delivered: "delivery.delivered"
    case .undoNoted: "delivery.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .delivered(let content): .object(content.json)
    case .undoNoted(let command): ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    switch type {
    case "delivery.delivered":
      self = .delivered(
        Delivery.Content(
          id: try members.id("id"), recipient: try members.string("recipient"),
          copies: try members.required("copies", "a list of ids") { ids in
            ids.elements { $0.stringValue.flatMap { UniqueID($0) } }
          }, deliveredAt: try members.timestamp("deliveredAt")))
    case "delivery.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] { [] }
  var releases: [LabClaim] { [] }
}
