import JSON
import Values

/// A request to an outside registry for an accession number. The registry takes its time, and a number that it has given
/// out can't be taken back.
///
/// ```
/// absent ── request ──▶ requested ── time passes ──▶ assigned
/// ```
struct AccessionRequest: Aggregate {
  struct Content: Sendable, Equatable {
    var id: UniqueID
    var barcode: String
    var sampleID: String?
    /// The number that the registry gives out.
    var number: String
    /// When the registry gives it out.
    var assignedAt: Timestamp

    /// - Parameter id: decides the number, so that a repeat of the request gets the same one.
    init(id: UniqueID, barcode: String, sampleID: String?, assignedAt: Timestamp) {
      self.init(
        id: id, barcode: barcode, sampleID: sampleID,
        number: "ACC-" + Digest.hex(Array(id.description.utf8)).prefix(12).uppercased(), assignedAt: assignedAt)
    }

    fileprivate init(id: UniqueID, barcode: String, sampleID: String?, number: String, assignedAt: Timestamp) {
      self.id = id
      self.barcode = barcode
      self.sampleID = sampleID
      self.number = number
      self.assignedAt = assignedAt
    }
  }

  var content: Content?

  static let absent = AccessionRequest()
  static let name = "accession"

  enum Command: Sendable {
    case request(Content)
  }

  static func decide(_ command: Command, _ request: AccessionRequest) throws(LabRefusal) -> [AccessionEvent] {
    switch command {
    case .request(let content):
      guard request.content == nil else { throw .exists("request for an accession number") }
      return [.requested(content)]
    }
  }

  static func evolve(_ request: AccessionRequest, _ event: AccessionEvent) -> AccessionRequest {
    var request = request
    if case .requested(let content) = event { request.content = content }
    return request
  }

  /// The form in which a request is shown while its number is not given out.
  var json: JSON {
    content.map { .object($0.json) } ?? [:]
  }

  /// The form in which a request is shown.
  /// - Parameter now: decides whether the registry has given out the number.
  func json(at now: Timestamp) -> JSON {
    guard let content else { return [:] }
    var json = content.json
    if content.assignedAt <= now {
      json["status"] = "assigned"
      json["number"] = .string(content.number)
    }
    return .object(json)
  }
}

extension AccessionRequest.Content {
  fileprivate var json: JSONObject {
    JSON.members(
      ("id", .text(id)), ("barcode", .string(barcode)), ("sampleId", .text(sampleID)), ("status", "requested")
    ).objectValue ?? [:]
  }
}

/// An event of a request for an accession number.
enum AccessionEvent: LabEvent {
  case requested(AccessionRequest.Content)
  /// An undo came for a request. It is noted; a number can't be taken back.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .requested: "accession.requested"
    case .undoNoted: "accession.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .requested(let content):
      .members(
        ("id", .text(content.id)), ("barcode", .string(content.barcode)), ("sampleId", .text(content.sampleID)),
        ("number", .string(content.number)), ("assignedAt", .text(content.assignedAt)))
    case .undoNoted(let command): ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    switch type {
    case "accession.requested":
      guard let assignedAt = members.optionalTime("assignedAt") else {
        throw UnreadableEvent(type: type, missing: "assignedAt")
      }
      self = .requested(
        AccessionRequest.Content(
          id: try members.id("id"), barcode: try members.string("barcode"), sampleID: members.optionalText("sampleId"),
          number: try members.string("number"), assignedAt: assignedAt))
    case "accession.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] {
    switch self {
    case .requested(let content): [LabClaim(.accessionNumber, content.number)]
    case .undoNoted: []
    }
  }

  var releases: [LabClaim] { [] }
}
