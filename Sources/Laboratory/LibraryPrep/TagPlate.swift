import JSON
import Values

/// A plate with a pair of tags in each of its 96 wells. It is used once, and all at once.
///
/// ```
/// absent ── receive ──▶ received ◀── reserve, release ──▶ reserved ── consume ──▶ consumed ✗ reserve
///                          └──────────── discard ────────────┴──▶ discarded
/// ```
struct TagPlate: Aggregate {
  enum Status: String, Sendable, CaseIterable { case absent, received, reserved, consumed, discarded }

  struct Content: Sendable, Equatable {
    var barcode: String
    var kit: TagPair.Kit
    var expiresOn: LastDay
  }

  /// The use of the plate, which spends its tags.
  struct Use: Sendable, Equatable {
    var reservationID: UniqueID
    /// The plate of the PCR.
    var plateID: UniqueID
    var at: Timestamp
  }

  var status = Status.absent
  var content: Content?
  /// The reservation that holds the plate, or that has used it.
  var reservationID: UniqueID?
  /// The reservations that are released.
  var released: [UniqueID] = []
  var use: Use?

  static let absent = TagPlate()
  static let name = "tagPlate"

  /// Returns the id of a tag plate, derived from its barcode.
  static func id(of barcode: String) -> UniqueID { .derived(from: "laboratory/tagPlate/\(barcode)") }
}

extension TagPlate {
  enum Command: Sendable {
    case receive(Content)
    /// - at: the time of the command. An expired tag plate is refused.
    case reserve(id: UniqueID, at: Timestamp)
    case consume(Use)
    case release(id: UniqueID)
    case discard
  }

  static func decide(_ command: Command, _ plate: TagPlate) throws(LabRefusal) -> [TagPlateEvent] {
    switch command {
    case .receive(let content):
      guard plate.content == nil else { throw .exists("tag plate") }
      return [.received(content)]
    case .reserve(let id, let time):
      let content = try plate.present(id)
      switch plate.status {
      case .absent, .received: break
      case .reserved:
        if plate.reservationID == id { throw .exists("reservation") }
        throw LabRefusal(
          LabErrorCode.tagPlateTaken, status: 409, "Tag plate \(content.barcode) is reserved by another preparation.")
      case .consumed: throw spent(content)
      case .discarded: throw .gone("Tag plate \(content.barcode) is discarded.")
      }
      try ReagentLot.requireUsable(content.barcode, until: content.expiresOn, at: time)
      return [.reserved(id: id)]
    case .consume(let use):
      let content = try plate.held(by: use.reservationID)
      if plate.status == .consumed { throw spent(content) }
      try ReagentLot.requireUsable(content.barcode, until: content.expiresOn, at: use.at)
      return [.consumed(use)]
    case .release(let id):
      let content = try plate.held(by: id)
      if plate.status == .consumed { throw spent(content) }
      return [.released(id: id)]
    case .discard:
      guard let content = plate.content else { throw .missing("tag plate") }
      if plate.status == .consumed { throw spent(content) }
      if plate.status == .discarded { throw .gone("Tag plate \(content.barcode) is already discarded.") }
      return [.discarded]
    }
  }

  private static func spent(_ content: Content) -> LabRefusal {
    LabRefusal(
      LabErrorCode.tagsSpent, status: 409, "The tags of plate \(content.barcode) are spent; it is never used again.")
  }

  /// Returns the content, unless the reservation is released.
  private func present(_ id: UniqueID) throws(LabRefusal) -> Content {
    guard let content else { throw .missing("tag plate") }
    if released.contains(id) { throw .gone("Reservation \(id) is released; a new one needs a new id.") }
    return content
  }

  private func held(by id: UniqueID) throws(LabRefusal) -> Content {
    let content = try present(id)
    guard reservationID == id else { throw .unknown("reservation", id.description) }
    if status == .discarded { throw .gone("Tag plate \(content.barcode) is discarded.") }
    return content
  }

  static func evolve(_ plate: TagPlate, _ event: TagPlateEvent) -> TagPlate {
    var plate = plate
    switch event {
    case .received(let content):
      plate.status = .received
      plate.content = content
    case .reserved(let id):
      plate.status = .reserved
      plate.reservationID = id
    case .consumed(let use):
      plate.status = .consumed
      plate.use = use
    case .released(let id):
      plate.status = .received
      plate.reservationID = nil
      plate.released.append(id)
    case .discarded: plate.status = .discarded
    case .undoNoted: break
    }
    return plate
  }

  /// Returns the tags of a well, as `A07`; nil when it is not a well.
  func pair(of well: String) -> TagPair? {
    guard let content, let well = PositionName.well(named: well[...]) else { return nil }
    return TagPair(of: content.kit, well: well)
  }

  /// The form in which a tag plate is shown.
  var json: JSON {
    .members(
      ("tagPlate", .text(content?.barcode)), ("set", .text(content?.kit.rawValue)),
      ("expiresOn", .text(content?.expiresOn)), ("status", .string(status.rawValue)),
      ("reservationId", .text(reservationID)), ("plateId", .text(use?.plateID)), ("consumedAt", .text(use?.at)))
  }

  /// Returns the form in which a reservation is shown.
  func json(of id: UniqueID) -> JSON {
    .members(
      ("id", .text(id)), ("tagPlate", .text(content?.barcode)),
      ("status", .string(released.contains(id) ? "released" : status.rawValue)), ("plateId", .text(use?.plateID)))
  }
}

/// An event of a tag plate.
enum TagPlateEvent: LabEvent {
  case received(TagPlate.Content)
  case reserved(id: UniqueID)
  case consumed(TagPlate.Use)
  case released(id: UniqueID)
  case discarded
  /// An undo came before its command. The command is refused from now on.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .received: "tagPlate.received"
    case .reserved: "tagPlate.reserved"
    case .consumed: "tagPlate.consumed"
    case .released: "tagPlate.released"
    case .discarded: "tagPlate.discarded"
    case .undoNoted: "tagPlate.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .received(let content):
      [
        "barcode": .string(content.barcode), "set": .string(content.kit.rawValue),
        "expiresOn": .string(content.expiresOn.text),
      ]
    case .consumed(let use):
      [
        "id": .string(use.reservationID.description), "plateId": .string(use.plateID.description),
        "at": .string(use.at.description),
      ]
    case .reserved(let id), .released(let id): ["id": .string(id.description)]
    case .discarded: [:]
    case .undoNoted(let command): ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    switch type {
    case "tagPlate.received":
      self = .received(
        TagPlate.Content(
          barcode: try members.string("barcode"), kit: try members.word("set"),
          expiresOn: try members.lastDay("expiresOn")))
    case "tagPlate.reserved": self = .reserved(id: try members.id("id"))
    case "tagPlate.consumed":
      self = .consumed(
        TagPlate.Use(
          reservationID: try members.id("id"), plateID: try members.id("plateId"), at: try members.timestamp("at")))
    case "tagPlate.released": self = .released(id: try members.id("id"))
    case "tagPlate.discarded": self = .discarded
    case "tagPlate.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] { [] }
  var releases: [LabClaim] { [] }
}
