import JSON
import Values

/// A flow cell as a consumable: it has the lanes of its kind, a last day, and is used once. Pools reserve its lanes.
///
/// ```
/// absent ── receive ──▶ received ── use ──▶ used
///   │                    │ ↺ reserve, release lanes
///   │ undone before      └── discard ──▶ discarded
///   ▼
/// undoneBefore ✗ receive
/// ```
struct FlowCell: Aggregate {
  enum Status: String, Sendable, CaseIterable { case absent, undoneBefore, received, used, discarded }

  enum Kind: String, Sendable, CaseIterable {
    case sp = "SP"
    case s1 = "S1"
    case s2 = "S2"
    case s4 = "S4"

    /// The number of lanes.
    var lanes: Int {
      switch self {
      case .sp, .s1, .s2: 2
      case .s4: 4
      }
    }
  }

  struct Content: Sendable, Equatable {
    var barcode: String
    var kind: Kind
    /// The last day on which it may be used, as `2026-12-31`.
    var expiresOn: String
  }

  struct Reservation: Sendable, Equatable {
    var id: UniqueID
    var poolID: String
    var lanes: [LaneName]
    var isReleased = false
  }

  var status = Status.absent
  var content: Content?
  var reservations: [Reservation] = []

  static let absent = FlowCell()
  static let name = "flowCell"

  /// Returns the id of a flow cell, derived from its barcode.
  static func id(of barcode: String) -> UniqueID { .derived(from: "laboratory/flowCell/\(barcode)") }
}

extension FlowCell {
  enum Command: Sendable {
    /// - at: the time of the command. An expired flow cell isn't received.
    case receive(Content, at: Timestamp)
    case discard
    /// - lanes: how many lanes; the laboratory chooses which.
    case reserve(id: UniqueID, poolID: String, lanes: Int, at: Timestamp)
    case release(id: UniqueID)
    case use(at: Timestamp)
  }

  static func decide(_ command: Command, _ cell: FlowCell) throws(LabRefusal) -> [FlowCellEvent] {
    switch command {
    case .receive(let content, let time):
      switch cell.status {
      case .absent: break
      case .undoneBefore: throw .undoneBefore("Flow cell \(content.barcode) was undone before it was received.")
      case .received, .used: throw .exists("flow cell")
      case .discarded: throw .gone("Flow cell \(content.barcode) was discarded; its barcode is not used again.")
      }
      try content.requireUsable(at: time)
      return [.received(content)]
    case .discard:
      let content = try cell.present()
      guard cell.status == .received, cell.held.isEmpty else {
        throw LabRefusal(
          LabErrorCode.flowCellState, status: 409,
          "Flow cell \(content.barcode) is \(cell.status.rawValue), and \(cell.held.count) of its lanes are reserved; it can't be discarded."
        )
      }
      return [.discarded]
    case .reserve(let id, let poolID, let count, let time):
      let content = try cell.usable(at: time)
      if let known = cell.reservations.first(where: { $0.id == id }) {
        if known.isReleased { throw .gone("Reservation \(id) was released; a new one needs a new id.") }
        throw .exists("reservation")
      }
      let free = cell.freeLanes
      guard count <= free.count else {
        throw LabRefusal(
          LabErrorCode.lanesFull, status: 409,
          "Flow cell \(content.barcode) has \(free.count) free lanes of \(content.kind.lanes), and \(count) are wanted."
        )
      }
      return [.lanesReserved(Reservation(id: id, poolID: poolID, lanes: Array(free.prefix(count))))]
    case .release(let id):
      _ = try cell.present()
      guard let known = cell.reservations.first(where: { $0.id == id }) else {
        throw .unknown("reservation", id.description)
      }
      guard !known.isReleased else { throw .gone("Reservation \(id) is already released.") }
      return [.lanesReleased(id: id, lanes: known.lanes)]
    case .use(let time):
      _ = try cell.usable(at: time)
      return [.used]
    }
  }

  private func present() throws(LabRefusal) -> Content {
    switch status {
    case .undoneBefore: throw .gone("The flow cell was undone before it was received.")
    case .discarded: throw .gone("The flow cell is discarded.")
    case .absent, .received, .used: break
    }
    guard let content else { throw .missing("flow cell") }
    return content
  }

  private func usable(at time: Timestamp) throws(LabRefusal) -> Content {
    let content = try present()
    guard status == .received else {
      throw LabRefusal(
        LabErrorCode.flowCellUsed, status: 409, "Flow cell \(content.barcode) was used; it is used once.")
    }
    try content.requireUsable(at: time)
    return content
  }

  func has(lane number: Int) -> Bool { content.map { (1...$0.kind.lanes).contains(number) } ?? false }

  /// Returns the lanes that are reserved for a pool; at least one.
  /// - Parameter number: the wanted lane; nil for any.
  /// - Throws: a refusal when there are none, or when the flow cell is expired or used.
  func lanes(reservedFor poolID: String?, number: Int?, at time: Timestamp) throws(LabRefusal) -> [LaneName] {
    let content = try usable(at: time)
    let lanes = reservations.filter { !$0.isReleased && $0.poolID == poolID }.flatMap(\.lanes)
      .filter { number ?? $0.lane == $0.lane }
    guard !lanes.isEmpty else {
      throw LabRefusal(
        LabErrorCode.laneNotReserved, status: 409,
        "\(number.map { "Lane \($0)" } ?? "No lane") of flow cell \(content.barcode) is \(number == nil ? "" : "not ")reserved for the pool of this run."
      )
    }
    return lanes
  }

