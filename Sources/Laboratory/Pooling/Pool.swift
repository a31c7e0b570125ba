import JSON
import Values

/// A pool: libraries that are mixed and sequenced together. Their indexes tell them apart afterwards.
///
/// ```
/// absent ── open ──▶ open ── check indexes ──▶ checked ── mix ──▶ mixed ── measure ──▶ measured
///   │                 └── dissolve ──▶ dissolved ◀──┘                    ↺ write sheet
///   └─ undone before ──▶ undoneBefore ✗ open
/// ```
/// A mixed pool can't be dissolved.
struct Pool: Aggregate {
  enum Status: String, Sendable, CaseIterable {
    case absent, undoneBefore, open, checked, mixed, measured, dissolved
  }

  /// A library of the pool.
  struct Member: Sendable, Equatable {
    var barcode: String
    var indexes: IndexPair
  }

  struct Mix: Sendable, Equatable {
    /// The person who approved it.
    var approvedBy: String
    /// The volume of all dilutions together, in µl.
    var volumeUl: Amount
    var mixedAt: Timestamp
  }

  var status = Status.absent
  var id: UniqueID?
  var label: String?
  var members: [Member] = []
  var mix: Mix?
  /// The concentration that the qPCR measured, in nM.
  var nM: Amount?
  /// The lanes of the sample sheet; empty while there is no sheet.
  var lanes: [LaneName] = []

  static let absent = Pool()
  static let name = "pool"
}

extension Pool {
  enum Command: Sendable {
    case open(id: UniqueID, label: String)
    /// - leastDistance: the least number of bases in which two pairs of indexes differ.
    case check([Member], leastDistance: Int)
    case mix(Mix)
    case measure(nM: Amount)
    /// - lanes: lanes of one flow cell, each once.
    case writeSheet(lanes: [LaneName])
    case dissolve
  }

  static func decide(_ command: Command, _ pool: Pool) throws(LabRefusal) -> [PoolEvent] {
    switch command {
    case .open(let id, let label):
      switch pool.status {
      case .absent: return [.opened(id: id, label: label)]
      case .undoneBefore: throw .undoneBefore("Pool \(label) was undone before it was opened.")
      case .open, .checked, .mixed, .measured: throw .exists(name)
      case .dissolved: throw .gone("Pool \(label) was dissolved; a new one needs a new id.")
      }
    case .check(let members, let least):
      try pool.require(.open, "check its indexes")
      let places = clashes(among: members, leastDistance: least)
      guard places.isEmpty else {
        throw LabRefusal(
          LabErrorCode.indexClash, status: 409, "The pool has libraries with clashing indexes: \(places[0].message).",
          places: places)
      }
      return [.checked(members)]
    case .mix(let mix):
      try pool.require(.checked, "mix it")
      return [.mixed(mix)]
    case .measure(let nM):
      try pool.require(.mixed, "record its concentration")
      return [.measured(nM: nM)]
    case .writeSheet(let lanes):
      try pool.require(.measured, "write its sample sheet")
      guard pool.lanes.isEmpty else { throw .exists("sample sheet") }
      return [.sheetWritten(lanes: lanes)]
    case .dissolve:
      try pool.requirePresent()
      guard pool.status == .open || pool.status == .checked else {
        throw wrongState("The pool is \(pool.status.rawValue); it can't be dissolved any more.")
      }
      return [.dissolved]
    }
  }

  /// Returns the place of each library whose indexes are too near to those of a library before it.
  private static func clashes(among members: [Member], leastDistance least: Int) -> [LabRefusal.Place] {
    members.indices.compactMap { index in
      let member = members[index]
      guard let other = members[..<index].first(where: { $0.indexes.distance(to: member.indexes) < least }) else {
        return nil
      }
      let distance = other.indexes.distance(to: member.indexes)
      return LabRefusal.Place(
        pointer: "/barcodes/\(index)",
        message:
          "the indexes of \(member.barcode) and \(other.barcode) differ in \(distance) bases; at least \(least) are needed"
      )
    }
  }

  private static func wrongState(_ message: String) -> LabRefusal {
    LabRefusal(LabErrorCode.poolState, status: 409, message)
  }

  func requirePresent() throws(LabRefusal) {
    switch status {
    case .absent: throw .missing("pool")
    case .undoneBefore: throw .gone("The pool was undone before it was opened.")
    case .dissolved: throw .gone("The pool is dissolved.")
    case .open, .checked, .mixed, .measured: break
    }
  }

  private func require(_ wanted: Status, _ act: String) throws(LabRefusal) {
    try requirePresent()
    guard status == wanted else {
      throw Self.wrongState("The pool is \(status.rawValue); to \(act) it must be \(wanted.rawValue).")
    }
  }

