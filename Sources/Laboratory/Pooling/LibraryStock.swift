import JSON
import Values

/// What pools have done with a library: a tube from which they draw. One pool at a time has it locked.
///
/// What is known of the library itself is stored once. Of a library that the laboratory prepared, `Library` has it, and
/// the stock reads it there (`showing`). Of a library from elsewhere, the receipt has it.
///
/// ```
/// absent ── receive ──▶ received ── discard ──▶ discarded
///   │                    ↺ lock, dilute, discard dilution, unlock
///   └─ undone before ──▶ undoneBefore ✗ receive
/// ```
struct LibraryStock: Aggregate {
  enum Status: String, Sendable, CaseIterable { case absent, undoneBefore, received, discarded }

  struct Content: Sendable, Equatable {
    var barcode: String
    var indexes: IndexPair
    var reading: LibraryReading
    /// The volume in µl.
    var volumeUl: Amount
  }

  /// The dilution for one pool. The volume of a discarded one is lost.
  struct Draw: Sendable, Equatable {
    var poolID: UniqueID
    var dilution: Dilution
    var isDiscarded = false
  }

  var status = Status.absent
  /// Nil for a library that was not received from elsewhere, until `showing` adds what library preparation has.
  var content: Content?
  /// The pool that has locked the library.
  var lock: UniqueID?
  var draws: [Draw] = []

  static let absent = LibraryStock()
  static let name = "stock"
  /// The longest fragments, in base pairs.
  static let longest = 10_000

  /// Returns the stock with what library preparation has of the library; the stock itself when it was received from
  /// elsewhere or when there is nothing to add.
  func showing(_ prepared: Content?) -> LibraryStock {
    guard let prepared, content == nil else { return self }
    var stock = self
    stock.content = prepared
    // A receipt that was undone before it came says nothing of a library that is prepared here.
    if status == .absent || status == .undoneBefore { stock.status = .received }
    return stock
  }

  /// Returns the id of a library's stock, derived from the library's barcode.
  static func id(of barcode: String) -> UniqueID { .derived(from: "laboratory/stock/\(barcode)") }
}

extension LibraryStock {
  enum Command: Sendable {
    case receive(Content)
    case discard
    case lock(pool: UniqueID)
    case unlock(pool: UniqueID)
    /// - nM: the concentration of the dilution.
    /// - volumeUl: its volume.
    case dilute(pool: UniqueID, nM: Amount, volumeUl: Amount)
    case discardDilution(pool: UniqueID)
  }

  static func decide(_ command: Command, _ stock: LibraryStock) throws(LabRefusal) -> [StockEvent] {
    switch command {
    case .receive(let content):
      switch stock.status {
      case .absent: return [.received(content)]
      case .undoneBefore: throw .undoneBefore("Library \(content.barcode) was undone before it was received.")
      case .received: throw .exists("library")
      case .discarded: throw .gone("Library \(content.barcode) was discarded; its barcode is not used again.")
      }
    case .discard:
      let content = try stock.present()
      if let lock = stock.lock { throw locked(content.barcode, by: lock) }
      return [.discarded]
    case .lock(let pool):
      let content = try stock.present()
      guard let lock = stock.lock else { return [.locked(pool: pool)] }
      if lock == pool { throw .exists("lock of the library") }
      throw locked(content.barcode, by: lock)
    case .unlock(let pool):
      let content = try stock.present()
      guard stock.lock == pool else { throw .gone("Library \(content.barcode) isn't locked for pool \(pool).") }
      return [.unlocked(pool: pool)]
    case .dilute(let pool, let nM, let volumeUl):
      let content = try stock.present()
      try stock.requireLocked(for: pool)
      if let known = stock.draw(for: pool) {
        if known.isDiscarded {
          throw .gone("The dilution of library \(content.barcode) for pool \(pool) was discarded.")
        }
        throw .exists("dilution of the library")
      }
      return [.diluted(Draw(poolID: pool, dilution: try stock.dilution(of: content, nM, volumeUl)))]
    case .discardDilution(let pool):
      _ = try stock.present()
      guard let known = stock.draw(for: pool) else { throw .unknown("dilution for pool", pool.description) }
      guard !known.isDiscarded else { throw .gone("The dilution for pool \(pool) is already discarded.") }
      return [.dilutionDiscarded(pool: pool)]
    }
  }

  /// Returns the dilution of a library. The drawn volume is rounded up to a nanolitre.
  private func dilution(
    of content: Content, _ nM: Amount, _ volumeUl: Amount
  ) throws(LabRefusal) -> Dilution {
    // Both are whole numbers of the same unit, so that nothing is rounded.
    let wanted = nM.thousandths * LibraryReading.gramsPerMole * content.reading.sizeBp
    let available = content.reading.ngPerUl.thousandths * 1_000_000
    guard wanted <= available else {
      throw LabRefusal(
        LabErrorCode.libraryTooThin, status: 409,
        "Library \(content.barcode) has \(content.reading.molarity) nM, and \(nM) nM are wanted.")
    }
    let (whole, rest) = (wanted * volumeUl.thousandths).quotientAndRemainder(dividingBy: available)
    let draw = Amount(thousandths: rest == 0 ? whole : whole + 1)
    guard draw <= leftUl else {
      throw LabRefusal(
        LabErrorCode.libraryShort, status: 409,
        "Library \(content.barcode) has \(leftUl) µl left, and \(draw) µl are needed.")
    }
    return Dilution(nM: nM, volumeUl: volumeUl, drawUl: draw)
  }

  private static func locked(_ barcode: String, by pool: UniqueID) -> LabRefusal {
    LabRefusal(LabErrorCode.libraryLocked, status: 409, "Library \(barcode) is locked for pool \(pool).")
  }

