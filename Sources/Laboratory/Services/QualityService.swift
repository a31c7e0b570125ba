import HTTP
import JSON
import Persistence
import Runtime
import Values

/// The quality control service: its commands, and its queries over HTTP, under `/qc`.
///
/// Its measurements and decisions are named by the reservation of the wells and by the sample's barcode.
struct QualityService: Sendable {
  let commandHandler: CommandHandler
  let gate: CommandGate
  let queries: LabQueries
  /// How long the fluorometer takes, once a measurement is booked.
  let measurementTime: Duration

  var commands: [ServiceCommand] {
    let measurement = "/measurements/{reservationId}/{barcode}/{instrument}"
    let decision = "/decisions/{reservationId}/{barcode}"
    return [
      ServiceCommand(
        .qc, "reserveWells", "PUT /plates/{plate}/reservations/{reservationId}", "POST /plates/{plate}/reservations"
      ) {
        try await reserveWells($0)
      },
      ServiceCommand(.qc, "releaseWells", "DELETE /plates/{plate}/reservations/{reservationId}") {
        try await releaseWells($0)
      },
      ServiceCommand(.qc, "bookMeasurement", "PUT \(measurement)") { try await bookMeasurement($0) },
      ServiceCommand(.qc, "cancelMeasurement", "DELETE \(measurement)") { received in
        let id = try Measured(received).id
        return try await commandHandler.undo(.cancel, received.call, on: id, as: Measurement.self, creates: true)
      },
      ServiceCommand(.qc, "recordMeasurement", "POST \(measurement)/result", "PUT \(measurement)/result") {
        try await recordMeasurement($0)
      },
      ServiceCommand(.qc, "evaluate", "PUT \(decision)") { try await evaluate($0) },
      ServiceCommand(.qc, "withdrawDecision", "DELETE \(decision)") { received in
        let id = try Decided(received).id
        return try await commandHandler.undo(.withdraw, received.call, on: id, as: QualityDecision.self, creates: true)
      },
      ServiceCommand(.qc, "answer", "POST \(decision)/answer", "PUT \(decision)/answer") { received in
        var fields = try Fields(received.body)
        let words = QualityDecision.Answer.allCases.map(\.rawValue)
        let answer = fields.named("decision", words) { QualityDecision.Answer(rawValue: $0) }
        return try await decide(received, .answer(try fields.checked(answer)))
      },
      ServiceCommand(.qc, "recordDecision", "POST \(decision)/record", "PUT \(decision)/record") {
        try await decide($0, .record)
      },
    ]
  }

  func queryRoutes(in router: inout Router) {
    router.on("GET", "/qc/plates/{plate}") { _, path in
      try await gate.query {
        let name = try Self.barcode(path.value("plate"), "plate")
        let plate = try await commandHandler.load(WellPlate.self, WellPlate.id(of: name)).state
        guard plate.plate != nil else { throw LabRefusal.unknown("plate", name) }
        return plate.json
      }
    }
    router.on("GET", "/qc/measurements/{reservation}/{barcode}/{instrument}") { _, path in
      try await gate.query {
        let measured = try Measured(
          reservation: CommandGate.id(path, "reservation"), barcode: path.value("barcode"),
          instrument: path.value("instrument"))
        let measurement = try await commandHandler.load(Measurement.self, measured.id).state
        guard measurement.booking != nil else { throw LabRefusal.unknown("measurement of sample", measured.barcode) }
        return shown(measurement).json
      }
    }
    router.on("GET", "/qc/decisions/{reservation}/{barcode}") { _, path in
      try await gate.query {
        let decided = try Decided(reservation: CommandGate.id(path, "reservation"), barcode: path.value("barcode"))
        let decision = try await commandHandler.load(QualityDecision.self, decided.id).state
        guard decision.evaluation != nil else { throw LabRefusal.unknown("decision on sample", decided.barcode) }
        return decision.json
      }
    }
    router.on("GET", "/qc/decisions") { request, _ in
      try await gate.query {
        var wanted = LabQueries.Wanted(collection: .decisions)
        for name in ["barcode", "plate", "status", "outcome", "sagaId"] {
          wanted.fields[name] = request.query(name).map(VisibleText.normal)
        }
        return try await queries.list(wanted, request).json
      }
    }
  }

