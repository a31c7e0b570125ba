import JSON
import Values

/// The measurement of one sample on one instrument.
///
/// ```
/// absent ── book ──▶ booked ── record ──▶ recorded ── cancel ──▶ cancelled
///   │                 │  └── fail ──▶ failed ──────────────┘ │
///   │ undone before   └─────────────── cancel ───────────────┘
///   ▼
/// undoneBefore ✗ book
/// ```
/// The result of a cancelled measurement is not used.
struct Measurement: Aggregate {
  enum Status: String, Sendable, CaseIterable { case absent, undoneBefore, booked, recorded, failed, cancelled }

  enum Instrument: String, Sendable, CaseIterable {
    /// Measures the concentration.
    case fluorometer
    /// Measures the length of the fragments, and of RNA its integrity.
    case fragmentAnalyzer = "fragment-analyzer"
  }

  struct Booking: Sendable, Equatable {
    var reservationID: UniqueID
    var barcode: String
    var instrument: Instrument
    var plate: String
    var well: String
    /// The barcode of the aliquot in the well.
    var aliquot: String?
    var bookedAt: Timestamp
  }

  /// What an instrument has measured. A value that the instrument does not measure is nil.
  struct Reading: Sendable, Equatable {
    /// The concentration in ng/µl.
    var ngPerUl: Amount?
    /// The volume in µl.
    var volumeUl: Amount?
    /// The mean length of the fragments in base pairs.
    var sizeBp: Int?
    /// The RNA integrity number, 1 to 10.
    var rin: Amount?
  }

  var status = Status.absent
  var booking: Booking?
  var reading: Reading?
  /// What the instrument said when it failed.
  var error: String?

  static let absent = Measurement()
  static let name = "measurement"

  /// Returns the id of a measurement. A sample of a reservation is measured once on each instrument.
  static func id(of barcode: String, in reservation: UniqueID, on instrument: Instrument) -> UniqueID {
    .derived(from: "laboratory/measurement/\(reservation)/\(instrument.rawValue)/\(barcode)")
  }
}

extension Measurement {
  enum Command: Sendable {
    case book(Booking)
    case record(Reading)
    case fail(error: String)
    case cancel
  }

  static func decide(_ command: Command, _ measurement: Measurement) throws(LabRefusal) -> [MeasurementEvent] {
    switch command {
    case .book(let booking):
      switch measurement.status {
      case .absent: return [.booked(booking)]
      case .undoneBefore: throw .undoneBefore("The measurement was undone before it was booked.")
      case .booked, .recorded, .failed: throw .exists(name)
      case .cancelled: throw .gone("The measurement was cancelled; another one needs a new reservation.")
      }
    case .record(let reading):
      try measurement.requireBooked()
      return [.recorded(reading)]
    case .fail(let error):
      try measurement.requireBooked()
      return [.failed(error: error)]
    case .cancel:
      try measurement.requirePresent()
      return [.cancelled]
    }
  }

  private func requirePresent() throws(LabRefusal) {
    switch status {
    case .absent: throw .missing("measurement")
    case .undoneBefore: throw .gone("The measurement was undone before it was booked.")
    case .cancelled: throw .gone("The measurement is cancelled.")
    case .booked, .recorded, .failed: break
    }
  }

  private func requireBooked() throws(LabRefusal) {
    try requirePresent()
    guard status == .booked else {
      throw LabRefusal(
        LabErrorCode.qcState, status: 409, "The measurement is already \(status.rawValue); a result comes once.")
    }
  }

  static func evolve(_ measurement: Measurement, _ event: MeasurementEvent) -> Measurement {
    var measurement = measurement
    switch event {
    case .booked(let booking):
      measurement.status = .booked
      measurement.booking = booking
    case .undoneBefore: measurement.status = .undoneBefore
    case .recorded(let reading):
      measurement.status = .recorded
      measurement.reading = reading
    case .failed(let error):
      measurement.status = .failed
      measurement.error = error
    case .cancelled: measurement.status = .cancelled
    case .undoNoted: break
    }
    return measurement
  }

  /// The form in which a measurement is shown.
  var json: JSON {
    guard let booking else { return ["status": .string(status.rawValue)] }
    var json = booking.json
    json["status"] = .string(status.rawValue)
    for (name, value) in reading?.json ?? [:] { json[name] = value }
    if let error { json["error"] = .string(error) }
    return .object(json)
  }
}

extension Measurement {
  /// What the fluorometer measures of a sample for which no other result was recorded.
  private static let usual = Reading(ngPerUl: Amount(thousandths: 120_000), volumeUl: Amount(thousandths: 12_000))

  /// Returns the measurement as its instrument shows it. The fluorometer measures by itself.
  /// - Parameters:
  ///   - now: decides whether the fluorometer is done.
  ///   - time: how long the fluorometer takes from the booking.
  func measured(at now: Timestamp, time: Duration) -> Measurement {
    guard status == .booked, let booking, booking.instrument == .fluorometer, booking.bookedAt + time <= now else {
      return self
    }
    var measured = self
    measured.status = .recorded
    measured.reading = Self.usual
    return measured
  }
}

extension Measurement.Booking {
  fileprivate var json: JSONObject {
    JSON.members(
      ("reservationId", .text(reservationID)), ("barcode", .string(barcode)),
      ("instrument", .string(instrument.rawValue)), ("plate", .string(plate)), ("well", .string(well)),
      ("aliquot", .text(aliquot)), ("bookedAt", .text(bookedAt))
    ).objectValue ?? [:]
  }
}

extension Measurement.Reading {
  var json: JSONObject {
    JSON.members(
      ("ngPerUl", ngPerUl?.json), ("volumeUl", volumeUl?.json), ("sizeBp", sizeBp.map { .int($0) }), ("rin", rin?.json)
    ).objectValue ?? [:]
  }

  init(_ members: StoredMembers) throws(UnreadableEvent) {
    ngPerUl = try members.amount("ngPerUl")
    volumeUl = try members.amount("volumeUl")
    sizeBp = try members.optionalInt("sizeBp")
    rin = try members.amount("rin")
  }
}

/// An event of a measurement.
enum MeasurementEvent: CreatingEvent {
  case booked(Measurement.Booking)
  case undoneBefore
  case recorded(Measurement.Reading)
  case failed(error: String)
  case cancelled
  /// An undo came before its command. The command is refused from now on.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .booked: "measurement.booked"
    case .undoneBefore: "measurement.undoneBefore"
    case .recorded: "measurement.recorded"
    case .failed: "measurement.failed"
    case .cancelled: "measurement.cancelled"
    case .undoNoted: "measurement.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .booked(let booking): .object(booking.json)
    case .undoneBefore, .cancelled: [:]
    case .recorded(let reading): .object(reading.json)
    case .failed(let error): ["error": .string(error)]
    case .undoNoted(let command): ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    switch type {
    case "measurement.booked":
      self = .booked(
        Measurement.Booking(
          reservationID: try members.id("reservationId"), barcode: try members.string("barcode"),
          instrument: try members.word("instrument"), plate: try members.string("plate"),
          well: try members.string("well"), aliquot: members.optionalText("aliquot"),
          bookedAt: try members.timestamp("bookedAt")))
    case "measurement.undoneBefore": self = .undoneBefore
    case "measurement.recorded": self = .recorded(try Measurement.Reading(members))
    case "measurement.failed": self = .failed(error: try members.string("error"))
    case "measurement.cancelled": self = .cancelled
    case "measurement.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] { [] }
  var releases: [LabClaim] { [] }
}
