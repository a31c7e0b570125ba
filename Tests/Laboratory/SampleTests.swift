import JSON
import TestSupport
import Testing
import Values

@testable import Laboratory

@Suite("A sample", .timeLimit(.minutes(15)), .inTurn)
struct SampleTests {
  typealias Spec = AggregateSpec<Sample>
  static let now = Timestamp(milliseconds: 1_772_352_000_000)
  static let aliquot = UniqueID.named("aliquot")

  static func tube(
    _ type: SampleType = .blood, zone: Zone? = .plus4, collectedAt: Timestamp? = nil
  ) throws -> Sample.Declaration {
    Sample.Declaration(
      id: .named("tube"), barcode: try #require(Barcode("TS-1")), type: type, volume: Volume(nanolitres: 4_000_000),
      zone: zone, patientID: "P-1", collectedAt: collectedAt)
  }

  @Test func created() throws {
    Spec.given().when(.create(try Self.tube())).then(.created(try Self.tube()))
  }

  @Test func `an id is used once`() throws {
    let tube = try Self.tube()
    Spec.given(.created(tube)).when(.create(tube)).thenRefused("lab.exists", 409)
    Spec.given(.created(tube), .voided(reason: nil)).when(.create(tube)).thenRefused("lab.gone", 410)
    Spec.given(.undoneBefore).when(.create(tube)).thenRefused("lab.undoneBefore", 410)
    Spec.given(.undoNoted(command: "k")).when(.create(tube)).then(.created(tube))
  }

  @Test func `validated once, and again after it was reverted`() throws {
    let tube = try Self.tube()
    Spec.given(.created(tube)).when(.validate(at: Self.now)).then(.validated(at: Self.now))
    Spec.given(.created(tube), .validated(at: Self.now)).when(.validate(at: Self.now))
      .thenRefused("samples.wrongState", 409)
    Spec.given(.created(tube), .validated(at: Self.now)).when(.revertValidation).then(.validationReverted)
    Spec.given(.created(tube), .validated(at: Self.now), .validationReverted).when(.validate(at: Self.now))
      .then(.validated(at: Self.now))
    Spec.given(.created(tube)).when(.revertValidation).thenRefused("lab.gone", 410)
    Spec.given().when(.validate(at: Self.now)).thenRefused("lab.unknown", 404)
  }

  @Test(arguments: SampleType.allCases, Zone.allCases)
  func `validation refuses a temperature that the type doesn't keep at`(type: SampleType, zone: Zone) throws {
    let outcome = Spec.given(.created(try Self.tube(type, zone: zone))).when(.validate(at: Self.now))
    if type.zones.contains(zone) {
      outcome.then(.validated(at: Self.now))
    } else {
      outcome.thenRefused("samples.notAcceptable", 422)
    }
  }

  @Test func `validation refuses a tube from the future`() throws {
    let tube = try Self.tube(collectedAt: Self.now + .seconds(1))
    Spec.given(.created(tube)).when(.validate(at: Self.now)).thenRefused("samples.notAcceptable", 422)
  }

  @Test func `aliquots add up, and what was drawn stays lost`() throws {
    let tube = try Self.tube()
    let barcode = try #require(Barcode("TS-1-A"))
    let drawn = SampleEvent.aliquoted(id: Self.aliquot, barcode: barcode, volume: Volume(nanolitres: 3_000_000))
    let more = Sample.Command.aliquot(id: .named("b"), barcode: barcode, volume: Volume(nanolitres: 1_000_001))
    Spec.given(.created(tube), .validated(at: Self.now))
      .when(.aliquot(id: Self.aliquot, barcode: barcode, volume: Volume(nanolitres: 3_000_000))).then(drawn)
    Spec.given(.created(tube), .validated(at: Self.now), drawn).when(more).thenRefused("samples.volumeShort", 409)
    Spec.given(.created(tube), .validated(at: Self.now), drawn, .aliquotVoided(id: Self.aliquot)).when(more)
      .thenRefused("samples.volumeShort", 409)
    Spec.given(.created(tube), .validated(at: Self.now), drawn).when(.voidAliquot(id: Self.aliquot))
      .then(.aliquotVoided(id: Self.aliquot))
    Spec.given(.created(tube), .validated(at: Self.now)).when(.voidAliquot(id: Self.aliquot))
      .thenRefused("lab.unknown", 404)
    Spec.given(.created(tube)).when(more).thenRefused("samples.wrongState", 409)
  }

  @Test func `voided from any status, once`() throws {
    let tube = try Self.tube()
    Spec.given(.created(tube)).when(.void(reason: "spilt")).then(.voided(reason: "spilt"))
    Spec.given(.created(tube), .validated(at: Self.now)).when(.void(reason: nil)).then(.voided(reason: nil))
    Spec.given(.created(tube), .voided(reason: nil)).when(.void(reason: nil)).thenRefused("lab.gone", 410)
    Spec.given().when(.void(reason: nil)).thenRefused("lab.unknown", 404)
  }

  @Test func `a barcode is claimed and never released`() throws {
    let tube = try Self.tube()
    #expect(SampleEvent.created(tube).claims == [LabClaim(.barcode, "TS-1")])
    #expect(SampleEvent.voided(reason: nil).releases.isEmpty)
  }

  @Test func stored() throws {
    let barcode = try #require(Barcode("TS-1-A"))
    let tube = try Self.tube(collectedAt: Self.now)
    try expectStorable(SampleEvent.created(tube))
    try expectStorable(SampleEvent.created(try Self.tube(zone: nil)))
    let events: [SampleEvent] = [
      .undoneBefore, .validated(at: Self.now), .validationReverted,
      .aliquoted(id: Self.aliquot, barcode: barcode, volume: Volume(nanolitres: 1)), .aliquotVoided(id: Self.aliquot),
      .labelPrinted(position: "C4-1/B01/A01", at: Self.now), .labelVoided,
      .voided(reason: nil), .voided(reason: "x"), .undoNoted(command: "k"),
    ]
    for event in events { try expectStorable(event) }
    #expect(throws: UnreadableEvent.self) { try SampleEvent(type: "sample.eaten", data: [:]) }
    #expect(throws: UnreadableEvent.self) { try SampleEvent(type: "sample.created", data: [:]) }
  }

  @Test(arguments: [
    ("", false), ("A", true), (String(repeating: "x", count: 50), true), (String(repeating: "x", count: 51), false),
    (" A", false), ("A ", false), ("A\nB", false), ("A B", true),
  ])
  func barcodes(text: String, isOne: Bool) { #expect((Barcode(text) != nil) == isOne) }

  @Test(arguments: [
    (0.0, false), (-1.0, false), (0.000001, true), (1000.0, true), (1000.1, false), (1200.0, false), (0.1, true),
    (Double.infinity, false), (Double.nan, false),
  ])
  func volumes(millilitres: Double, isOne: Bool) { #expect((Volume(millilitres: millilitres) != nil) == isOne) }

  @Test(arguments: [
    ("-80", Zone.minus80), ("\u{2212}80", .minus80), ("-80C", .minus80), ("-20 °C", .minus20), ("4", .plus4),
    ("+4", .plus4), ("ln2", .nitrogen), ("RT", .ambient),
  ])
  func zones(text: String, zone: Zone) { #expect(Zone(text: text) == zone) }

  @Test(arguments: ["", "5", "c", "cold", "-80F"])
  func noZones(text: String) { #expect(Zone(text: text) == nil) }
}