  // MARK: Names

  /// The sample of a reservation that a command is about.
  private struct Decided {
    let reservation: UniqueID
    let barcode: String
    var id: UniqueID { QualityDecision.id(of: barcode, in: reservation) }

    init(reservation: UniqueID, barcode: String) throws(LabRefusal) {
      self.reservation = reservation
      self.barcode = try QualityService.barcode(barcode, "barcode")
    }

    init(_ received: ReceivedCommand) throws(LabRefusal) {
      try self.init(reservation: received.id("reservationId"), barcode: received.parameters["barcode"] ?? "")
    }
  }

  /// The measurement that a command is about.
  private struct Measured {
    let reservation: UniqueID
    let barcode: String
    let instrument: Measurement.Instrument
    var id: UniqueID { Measurement.id(of: barcode, in: reservation, on: instrument) }

    init(reservation: UniqueID, barcode: String, instrument: String) throws(LabRefusal) {
      guard let known = Measurement.Instrument(rawValue: instrument) else {
        let words = Measurement.Instrument.allCases.map(\.rawValue).joined(separator: ", ")
        throw .invalid([LabRefusal.Place(pointer: "/instrument", message: "must be one of \(words)")])
      }
      self.reservation = reservation
      self.barcode = try QualityService.barcode(barcode, "barcode")
      self.instrument = known
    }

    init(_ received: ReceivedCommand) throws(LabRefusal) {
      try self.init(
        reservation: received.id("reservationId"), barcode: received.parameters["barcode"] ?? "",
        instrument: received.parameters["instrument"] ?? "")
    }
  }

  /// Returns the barcode of a plate or of a sample in normalization form C.
  private static func barcode(_ text: String, _ name: String) throws(LabRefusal) -> String {
    guard let barcode = Barcode(text) else {
      throw .invalid([LabRefusal.Place(pointer: "/\(name)", message: Barcode.rule)])
    }
    return barcode.text
  }

  // MARK: Wells

  private func reserveWells(_ received: ReceivedCommand) async throws -> Answer {
    let plate = try Self.barcode(received.parameters["plate"] ?? "", "plate")
    let id = try received.id("reservationId")
    var fields = try Fields(received.body)
    let barcodes = fields.barcodes(atMost: PositionName.wellsPerBox)
    try fields.check()
    return try await commandHandler.perform(received.call, on: WellPlate.id(of: plate), as: WellPlate.self) {
      (state) throws(LabRefusal) in
      try WellPlate.decide(.reserve(id: id, plate: plate, barcodes: barcodes), state)
    } answer: {
      Answer(status: 201, body: $0.json(of: id))
    }.answer
  }

  private func releaseWells(_ received: ReceivedCommand) async throws -> Answer {
    let plate = try Self.barcode(received.parameters["plate"] ?? "", "plate")
    let id = try received.id("reservationId")
    return try await commandHandler.undo(
      received.call, on: WellPlate.id(of: plate), as: WellPlate.self, creates: false
    ) { (state) throws(LabRefusal) in
      try WellPlate.decide(.release(id: id), state)
    } answer: {
      Answer(status: 200, body: $0.json(of: id))
    }
  }

  // MARK: Measurements

  private func shown(_ measurement: Measurement) -> Measurement {
    measurement.measured(at: commandHandler.environment.now(), time: measurementTime)
  }