  static func evolve(_ pool: Pool, _ event: PoolEvent) -> Pool {
    var pool = pool
    switch event {
    case .opened(let id, let label):
      pool.status = .open
      pool.id = id
      pool.label = label
    case .undoneBefore: pool.status = .undoneBefore
    case .checked(let members):
      pool.status = .checked
      pool.members = members
    case .mixed(let mix):
      pool.status = .mixed
      pool.mix = mix
    case .measured(let nM):
      pool.status = .measured
      pool.nM = nM
    case .sheetWritten(let lanes): pool.lanes = lanes
    case .dissolved: pool.status = .dissolved
    case .undoNoted: break
    }
    return pool
  }

  /// The form in which a pool is shown.
  var json: JSON {
    guard let id else { return ["status": .string(status.rawValue)] }
    var json =
      JSON.members(
        ("id", .text(id)), ("name", .text(label)), ("status", .string(status.rawValue)),
        ("libraries", members.isEmpty ? nil : .array(members.map(\.json))), ("nM", nM?.json)
      ).objectValue ?? [:]
    for (name, value) in mix?.json ?? [:] { json[name] = value }
    if !lanes.isEmpty {
      json["lanes"] = .array(lanes.map { .string($0.description) })
      json["csv"] = .string(sampleSheet)
    }
    return .object(json)
  }

  /// The sample sheet as text: a line for each library on each lane.
  private var sampleSheet: String {
    let rows = lanes.flatMap { lane in
      members.map { [String(lane.lane), $0.barcode, $0.indexes.i7, $0.indexes.i5 ?? ""] }
    }
    return ([["Lane", "Sample_ID", "index", "index2"]] + rows)
      .map { row in row.map(Self.field).joined(separator: ",") + "\n" }.joined()
  }

  /// Returns a value as a field of the sheet, in quotes where RFC 4180 needs them.
  private static func field(_ value: String) -> String {
    guard value.contains(where: { ",\"".contains($0) }) else { return value }
    return "\"\(value.replacing("\"", with: "\"\""))\""
  }
}

extension Pool.Member {
  fileprivate var json: JSON { .object(JSONObject([("barcode", .string(barcode))] + indexes.members)) }

  fileprivate init?(_ json: JSON) {
    guard let barcode = json["barcode"]?.stringValue, let indexes = IndexPair(json) else { return nil }
    self.init(barcode: barcode, indexes: indexes)
  }
}

extension Pool.Mix {
  fileprivate var json: JSONObject {
    [
      "approvedBy": .string(approvedBy), "volumeUl": volumeUl.json, "mixedAt": .string(mixedAt.description),
    ]
  }
}

/// An event of a pool.
enum PoolEvent: CreatingEvent {
  case opened(id: UniqueID, label: String)
  case undoneBefore
  case checked([Pool.Member])
  case mixed(Pool.Mix)
  case measured(nM: Amount)
  case sheetWritten(lanes: [LaneName])
  case dissolved
  /// An undo came before its command. The command is refused from now on.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .opened: "pool.opened"
    case .undoneBefore: "pool.undoneBefore"
    case .checked: "pool.checked"
    case .mixed: "pool.mixed"
    case .measured: "pool.measured"
    case .sheetWritten: "pool.sheetWritten"
    case .dissolved: "pool.dissolved"
    case .undoNoted: "pool.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .opened(let id, let label): ["id": .string(id.description), "name": .string(label)]
    case .undoneBefore, .dissolved: [:]
    case .checked(let members): ["libraries": .array(members.map(\.json))]
    case .mixed(let mix): .object(mix.json)
    case .measured(let nM): ["nM": nM.json]
    case .sheetWritten(let lanes): ["lanes": .array(lanes.map { .string($0.description) })]
    case .undoNoted(let command): ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    func amount(_ name: String) throws(UnreadableEvent) -> Amount {
      guard let amount = try members.amount(name) else { throw members.wrong(name, "an amount") }
      return amount
    }
    switch type {
    case "pool.opened": self = .opened(id: try members.id("id"), label: try members.string("name"))
    case "pool.undoneBefore": self = .undoneBefore
    case "pool.checked":
      self = .checked(try members.required("libraries", "a list of libraries") { $0.elements { Pool.Member($0) } })
    case "pool.mixed":
      self = .mixed(
        Pool.Mix(
          approvedBy: try members.string("approvedBy"), volumeUl: try amount("volumeUl"),
          mixedAt: try members.timestamp("mixedAt")))
    case "pool.measured": self = .measured(nM: try amount("nM"))
    case "pool.sheetWritten":
      self = .sheetWritten(
        lanes: try members.required("lanes", "a list of lanes") { lanes in
          lanes.elements { $0.stringValue.flatMap { LaneName($0) } }
        })
    case "pool.dissolved": self = .dissolved
    case "pool.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] { [] }
  var releases: [LabClaim] { [] }
}
