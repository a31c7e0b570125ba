import JSON
import TestSupport
import Testing
import Values

@testable import Laboratory

private let began = Timestamp(milliseconds: 1_772_355_600_000)
private let reservation = UniqueID.named("rv")

@Suite("An amount", .timeLimit(.minutes(15)), .inTurn)
struct AmountTests {
  @Test(
    "is read as people write it",
    arguments: [
      ("12", 12_000), ("0", 0), ("12.5", 12_500), ("0.001", 1), ("7.250", 7_250), ("7.2500", 7_250), ("1e2", 100_000),
      ("1.5e1", 15_000),
      ("50000", 50_000_000), ("49999.999", 49_999_999),
    ])
  func read(text: String, thousandths: Int) throws {
    let amount = try #require(JSON(parsing: text).numberValue.flatMap { Amount($0) })
    #expect(amount.thousandths == thousandths)
    #expect(try amount.json == JSON(parsing: text))
  }

  @Test(
    "below 0, too large or too exact is refused",
    arguments: ["-1", "-0.5", "50000.001", "50001", "0.0001", "1.5e-1", "1e9", "9223372036854775808"])
  func refused(text: String) throws { #expect(try JSON(parsing: text).numberValue.flatMap { Amount($0) } == nil) }
}

@Suite("A plate", .timeLimit(.minutes(15)), .inTurn)
struct WellPlateTests {
  typealias Spec = AggregateSpec<WellPlate>
  static let two = reserved("rv", [("A01", "TS-1"), ("A02", "TS-2")])

  static func reserved(_ id: String, _ wells: [(String, String)]) -> PlateEvent {
    .wellsReserved(
      plate: "QC-1",
      WellPlate.Reservation(id: .named(id), wells: wells.map { WellPlate.Well(name: $0.0, barcode: $0.1) }))
  }

  private static func reserve(_ id: String, _ barcodes: [String]) -> WellPlate.Command {
    .reserve(id: .named(id), plate: "QC-1", barcodes: barcodes)
  }

  @Test func `gives each sample the next free well`() {
    Spec.given().when(Self.reserve("rv", ["TS-1", "TS-2"])).then(Self.two)
    Spec.given(Self.two).when(Self.reserve("b", ["TS-3"])).then(Self.reserved("b", [("A03", "TS-3")]))
    Spec.given(Self.two, .wellsReleased(id: reservation)).when(Self.reserve("b", ["TS-3"]))
      .then(Self.reserved("b", [("A01", "TS-3")]))
    Spec.given(Self.two).when(Self.reserve("rv", ["TS-3"])).thenRefused("lab.exists", 409)
    Spec.given(Self.two, .wellsReleased(id: reservation)).when(Self.reserve("rv", ["TS-1"]))
      .thenRefused("lab.gone", 410)
  }

  @Test func `holds 96 samples`() {
    let all = (1...96).map { "TS-\($0)" }
    let state = WellPlate.evolve(.absent, Self.two)
    #expect(throws: LabRefusal.self) { try WellPlate.decide(Self.reserve("b", Array(all.prefix(95))), state) }
    Spec.given(Self.two).when(Self.reserve("b", Array(all.prefix(95)))).thenRefused("qc.plateFull", 409)
    let outcome = Spec.given().when(Self.reserve("rv", all))
    guard case .wellsReserved(_, let made)? = outcome.events.first else {
      Issue.record("nothing was reserved")
      return
    }
    #expect(made.wells.map(\.name).first == "A01" && made.wells.map(\.name).last == "H12")
    #expect(Set(made.wells.map(\.name)).count == 96)
  }

  @Test func `releases a reservation once`() {
    Spec.given(Self.two).when(.release(id: reservation)).then(.wellsReleased(id: reservation))
    Spec.given(Self.two, .wellsReleased(id: reservation)).when(.release(id: reservation)).thenRefused("lab.gone", 410)
    Spec.given(Self.two).when(.release(id: .named("other"))).thenRefused("lab.unknown", 404)
    let plate = [Self.two, .wellsReleased(id: reservation)].reduce(WellPlate.absent, WellPlate.evolve)
    #expect(plate.well(of: "TS-1", in: reservation) == nil)
    #expect(plate.json["free"] == 96 && plate.json["wells"] == [])
    #expect(plate.json(of: reservation)["status"] == "released")
  }