  private func bookMeasurement(_ received: ReceivedCommand) async throws -> Answer {
    let measured = try Measured(received)
    var fields = try Fields(received.body)
    let plateCode = fields.barcode("plate")
    let aliquot = fields.optionalIdentifier("aliquot", longest: Barcode.longest)
    let plate = try fields.checked(plateCode).text
    // The wells may be released since the first time.
    if let first = try await commandHandler.firstAnswer(to: received.call) { return first }
    let wells = try await commandHandler.load(WellPlate.self, WellPlate.id(of: plate)).state
    guard let well = wells.well(of: measured.barcode, in: measured.reservation) else {
      throw LabRefusal(
        LabErrorCode.notReserved, status: 409,
        "Reservation \(measured.reservation) has no well for sample \(measured.barcode) on plate \(plate).")
    }
    let booking = Measurement.Booking(
      reservationID: measured.reservation, barcode: measured.barcode, instrument: measured.instrument, plate: plate,
      well: well, aliquot: aliquot, bookedAt: commandHandler.environment.now())
    return try await commandHandler.perform(
      .book(booking), received.call, on: measured.id, as: Measurement.self, status: 201
    ).answer
  }

  private func recordMeasurement(_ received: ReceivedCommand) async throws -> Answer {
    let measured = try Measured(received)
    let command = try Self.result(received.body, of: measured.instrument)
    return try await commandHandler.perform(received.call, on: measured.id, as: Measurement.self) {
      (state) throws(LabRefusal) in
      try Measurement.decide(command, shown(state))
    } answer: {
      Answer(status: 200, body: $0.json)
    }.answer
  }

  /// Reads a result: the values that the instrument measures, or the `error` with which it failed.
  private static func result(
    _ body: JSON?, of instrument: Measurement.Instrument
  ) throws(LabRefusal) -> Measurement.Command {
    var fields = try Fields(body)
    if let error = fields.optionalText("error", longest: 500) {
      try fields.check()
      return .fail(error: error)
    }
    var reading = Measurement.Reading()
    switch instrument {
    case .fluorometer:
      reading.ngPerUl = fields.amount("ngPerUl", isRequired: true)
      reading.volumeUl = fields.amount("volumeUl", isRequired: true)
    case .fragmentAnalyzer:
      reading.sizeBp = fields.integer("sizeBp", from: 1, isRequired: true)
      reading.rin = fields.amount("rin", isRequired: false)
      if let rin = reading.rin, !(1_000...10_000).contains(rin.thousandths) {
        fields.refuse("rin", "must be a number from 1 to 10")
      }
    }
    try fields.check()
    return .record(reading)
  }

  // MARK: Decisions

  private func evaluate(_ received: ReceivedCommand) async throws -> Answer {
    let decided = try Decided(received)
    var fields = try Fields(received.body)
    let sampleType = fields.sampleType()
    let limits = try QualityLimits(&fields)
    let type = try fields.checked(sampleType)
    // A measurement may be cancelled since the first time.
    if let first = try await commandHandler.firstAnswer(to: received.call) { return first }
    let (booking, concentration) = try await reading(of: decided, on: .fluorometer)
    let (_, fragments) = try await reading(of: decided, on: .fragmentAnalyzer)
    let reading = concentration.joined(with: fragments)
    let evaluation = QualityDecision.Evaluation(
      reservationID: decided.reservation, barcode: decided.barcode, plate: booking.plate, type: type,
      reading: reading, reasons: limits.reasons(against: reading, of: type))
    return try await commandHandler.perform(
      .evaluate(evaluation), received.call, on: decided.id, as: QualityDecision.self, status: 201
    ).answer
  }

  private func reading(
    of decided: Decided, on instrument: Measurement.Instrument
  ) async throws -> (booking: Measurement.Booking, reading: Measurement.Reading) {
    let id = Measurement.id(of: decided.barcode, in: decided.reservation, on: instrument)
    let measurement = shown(try await commandHandler.load(Measurement.self, id).state)
    guard measurement.status == .recorded, let booking = measurement.booking, let reading = measurement.reading else {
      throw LabRefusal(
        LabErrorCode.notMeasured, status: 409,
        "The \(instrument.rawValue) has no result of sample \(decided.barcode): its measurement is \(measurement.status.rawValue)."
      )
    }
    return (booking, reading)
  }

  private func decide(_ received: ReceivedCommand, _ command: QualityDecision.Command) async throws -> Answer {
    try await commandHandler.perform(
      command, received.call, on: try Decided(received).id, as: QualityDecision.self, status: 200
    ).answer
  }
}