  /// Returns the content of a library that the laboratory has.
  func present() throws(LabRefusal) -> Content {
    switch status {
    case .undoneBefore: throw .gone("The library was undone before it was received.")
    case .discarded: throw .gone("The library is discarded.")
    case .absent, .received: break
    }
    guard let content else { throw .missing("library") }
    return content
  }

  /// - Throws: a refusal when another pool, or no pool, has locked the library.
  func requireLocked(for pool: UniqueID) throws(LabRefusal) {
    let content = try present()
    guard lock == pool else {
      throw LabRefusal(
        LabErrorCode.libraryNotLocked, status: 409, "Library \(content.barcode) isn't locked for pool \(pool).")
    }
  }

  func draw(for pool: UniqueID) -> Draw? { draws.first { $0.poolID == pool } }

  /// The volume that is left, in µl.
  private var leftUl: Amount {
    Amount(thousandths: (content?.volumeUl.thousandths ?? 0) - draws.reduce(0) { $0 + $1.dilution.drawUl.thousandths })
  }

  /// The volume of discarded dilutions, in µl.
  private var lostUl: Amount {
    Amount(thousandths: draws.filter(\.isDiscarded).reduce(0) { $0 + $1.dilution.drawUl.thousandths })
  }

  static func evolve(_ stock: LibraryStock, _ event: StockEvent) -> LibraryStock {
    var stock = stock
    switch event {
    case .received(let content):
      stock.status = .received
      stock.content = content
    case .undoneBefore: stock.status = .undoneBefore
    case .discarded: stock.status = .discarded
    case .locked(let pool): stock.lock = pool
    case .unlocked: stock.lock = nil
    case .diluted(let draw): stock.draws.append(draw)
    case .dilutionDiscarded(let pool):
      if let index = stock.draws.firstIndex(where: { $0.poolID == pool }) { stock.draws[index].isDiscarded = true }
    case .undoNoted: break
    }
    return stock
  }

  /// The form in which a library is shown.
  var json: JSON {
    guard let content else { return ["status": .string(status.rawValue)] }
    var json = content.json
    json["nM"] = content.reading.molarity.json
    json["status"] = .string(lock != nil ? "locked" : status.rawValue)
    if let lock { json["poolId"] = .string(lock.description) }
    json["volumeLeftUl"] = leftUl.json
    if lostUl.thousandths > 0 { json["volumeLostUl"] = lostUl.json }
    return .object(json)
  }

  /// Returns the form in which a dilution is shown.
  func json(ofDilutionFor pool: UniqueID) -> JSON {
    guard let draw = draw(for: pool) else { return [:] }
    var json = draw.dilution.json
    json["barcode"] = .text(content?.barcode)
    json["poolId"] = .string(pool.description)
    json["status"] = draw.isDiscarded ? "discarded" : "diluted"
    return .object(json)
  }
}

extension LibraryStock.Content {
  fileprivate var json: JSONObject {
    var json: JSONObject = ["barcode": .string(barcode)]
    for (name, value) in indexes.members { json[name] = value }
    for (name, value) in reading.json { json[name] = value }
    json["volumeUl"] = volumeUl.json
    return json
  }
}

/// An event of a library's stock.
enum StockEvent: CreatingEvent {
  case received(LibraryStock.Content)
  case undoneBefore
  case discarded
  case locked(pool: UniqueID)
  case unlocked(pool: UniqueID)
  case diluted(LibraryStock.Draw)
  case dilutionDiscarded(pool: UniqueID)
  /// An undo came before its command. The command is refused from now on.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .received: "stock.received"
    case .undoneBefore: "stock.undoneBefore"
    case .discarded: "stock.discarded"
    case .locked: "stock.locked"
    case .unlocked: "stock.unlocked"
    case .diluted: "stock.diluted"
    case .dilutionDiscarded: "stock.dilutionDiscarded"
    case .undoNoted: "stock.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .received(let content): return .object(content.json)
    case .undoneBefore, .discarded: return [:]
    case .locked(let pool), .unlocked(let pool), .dilutionDiscarded(let pool):
      return ["poolId": .string(pool.description)]
    case .diluted(let draw):
      var json = draw.dilution.json
      json["poolId"] = .string(draw.poolID.description)
      return .object(json)
    case .undoNoted(let command): return ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    switch type {
    case "stock.received":
      guard let indexes = IndexPair(data) else { throw members.wrong("i7", "a string") }
      guard let volumeUl = try members.amount("volumeUl") else { throw members.wrong("volumeUl", "an amount") }
      self = .received(
        LibraryStock.Content(
          barcode: try members.string("barcode"), indexes: indexes, reading: try LibraryReading(members),
          volumeUl: volumeUl))
    case "stock.undoneBefore": self = .undoneBefore
    case "stock.discarded": self = .discarded
    case "stock.locked": self = .locked(pool: try members.id("poolId"))
    case "stock.unlocked": self = .unlocked(pool: try members.id("poolId"))
    case "stock.diluted":
      self = .diluted(
        LibraryStock.Draw(poolID: try members.id("poolId"), dilution: try Dilution(members)))
    case "stock.dilutionDiscarded": self = .dilutionDiscarded(pool: try members.id("poolId"))
    case "stock.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  /// A library's barcode belongs to one library for ever, whether it was prepared here or comes from elsewhere.
  var claims: [LabClaim] {
    switch self {
    case .received(let content): [LabClaim(.library, content.barcode)]
    case .undoneBefore, .discarded, .locked, .unlocked, .diluted, .dilutionDiscarded, .undoNoted: []
    }
  }
  var releases: [LabClaim] { [] }
}