  private var held: [LaneName] { reservations.filter { !$0.isReleased }.flatMap(\.lanes) }

  private var freeLanes: [LaneName] {
    guard let content else { return [] }
    let held = Set(held)
    return (1...content.kind.lanes).map { LaneName(flowCell: content.barcode, lane: $0) }.filter { !held.contains($0) }
  }

  static func evolve(_ cell: FlowCell, _ event: FlowCellEvent) -> FlowCell {
    var cell = cell
    switch event {
    case .received(let content):
      cell.status = .received
      cell.content = content
    case .undoneBefore: cell.status = .undoneBefore
    case .discarded: cell.status = .discarded
    case .lanesReserved(let reservation): cell.reservations.append(reservation)
    case .lanesReleased(let id, _):
      if let index = cell.reservations.firstIndex(where: { $0.id == id }) { cell.reservations[index].isReleased = true }
    case .used: cell.status = .used
    case .undoNoted: break
    }
    return cell
  }

  /// The form in which a flow cell is shown.
  var json: JSON {
    guard let content else { return ["status": .string(status.rawValue)] }
    var json = content.json
    json["status"] = .string(status.rawValue)
    json["lanes"] = .int(content.kind.lanes)
    json["free"] = .array(freeLanes.map { .string($0.description) })
    json["reservations"] = .array(reservations.filter { !$0.isReleased }.map { .object($0.json) })
    return .object(json)
  }

  /// Returns the form in which a reservation is shown.
  func json(of id: UniqueID) -> JSON {
    guard let reservation = reservations.first(where: { $0.id == id }), let content else { return [:] }
    var json = reservation.json
    json["flowCell"] = .string(content.barcode)
    json["status"] = reservation.isReleased ? "released" : "reserved"
    return .object(json)
  }
}

extension FlowCell.Content {
  fileprivate func requireUsable(at time: Timestamp) throws(LabRefusal) {
    guard let day = LastDay(expiresOn), !day.hasPassed(at: time) else {
      throw LabRefusal(
        LabErrorCode.flowCellExpired, status: 422, "Flow cell \(barcode) expired on \(expiresOn).")
    }
  }

  fileprivate var json: JSONObject {
    ["barcode": .string(barcode), "kind": .string(kind.rawValue), "expiresOn": .string(expiresOn)]
  }
}

extension FlowCell.Reservation {
  fileprivate var json: JSONObject {
    [
      "id": .string(id.description), "poolId": .string(poolID),
      "lanes": .array(lanes.map { .string($0.description) }),
    ]
  }
}

/// An event of a flow cell.
enum FlowCellEvent: CreatingEvent {
  case received(FlowCell.Content)
  case undoneBefore
  case discarded
  case lanesReserved(FlowCell.Reservation)
  /// - lanes: the lanes that become free.
  case lanesReleased(id: UniqueID, lanes: [LaneName])
  case used
  /// An undo came before its command. The command is refused from now on.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .received: "flowCell.received"
    case .undoneBefore: "flowCell.undoneBefore"
    case .discarded: "flowCell.discarded"
    case .lanesReserved: "flowCell.lanesReserved"
    case .lanesReleased: "flowCell.lanesReleased"
    case .used: "flowCell.used"
    case .undoNoted: "flowCell.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .received(let content): .object(content.json)
    case .undoneBefore, .discarded, .used: [:]
    case .lanesReserved(let reservation): .object(reservation.json)
    case .lanesReleased(let id, let lanes):
      ["id": .string(id.description), "lanes": .array(lanes.map { .string($0.description) })]
    case .undoNoted(let command): ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    func lanes() throws(UnreadableEvent) -> [LaneName] {
      try members.required("lanes", "a list of lanes") { lanes in
        lanes.elements { $0.stringValue.flatMap { LaneName($0) } }
      }
    }
    switch type {
    case "flowCell.received":
      self = .received(
        FlowCell.Content(
          barcode: try members.string("barcode"), kind: try members.word("kind"),
          expiresOn: try members.string("expiresOn")))
    case "flowCell.undoneBefore": self = .undoneBefore
    case "flowCell.discarded": self = .discarded
    case "flowCell.lanesReserved":
      self = .lanesReserved(
        FlowCell.Reservation(
          id: try members.id("id"), poolID: try members.string("poolId"), lanes: try lanes()))
    case "flowCell.lanesReleased": self = .lanesReleased(id: try members.id("id"), lanes: try lanes())
    case "flowCell.used": self = .used
    case "flowCell.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] {
    switch self {
    case .lanesReserved(let reservation): reservation.lanes.map { LabClaim(.reservedLane, $0.description) }
    case .received, .undoneBefore, .discarded, .lanesReleased, .used, .undoNoted: []
    }
  }

  var releases: [LabClaim] {
    switch self {
    case .lanesReleased(_, let lanes): lanes.map { LabClaim(.reservedLane, $0.description) }
    case .received, .undoneBefore, .discarded, .lanesReserved, .used, .undoNoted: []
    }
  }
}
