import JSON
import Values

/// A library: the DNA of one sample, ready for the sequencer, with a pair of tags. It begins as a request.
///
/// ```
/// absent ── start ──▶ started ── make ──▶ made ── book QC ──▶ measuring ── record, time passes ──▶ passed, failed
///   │                   └── cancel ──▶ cancelled
///   └─ undone before ──▶ undoneBefore ✗ start
/// ```
/// Its barcode is claimed at the start. A cancelled request frees it; a library that was made has it for ever.
struct Library: Aggregate {
  enum Status: String, Sendable, CaseIterable {
    case absent, undoneBefore, started, cancelled, made, measuring, measured
  }

  struct Request: Sendable, Equatable {
    var id: UniqueID
    /// The library's barcode.
    var barcode: String
    /// The barcode of the sample.
    var sample: String
  }

  /// Where the library is, and by which tags its reads are found.
  struct Place: Sendable, Equatable {
    var plateID: UniqueID
    var well: String
    /// The barcode of the tag plate.
    var tagPlate: String
    var tags: TagPair
  }

  struct Booking: Sendable, Equatable {
    var limits: LibraryLimits
    var bookedAt: Timestamp
  }

  var status = Status.absent
  var request: Request?
  var place: Place?
  var booking: Booking?
  var reading: LibraryReading?

  static let absent = Library()
  static let name = "library"
}

extension Library {
  enum Command: Sendable {
    case start(Request)
    case cancel
    case make(Place)
    case bookQC(Booking)
    case record(LibraryReading)
  }

  static func decide(_ command: Command, _ library: Library) throws(LabRefusal) -> [LibraryEvent] {
    switch command {
    case .start(let request):
      switch library.status {
      case .absent: return [.started(request)]
      case .undoneBefore: throw .undoneBefore("Library \(request.barcode) was undone before it was started.")
      case .started, .made, .measuring, .measured: throw .exists(name)
      case .cancelled: throw .gone("Library \(request.barcode) was cancelled; a new one needs a new id.")
      }
    case .cancel:
      let request = try library.require(.started, "can be cancelled")
      return [.cancelled(barcode: request.barcode)]
    case .make(let place):
      _ = try library.require(.started, "can be made")
      return [.made(place)]
    case .bookQC(let booking):
      _ = try library.require(.made, "can be booked for its quality control")
      return [.qcBooked(booking)]
    case .record(let reading):
      _ = try library.require(.measuring, "takes a result")
      return [.measured(reading)]
    }
  }

  func present() throws(LabRefusal) -> Request {
    switch status {
    case .undoneBefore: throw .gone("The library was undone before it was started.")
    case .cancelled: throw .gone("The library is cancelled.")
    case .absent, .started, .made, .measuring, .measured: break
    }
    guard let request else { throw .missing("library") }
    return request
  }

  private func require(_ wanted: Status, _ what: String) throws(LabRefusal) -> Request {
    let request = try present()
    guard status == wanted else {
      throw Self.wrongState(
        "Library \(request.barcode) is \(status.rawValue). A library \(what) while it is \(wanted.rawValue).")
    }
    return request
  }

  static func wrongState(_ message: String) -> LabRefusal {
    LabRefusal(LabErrorCode.libraryState, status: 409, message)
  }

  static func evolve(_ library: Library, _ event: LibraryEvent) -> Library {
    var library = library
    switch event {
    case .started(let request):
      library.status = .started
      library.request = request
    case .undoneBefore: library.status = .undoneBefore
    case .cancelled: library.status = .cancelled
    case .made(let place):
      library.status = .made
      library.place = place
    case .qcBooked(let booking):
      library.status = .measuring
      library.booking = booking
    case .measured(let reading):
      library.status = .measured
      library.reading = reading
    case .undoNoted: break
    }
    return library
  }

  /// The reasons why a measured library failed; empty for one that passed, nil for one that is not measured.
  private var reasons: [String]? {
    guard let booking, let reading else { return nil }
    return booking.limits.reasons(against: reading)
  }