  @Test func stored() throws {
    for event in [Self.two, .wellsReleased(id: reservation), .undoNoted(command: "k")] { try expectStorable(event) }
  }
}

@Suite("A measurement", .timeLimit(.minutes(15)), .inTurn)
struct MeasurementTests {
  typealias Spec = AggregateSpec<Measurement>
  static let booking = Measurement.Booking(
    reservationID: reservation, barcode: "TS-1", instrument: .fluorometer, plate: "QC-1", well: "A01",
    aliquot: "TS-1-QC", bookedAt: began)
  static let reading = Measurement.Reading(
    ngPerUl: Amount(thousandths: 8_500), volumeUl: Amount(thousandths: 12_000), sizeBp: 480,
    rin: Amount(thousandths: 7_200))
  static let booked = MeasurementEvent.booked(booking)

  @Test func `booked, and recorded once`() {
    Spec.given().when(.book(Self.booking)).then(Self.booked)
    Spec.given(Self.booked).when(.book(Self.booking)).thenRefused("lab.exists", 409)
    Spec.given(Self.booked, .cancelled).when(.book(Self.booking)).thenRefused("lab.gone", 410)
    Spec.given(.undoneBefore).when(.book(Self.booking)).thenRefused("lab.undoneBefore", 410)
    Spec.given(Self.booked).when(.record(Self.reading)).then(.recorded(Self.reading))
    Spec.given(Self.booked, .recorded(Self.reading)).when(.record(Self.reading)).thenRefused("qc.wrongState", 409)
    Spec.given(Self.booked).when(.fail(error: "NO_SAMPLE")).then(.failed(error: "NO_SAMPLE"))
    Spec.given(Self.booked, .failed(error: "x")).when(.record(Self.reading)).thenRefused("qc.wrongState", 409)
    Spec.given().when(.record(Self.reading)).thenRefused("lab.unknown", 404)
  }

  @Test func `cancelled at any time, once`() {
    Spec.given(Self.booked).when(.cancel).then(.cancelled)
    Spec.given(Self.booked, .recorded(Self.reading)).when(.cancel).then(.cancelled)
    Spec.given(Self.booked, .cancelled).when(.cancel).thenRefused("lab.gone", 410)
    Spec.given().when(.cancel).thenRefused("lab.unknown", 404)
  }

  @Test func `measured by the fluorometer after its time, unless a result was recorded`() {
    let booked = Measurement.evolve(.absent, Self.booked)
    let early = booked.measured(at: began + .seconds(9), time: .seconds(10))
    #expect(early.status == .booked && early.reading == nil)
    let done = booked.measured(at: began + .seconds(10), time: .seconds(10))
    #expect(done.json["status"] == "recorded" && done.json["ngPerUl"] == 120 && done.json["volumeUl"] == 12)
    let recorded = Measurement.evolve(booked, .recorded(Self.reading))
    #expect(recorded.measured(at: began + .seconds(60), time: .seconds(10)) == recorded)
    var other = Self.booking
    other.instrument = .fragmentAnalyzer
    let waiting = Measurement.evolve(.absent, .booked(other)).measured(at: began + .seconds(60), time: .seconds(10))
    #expect(waiting.status == .booked)
  }

  @Test func stored() throws {
    let events: [MeasurementEvent] = [
      Self.booked, .undoneBefore, .recorded(Self.reading), .recorded(Measurement.Reading(sizeBp: 480)),
      .failed(error: "x"), .cancelled, .undoNoted(command: "k"),
    ]
    for event in events { try expectStorable(event) }
  }
}

@Suite("The limits of quality control", .timeLimit(.minutes(15)), .inTurn)
struct QualityLimitsTests {
  static let limits = QualityLimits(
    leastNgPerUl: Amount(thousandths: 20_000), mostNgPerUl: Amount(thousandths: 750_000),
    leastUl: Amount(thousandths: 10_000), leastNg: Amount(thousandths: 1_000_000),
    leastRIN: Amount(thousandths: 7_000))

  /// Concentration, volume, RIN, type, and the reasons against them.
  static let cases: [(Int?, Int?, Int?, SampleType, [String])] = [
    (120_000, 12_000, nil, .dna, []),
    (100_000, 10_000, nil, .dna, []),
    (750_000, 10_000, nil, .dna, []),
    (750_001, 10_000, nil, .dna, ["750.001 ng/µl is above 750"]),
    (20_000, 50_000, nil, .dna, []),
    (19_999, 60_000, nil, .dna, ["19.999 ng/µl is below 20"]),
    (200_000, 9_999, nil, .dna, ["9.999 µl is below 10"]),
    (83_333, 12_000, nil, .dna, ["999.996 ng is below 1000"]),
    (8_500, 8_000, nil, .dna, ["8.5 ng/µl is below 20", "8 µl is below 10", "68 ng is below 1000"]),
    (120_000, 12_000, 7_000, .rna, []),
    (120_000, 12_000, 6_900, .rna, ["RIN 6.9 is below 7"]),
    (120_000, 12_000, 6_900, .dna, []),
    (120_000, 12_000, nil, .rna, ["the RIN is missing"]),
    (nil, nil, nil, .dna, ["the concentration is missing", "the volume is missing"]),
  ]

