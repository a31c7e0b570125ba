import JSON
import Values

/// A plate of 96 wells in which samples are measured. A reservation takes wells for the samples of a batch, and its release
/// frees them.
///
/// ```
/// reservation: absent ── reserve ──▶ reserved ── release ──▶ released
/// ```
struct WellPlate: Aggregate {
  struct Well: Sendable, Equatable {
    /// As `A07`.
    var name: String
    /// The barcode of the sample.
    var barcode: String
  }

  struct Reservation: Sendable, Equatable {
    var id: UniqueID
    /// In the order in which the barcodes came.
    var wells: [Well]
    var isReleased = false
  }

  /// The plate's barcode; nil while no well has been reserved.
  var plate: String?
  var reservations: [Reservation] = []

  static let absent = WellPlate()
  static let name = "plate"

  /// Returns the id of a plate, derived from its barcode.
  static func id(of plate: String) -> UniqueID { .derived(from: "laboratory/plate/\(plate)") }

  enum Command: Sendable {
    case reserve(id: UniqueID, plate: String, barcodes: [String])
    case release(id: UniqueID)
  }

  static func decide(_ command: Command, _ plate: WellPlate) throws(LabRefusal) -> [PlateEvent] {
    switch command {
    case .reserve(let id, let name, let barcodes):
      if let known = plate.reservation(id) {
        if known.isReleased { throw .gone("Reservation \(id) was released; a new one needs a new id.") }
        throw .exists("reservation")
      }
      let free = plate.freeWells
      guard barcodes.count <= free.count else {
        throw LabRefusal(
          LabErrorCode.plateFull, status: 409,
          "Plate \(name) has \(free.count) free wells, and \(barcodes.count) samples need one each.")
      }
      let wells = zip(free, barcodes).map { Well(name: $0, barcode: $1) }
      return [.wellsReserved(plate: name, Reservation(id: id, wells: wells))]
    case .release(let id):
      guard let known = plate.reservation(id) else { throw .unknown("reservation", id.description) }
      guard !known.isReleased else { throw .gone("Reservation \(id) is already released.") }
      return [.wellsReleased(id: id)]
    }
  }

  static func evolve(_ plate: WellPlate, _ event: PlateEvent) -> WellPlate {
    var plate = plate
    switch event {
    case .wellsReserved(let name, let reservation):
      plate.plate = name
      plate.reservations.append(reservation)
    case .wellsReleased(let id):
      if let index = plate.reservations.firstIndex(where: { $0.id == id }) {
        plate.reservations[index].isReleased = true
      }
    case .undoNoted: break
    }
    return plate
  }

  func reservation(_ id: UniqueID) -> Reservation? { reservations.first { $0.id == id } }

  /// Returns the well that a reservation has for a sample; nil when it has none, or is released.
  func well(of barcode: String, in reservation: UniqueID) -> String? {
    guard let known = self.reservation(reservation), !known.isReleased else { return nil }
    return known.wells.first { $0.barcode == barcode }?.name
  }

  private var held: [(well: Well, reservation: UniqueID)] {
    reservations.filter { !$0.isReleased }.flatMap { reservation in reservation.wells.map { ($0, reservation.id) } }
  }

  private var freeWells: [String] {
    let taken = Set(held.map(\.well.name))
    return (0..<PositionName.wellsPerBox).map { PositionName(box: "", well: $0).wellName }
      .filter { !taken.contains($0) }
  }

  /// The form in which a plate is shown.
  var json: JSON {
    .members(
      ("plate", .text(plate)), ("free", .int(freeWells.count)),
      (
        "wells",
        .array(
          held.map { well, reservation in
            [
              "well": .string(well.name), "barcode": .string(well.barcode),
              "reservationId": .string(reservation.description),
            ]
          })
      ))
  }

  /// Returns the form in which a reservation is shown.
  func json(of id: UniqueID) -> JSON {
    guard let reservation = reservation(id) else { return [:] }
    return .members(
      ("id", .text(id)), ("plate", .text(plate)), ("status", reservation.isReleased ? "released" : "reserved"),
      ("wells", .array(reservation.wells.map(\.json))))
  }
}

extension WellPlate.Well {
  fileprivate var json: JSON { ["well": .string(name), "barcode": .string(barcode)] }
}

/// An event of a plate.
enum PlateEvent: LabEvent {
  case wellsReserved(plate: String, WellPlate.Reservation)
  case wellsReleased(id: UniqueID)
  /// An undo came before its command. The command is refused from now on.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .wellsReserved: "plate.wellsReserved"
    case .wellsReleased: "plate.wellsReleased"
    case .undoNoted: "plate.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .wellsReserved(let plate, let reservation):
      [
        "plate": .string(plate), "id": .string(reservation.id.description),
        "wells": .array(reservation.wells.map(\.json)),
      ]
    case .wellsReleased(let id): ["id": .string(id.description)]
    case .undoNoted(let command): ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    switch type {
    case "plate.wellsReserved":
      let wells = try members.required("wells", "a list of wells") { wells in
        wells.elements { well -> WellPlate.Well? in
          guard let name = well["well"]?.stringValue, let barcode = well["barcode"]?.stringValue else { return nil }
          return WellPlate.Well(name: name, barcode: barcode)
        }
      }
      self = .wellsReserved(
        plate: try members.string("plate"), WellPlate.Reservation(id: try members.id("id"), wells: wells))
    case "plate.wellsReleased": self = .wellsReleased(id: try members.id("id"))
    case "plate.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] { [] }
  var releases: [LabClaim] { [] }
}
