import JSON
import Values

/// A lot of reagents for one stage. A reservation takes reactions of it. They come back while they are unopened.
///
/// ```
/// absent ── receive ──▶ received ── discard ──▶ discarded
/// reservation: absent ── reserve ──▶ reserved ── consume ──▶ consumed ── release ──▶ writtenOff
///                                       └────── release ──▶ released
/// ```
/// An expired lot is neither reserved nor consumed.
struct ReagentLot: Aggregate {
  enum Status: String, Sendable, CaseIterable { case absent, received, discarded }

  struct Content: Sendable, Equatable {
    /// The lot's number, as `LIG-7`.
    var lot: String
    var stage: PrepStage
    var expiresOn: LastDay
    /// How many libraries the lot is enough for.
    var reactions: Int
  }

  struct Reservation: Sendable, Equatable {
    enum Status: String, Sendable, CaseIterable { case reserved, consumed, released, writtenOff }
    var id: UniqueID
    var reactions: Int
    var status = Status.reserved
  }

  var status = Status.absent
  var content: Content?
  var reservations: [Reservation] = []

  static let absent = ReagentLot()
  static let name = "lot"
  /// The most reactions of a lot.
  static let most = 100_000

  /// Returns the id of a lot, derived from its number.
  static func id(of lot: String) -> UniqueID { .derived(from: "laboratory/lot/\(lot)") }
}

extension ReagentLot {
  enum Command: Sendable {
    case receive(Content)
    /// - at: the time of the command. An expired lot is refused.
    case reserve(id: UniqueID, stage: PrepStage, reactions: Int, at: Timestamp)
    case consume(id: UniqueID, at: Timestamp)
    case release(id: UniqueID)
    case discard
  }

  static func decide(_ command: Command, _ lot: ReagentLot) throws(LabRefusal) -> [LotEvent] {
    switch command {
    case .receive(let content):
      switch lot.status {
      case .absent: return [.received(content)]
      case .received: throw .exists(name)
      case .discarded: throw .gone("Lot \(content.lot) was discarded.")
      }
    case .reserve(let id, let stage, let reactions, let time):
      let content = try lot.present()
      if let known = lot.reservation(id) {
        guard known.status == .released || known.status == .writtenOff else { throw .exists("reservation") }
        throw .gone("Reservation \(id) is \(known.status.rawValue); a new one needs a new id.")
      }
      try lot.requireInUse()
      guard content.stage == stage else {
        throw wrongState("Lot \(content.lot) is for \(content.stage.rawValue), not for \(stage.rawValue).")
      }
      try requireUsable(content.lot, until: content.expiresOn, at: time)
      guard reactions <= lot.free else {
        throw LabRefusal(
          LabErrorCode.lotShort, status: 409,
          "Lot \(content.lot) has \(lot.free) free reactions, and \(reactions) are needed.")
      }
      return [.reserved(id: id, reactions: reactions)]
    case .consume(let id, let time):
      let content = try lot.present()
      switch try lot.known(id).status {
      case .reserved: break
      case .consumed: throw wrongState("The reactions of reservation \(id) are already consumed.")
      case .released, .writtenOff: throw .gone("Reservation \(id) is released.")
      }
      try lot.requireInUse()
      try requireUsable(content.lot, until: content.expiresOn, at: time)
      return [.consumed(id: id)]
    case .release(let id):
      _ = try lot.present()
      switch try lot.known(id).status {
      case .reserved: return [.released(id: id)]
      case .consumed: return [.writtenOff(id: id)]
      case .released, .writtenOff: throw .gone("Reservation \(id) is already released.")
      }
    case .discard:
      _ = try lot.present()
      try lot.requireInUse()
      return [.discarded]
    }
  }

  private static func wrongState(_ message: String) -> LabRefusal {
    LabRefusal(LabErrorCode.lotState, status: 409, message)
  }

  /// - Throws: a refusal when the last day of a lot or a tag plate has passed.
  static func requireUsable(_ lot: String, until day: LastDay, at time: Timestamp) throws(LabRefusal) {
    guard !day.hasPassed(at: time) else {
      throw LabRefusal(LabErrorCode.lotExpired, status: 422, "Lot \(lot) expired on \(day).")
    }
  }

  private func present() throws(LabRefusal) -> Content {
    guard let content else { throw .missing("lot") }
    return content
  }

  private func requireInUse() throws(LabRefusal) {
    guard status != .discarded else { throw .gone("The lot is discarded.") }
  }