  @Test("name every reason, exactly at their edges", arguments: cases)
  func reasons(ngPerUl: Int?, volumeUl: Int?, rin: Int?, type: SampleType, reasons: [String]) {
    func amount(_ thousandths: Int?) -> Amount? { thousandths.map { Amount(thousandths: $0) } }
    let reading = Measurement.Reading(ngPerUl: amount(ngPerUl), volumeUl: amount(volumeUl), rin: amount(rin))
    #expect(Self.limits.reasons(against: reading, of: type) == reasons)
  }

  @Test("are all required, and each wrong one is named")
  func read() throws {
    var fields = try Fields(["leastNgPerUl": 20, "mostNgPerUl": "750", "leastUl": -1, "leastNg": 1000])
    let refusal = #expect(throws: LabRefusal.self) { try QualityLimits(&fields) }
    #expect(refusal?.places.map(\.pointer) == ["/mostNgPerUl", "/leastUl", "/leastRin"])
  }
}

@Suite("A decision on a sample", .timeLimit(.minutes(15)), .inTurn)
struct QualityDecisionTests {
  typealias Spec = AggregateSpec<QualityDecision>
  static func evaluation(_ reasons: [String]) -> QualityDecision.Evaluation {
    QualityDecision.Evaluation(
      reservationID: reservation, barcode: "TS-1", plate: "QC-1", type: .rna, reading: MeasurementTests.reading,
      reasons: reasons)
  }
  static let passed = DecisionEvent.evaluated(evaluation([]))
  static let failed = DecisionEvent.evaluated(evaluation(["RIN 4 is below 7"]))

  @Test(
    "is recorded with what becomes of the sample",
    arguments: [
      ([passed], "passed"), ([failed], "onHold"), ([failed, .answered(.proceed)], "atRisk"),
      ([failed, .answered(.replace)], "replace"), ([failed, .answered(.cancel)], "cancelled"),
    ] as [([DecisionEvent], String)])
  func outcomes(events: [DecisionEvent], outcome: String) throws {
    let decision = events.reduce(QualityDecision.absent, QualityDecision.evolve)
    let recorded = try QualityDecision.decide(.record, decision).reduce(decision, QualityDecision.evolve)
    #expect(recorded.json["outcome"]?.stringValue == outcome && recorded.json["status"] == "recorded")
    #expect(recorded.json["massNg"] == 102 && recorded.json["rin"] == 7.2)
    #expect(throws: LabRefusal.self) { try QualityDecision.decide(.record, recorded) }
  }

  @Test func `takes one answer, and only for a sample that failed`() {
    Spec.given(Self.failed).when(.answer(.proceed)).then(.answered(.proceed))
    Spec.given(Self.failed, .answered(.proceed)).when(.answer(.cancel)).thenRefused("qc.wrongState", 409)
    Spec.given(Self.passed).when(.answer(.proceed)).thenRefused("qc.wrongState", 409)
    Spec.given().when(.answer(.proceed)).thenRefused("lab.unknown", 404)
  }

  @Test func `withdrawn once`() {
    Spec.given(Self.failed, .recorded(.onHold)).when(.withdraw).then(.withdrawn)
    Spec.given(Self.failed, .withdrawn).when(.withdraw).thenRefused("lab.gone", 410)
    Spec.given(Self.failed, .withdrawn).when(.evaluate(Self.evaluation([]))).thenRefused("lab.gone", 410)
    Spec.given(.undoneBefore).when(.evaluate(Self.evaluation([]))).thenRefused("lab.undoneBefore", 410)
    Spec.given(Self.passed).when(.evaluate(Self.evaluation([]))).thenRefused("lab.exists", 409)
  }

  @Test func stored() throws {
    let events: [DecisionEvent] = [
      Self.passed, Self.failed, .undoneBefore, .answered(.replace), .recorded(.atRisk), .withdrawn,
      .undoNoted(command: "k"),
    ]
    for event in events { try expectStorable(event) }
  }
}