  /// Returns what pools need of the library.
  /// - Throws: a refusal when the library has not passed its quality control.
  func poolable() throws(LabRefusal) -> LibraryStock.Content {
    let request = try present()
    guard let place, let reading, let reasons, reasons.isEmpty else {
      let state = reasons == nil ? status.rawValue : "failed"
      throw Self.wrongState(
        "Library \(request.barcode) is \(state). Pools take a library that has passed its quality control.")
    }
    return LibraryStock.Content(
      barcode: request.barcode, indexes: IndexPair(i7: place.tags.i7, i5: place.tags.i5), reading: reading,
      volumeUl: Self.elutedUl)
  }

  /// The form in which a library is shown. A measured one has its verdict as its status: `passed` or `failed`.
  var json: JSON {
    guard let request else { return ["status": .string(status.rawValue)] }
    var json = request.json
    for (name, value) in place?.json ?? [:] { json[name] = value }
    json["status"] = .string(status.rawValue)
    guard let reading, let reasons else { return .object(json) }
    for (name, value) in reading.json { json[name] = value }
    json["nM"] = reading.molarity.json
    json["reasons"] = .array(reasons.map { .string($0) })
    json["status"] = reasons.isEmpty ? "passed" : "failed"
    return .object(json)
  }
}

extension Library {
  /// The volume of a library after its clean-up, in µl. The robot elutes each in the same volume.
  static let elutedUl = Amount(thousandths: 20_000)

  /// What the analyzer measures of a library for which no other result was recorded.
  private static let usual = LibraryReading(ngPerUl: Amount(thousandths: 8_250), sizeBp: 500)

  /// Returns the library as the analyzer shows it.
  /// - Parameters:
  ///   - now: decides whether the analyzer is done.
  ///   - time: how long the analyzer takes from the booking.
  func measured(at now: Timestamp, time: Duration) -> Library {
    guard status == .measuring, let booking, booking.bookedAt + time <= now else { return self }
    return Library.evolve(self, .measured(Self.usual))
  }
}

extension Library.Request {
  fileprivate var json: JSONObject {
    ["id": .string(id.description), "barcode": .string(barcode), "sample": .string(sample)]
  }
}

extension Library.Place {
  fileprivate var json: JSONObject {
    var json = tags.members
    json["plateId"] = .string(plateID.description)
    json["well"] = .string(well)
    json["tagPlate"] = .string(tagPlate)
    return json
  }
}

/// An event of a library.
enum LibraryEvent: CreatingEvent {
  case started(Library.Request)
  case undoneBefore
  case cancelled(barcode: String)
  case made(Library.Place)
  case qcBooked(Library.Booking)
  case measured(LibraryReading)
  /// An undo came before its command. The command is refused from now on.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .started: "library.started"
    case .undoneBefore: "library.undoneBefore"
    case .cancelled: "library.cancelled"
    case .made: "library.made"
    case .qcBooked: "library.qcBooked"
    case .measured: "library.measured"
    case .undoNoted: "library.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .started(let request): .object(request.json)
    case .undoneBefore: [:]
    case .cancelled(let barcode): ["barcode": .string(barcode)]
    case .made(let place): .object(place.json)
    case .qcBooked(let booking):
      ["limits": .object(booking.limits.json), "bookedAt": .string(booking.bookedAt.description)]
    case .measured(let reading): .object(reading.json)
    case .undoNoted(let command): ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    switch type {
    case "library.started":
      self = .started(
        Library.Request(
          id: try members.id("id"), barcode: try members.string("barcode"), sample: try members.string("sample")))
    case "library.undoneBefore": self = .undoneBefore
    case "library.cancelled": self = .cancelled(barcode: try members.string("barcode"))
    case "library.made":
      self = .made(
        Library.Place(
          plateID: try members.id("plateId"), well: try members.string("well"),
          tagPlate: try members.string("tagPlate"), tags: try TagPair(members)))
    case "library.qcBooked":
      self = .qcBooked(
        Library.Booking(
          limits: try LibraryLimits(try members.object("limits")), bookedAt: try members.timestamp("bookedAt")))
    case "library.measured": self = .measured(try LibraryReading(members))
    case "library.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] {
    switch self {
    case .started(let request): [LabClaim(.library, request.barcode)]
    case .undoneBefore, .cancelled, .made, .qcBooked, .measured, .undoNoted: []
    }
  }

  var releases: [LabClaim] {
    switch self {
    case .cancelled(let barcode): [LabClaim(.library, barcode)]
    case .started, .undoneBefore, .made, .qcBooked, .measured, .undoNoted: []
    }
  }
}