  private func known(_ id: UniqueID) throws(LabRefusal) -> Reservation {
    guard let known = reservation(id) else { throw .unknown("reservation", id.description) }
    return known
  }

  func reservation(_ id: UniqueID) -> Reservation? { reservations.first { $0.id == id } }

  /// The reactions that no reservation holds. Those of an opened reservation do not come back.
  var free: Int {
    (content?.reactions ?? 0) - reservations.filter { $0.status != .released }.reduce(0) { $0 + $1.reactions }
  }

  /// Returns the reasons why the lot can't be used for a stage; empty when it can.
  func reasons(against stage: PrepStage, reactions: Int, at time: Timestamp) -> [String] {
    guard let content else { return ["the lot is unknown"] }
    var reasons: [String] = []
    if status == .discarded { reasons.append("it is discarded") }
    if content.stage != stage { reasons.append("it is for \(content.stage.rawValue), not for \(stage.rawValue)") }
    if content.expiresOn.hasPassed(at: time) { reasons.append("it expired on \(content.expiresOn)") }
    if reactions > free { reasons.append("it has \(free) free reactions, and \(reactions) are needed") }
    return reasons
  }

  static func evolve(_ lot: ReagentLot, _ event: LotEvent) -> ReagentLot {
    var lot = lot
    switch event {
    case .received(let content):
      lot.status = .received
      lot.content = content
    case .reserved(let id, let reactions): lot.reservations.append(Reservation(id: id, reactions: reactions))
    case .consumed(let id): lot.set(id, .consumed)
    case .released(let id): lot.set(id, .released)
    case .writtenOff(let id): lot.set(id, .writtenOff)
    case .discarded: lot.status = .discarded
    case .undoNoted: break
    }
    return lot
  }

  private mutating func set(_ id: UniqueID, _ status: Reservation.Status) {
    if let index = reservations.firstIndex(where: { $0.id == id }) { reservations[index].status = status }
  }

  /// The form in which a lot is shown.
  var json: JSON {
    guard let content else { return ["status": .string(status.rawValue)] }
    var json = content.json
    json["free"] = .int(free)
    json["status"] = .string(status.rawValue)
    return .object(json)
  }

  /// Returns the form in which a reservation is shown.
  func json(of id: UniqueID) -> JSON {
    guard let reservation = reservation(id) else { return [:] }
    return .members(
      ("id", .text(id)), ("lot", .text(content?.lot)), ("stage", .text(content?.stage.rawValue)),
      ("reactions", .int(reservation.reactions)), ("status", .string(reservation.status.rawValue)))
  }
}

extension ReagentLot.Content {
  fileprivate var json: JSONObject {
    [
      "lot": .string(lot), "stage": .string(stage.rawValue), "expiresOn": .string(expiresOn.text),
      "reactions": .int(reactions),
    ]
  }
}

/// An event of a lot.
enum LotEvent: LabEvent {
  case received(ReagentLot.Content)
  case reserved(id: UniqueID, reactions: Int)
  case consumed(id: UniqueID)
  case released(id: UniqueID)
  case writtenOff(id: UniqueID)
  case discarded
  /// An undo came before its command. The command is refused from now on.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .received: "lot.received"
    case .reserved: "lot.reserved"
    case .consumed: "lot.consumed"
    case .released: "lot.released"
    case .writtenOff: "lot.writtenOff"
    case .discarded: "lot.discarded"
    case .undoNoted: "lot.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .received(let content): .object(content.json)
    case .reserved(let id, let reactions): ["id": .string(id.description), "reactions": .int(reactions)]
    case .consumed(let id), .released(let id), .writtenOff(let id): ["id": .string(id.description)]
    case .discarded: [:]
    case .undoNoted(let command): ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    switch type {
    case "lot.received":
      self = .received(
        ReagentLot.Content(
          lot: try members.string("lot"), stage: try members.word("stage"),
          expiresOn: try members.lastDay("expiresOn"), reactions: try members.int("reactions")))
    case "lot.reserved": self = .reserved(id: try members.id("id"), reactions: try members.int("reactions"))
    case "lot.consumed": self = .consumed(id: try members.id("id"))
    case "lot.released": self = .released(id: try members.id("id"))
    case "lot.writtenOff": self = .writtenOff(id: try members.id("id"))
    case "lot.discarded": self = .discarded
    case "lot.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] { [] }
  var releases: [LabClaim] { [] }
}
