import JSON
import Runtime
import TestSupport
import Testing
import Values

@testable import Laboratory

private let began = Timestamp(milliseconds: 1_772_355_600_000)  // 2026-03-01T09:00:00Z
private let (first, second) = (UniqueID.named("rv"), UniqueID.named("other"))

private func day(_ text: String) throws -> LastDay { try #require(LastDay(text)) }

@Suite("The last day", .timeLimit(.minutes(15)), .inTurn)
struct LastDayTests {
  @Test func `ends at midnight in UTC`() throws {
    let last = try day("2026-03-01")
    #expect(!last.hasPassed(at: began))
    #expect(!last.hasPassed(at: try #require(Timestamp("2026-03-01T23:59:59.999Z"))))
    #expect(last.hasPassed(at: try #require(Timestamp("2026-03-02T00:00:00Z"))))
    #expect(last.description == "2026-03-01")
  }

  @Test(
    "A text that is not a date is refused", arguments: ["", "2026-3-1", "2026-02-30", "2026-03-01T00:00:00Z", "soon"])
  func refused(text: String) { #expect(LastDay(text) == nil) }
}

@Suite("A lot of reagents", .timeLimit(.minutes(15)), .inTurn)
struct ReagentLotTests {
  typealias Spec = AggregateSpec<ReagentLot>

  static func content(until text: String = "2026-03-01", reactions: Int = 10) throws -> ReagentLot.Content {
    ReagentLot.Content(lot: "LIG-7", stage: .ligation, expiresOn: try day(text), reactions: reactions)
  }

  private static func reserve(_ id: UniqueID, _ reactions: Int, _ stage: PrepStage = .ligation) -> ReagentLot.Command {
    .reserve(id: id, stage: stage, reactions: reactions, at: began)
  }

  @Test func `reserved while it has enough`() throws {
    let received = LotEvent.received(try Self.content())
    let eight = LotEvent.reserved(id: first, reactions: 8)
    Spec.given().when(.receive(try Self.content())).then(received)
    Spec.given(received).when(.receive(try Self.content())).thenRefused("lab.exists", 409)
    Spec.given().when(Self.reserve(first, 8)).thenRefused("lab.unknown", 404)
    Spec.given(received).when(Self.reserve(first, 8)).then(eight)
    Spec.given(received, eight).when(Self.reserve(first, 1)).thenRefused("lab.exists", 409)
    Spec.given(received, eight).when(Self.reserve(second, 2)).then(.reserved(id: second, reactions: 2))
    Spec.given(received, eight).when(Self.reserve(second, 3)).thenRefused("prep.lotShort", 409)
    Spec.given(received, eight, .released(id: first)).when(Self.reserve(second, 10))
      .then(.reserved(id: second, reactions: 10))
    Spec.given(received, eight, .released(id: first)).when(Self.reserve(first, 1)).thenRefused("lab.gone", 410)
    Spec.given(received).when(Self.reserve(first, 1, .pcr)).thenRefused("prep.lotState", 409)
    Spec.given(received, .discarded).when(Self.reserve(first, 1)).thenRefused("lab.gone", 410)
  }

  @Test func `an expired lot is neither reserved nor consumed`() throws {
    let old = LotEvent.received(try Self.content(until: "2026-02-28"))
    Spec.given(old).when(Self.reserve(first, 1)).thenRefused("prep.lotExpired", 422)
    let reserved = LotEvent.reserved(id: first, reactions: 8)
    let lot = LotEvent.received(try Self.content())
    Spec.given(lot, reserved).when(.consume(id: first, at: began)).then(.consumed(id: first))
    let tomorrow = began + .seconds(86_400)
    Spec.given(lot, reserved).when(.consume(id: first, at: tomorrow)).thenRefused("prep.lotExpired", 422)
    // Its reservation is released all the same.
    Spec.given(old, reserved).when(.release(id: first)).then(.released(id: first))
  }

  @Test func `released while unopened, and written off when opened`() throws {
    let lot = LotEvent.received(try Self.content())
    let reserved = LotEvent.reserved(id: first, reactions: 8)
    Spec.given(lot, reserved).when(.release(id: first)).then(.released(id: first))
    Spec.given(lot, reserved, .consumed(id: first)).when(.release(id: first)).then(.writtenOff(id: first))
    Spec.given(lot, reserved, .consumed(id: first)).when(.consume(id: first, at: began))
      .thenRefused("prep.lotState", 409)
    Spec.given(lot, reserved, .released(id: first)).when(.consume(id: first, at: began)).thenRefused("lab.gone", 410)
    Spec.given(lot, reserved, .released(id: first)).when(.release(id: first)).thenRefused("lab.gone", 410)
    Spec.given(lot).when(.consume(id: first, at: began)).thenRefused("lab.unknown", 404)
    Spec.given(lot, reserved, .discarded).when(.consume(id: first, at: began)).thenRefused("lab.gone", 410)
    Spec.given(lot, .discarded).when(.discard).thenRefused("lab.gone", 410)
    let off = [lot, reserved, .consumed(id: first), .writtenOff(id: first)].reduce(ReagentLot.absent, ReagentLot.evolve)
    #expect(off.free == 2 && off.json["free"] == 2 && off.json(of: first)["status"] == "writtenOff")
    let back = [lot, reserved, .released(id: first)].reduce(ReagentLot.absent, ReagentLot.evolve)
    #expect(back.free == 10)
  }

  @Test func `names every reason against its use`() throws {
    let lot = [LotEvent.received(try Self.content(until: "2026-02-28", reactions: 4)), .discarded]
      .reduce(ReagentLot.absent, ReagentLot.evolve)
    #expect(
      lot.reasons(against: .pcr, reactions: 5, at: began) == [
        "it is discarded", "it is for ligation, not for pcr", "it expired on 2026-02-28",
        "it has 4 free reactions, and 5 are needed",
      ])
    #expect(ReagentLot.absent.reasons(against: .pcr, reactions: 1, at: began) == ["the lot is unknown"])
    let good = ReagentLot.evolve(.absent, .received(try Self.content()))
    #expect(good.reasons(against: .ligation, reactions: 10, at: began) == [])
  }

  @Test func stored() throws {
    let events: [LotEvent] = [
      .received(try Self.content()), .reserved(id: first, reactions: 8), .consumed(id: first), .released(id: first),
      .writtenOff(id: first), .discarded, .undoNoted(command: "k"),
    ]
    for event in events { try expectStorable(event) }
  }
}

@Suite("A tag plate", .timeLimit(.minutes(15)), .inTurn)
struct TagPlateTests {
  typealias Spec = AggregateSpec<TagPlate>
  static let use = TagPlate.Use(reservationID: first, plateID: .named("pcr"), at: began)

  static func received(until text: String = "2026-03-01", _ kit: TagPair.Kit = .a) throws -> TagPlateEvent {
    .received(TagPlate.Content(barcode: "TAG-42", kit: kit, expiresOn: try day(text)))
  }

  @Test func `used once`() throws {
    let plate = try Self.received()
    Spec.given(plate).when(.reserve(id: first, at: began)).then(.reserved(id: first))
    Spec.given().when(.reserve(id: first, at: began)).thenRefused("lab.unknown", 404)
    Spec.given(plate, .reserved(id: first)).when(.reserve(id: first, at: began)).thenRefused("lab.exists", 409)
    Spec.given(plate, .reserved(id: first)).when(.reserve(id: second, at: began))
      .thenRefused("prep.tagPlateTaken", 409)
    Spec.given(plate, .reserved(id: first)).when(.consume(Self.use)).then(.consumed(Self.use))
    for command in [
      TagPlate.Command.reserve(id: second, at: began), .consume(Self.use), .release(id: first), .discard,
    ] {
      Spec.given(plate, .reserved(id: first), .consumed(Self.use)).when(command).thenRefused("prep.tagsSpent", 409)
    }
    Spec.given(plate).when(.consume(Self.use)).thenRefused("lab.unknown", 404)
  }

  @Test func `released, and reserved by another`() throws {
    let plate = try Self.received()
    Spec.given(plate, .reserved(id: first)).when(.release(id: first)).then(.released(id: first))
    Spec.given(plate, .reserved(id: first)).when(.release(id: second)).thenRefused("lab.unknown", 404)
    let released: [TagPlateEvent] = [plate, .reserved(id: first), .released(id: first)]
    Spec.given(released[0], released[1], released[2]).when(.release(id: first)).thenRefused("lab.gone", 410)
    Spec.given(released[0], released[1], released[2]).when(.consume(Self.use)).thenRefused("lab.gone", 410)
    Spec.given(released[0], released[1], released[2]).when(.reserve(id: first, at: began)).thenRefused("lab.gone", 410)
    Spec.given(released[0], released[1], released[2]).when(.reserve(id: second, at: began))
      .then(.reserved(id: second))
    let state = released.reduce(TagPlate.absent, TagPlate.evolve)
    #expect(state.json["status"] == "received" && state.json(of: first)["status"] == "released")
  }

  @Test func `an expired one is neither reserved nor spent`() throws {
    let old = try Self.received(until: "2026-02-28")
    Spec.given(old).when(.reserve(id: first, at: began)).thenRefused("prep.lotExpired", 422)
    Spec.given(old, .reserved(id: first)).when(.consume(Self.use)).thenRefused("prep.lotExpired", 422)
    Spec.given(old, .reserved(id: first)).when(.discard).then(.discarded)
    Spec.given(old, .reserved(id: first), .discarded).when(.consume(Self.use)).thenRefused("lab.gone", 410)
    Spec.given(old, .discarded).when(.discard).thenRefused("lab.gone", 410)
  }

  @Test func `has a pair of tags of its own in each well`() throws {
    var pairs: [TagPair] = []
    for kit in TagPair.Kit.allCases {
      let plate = TagPlate.evolve(.absent, try Self.received(kit))
      pairs += try (0..<96).map { well in
        try #require(plate.pair(of: PositionName(box: "", well: well).wellName))
      }
      #expect(plate.pair(of: "I01") == nil && plate.pair(of: "A13") == nil)
    }
    #expect(pairs[0] == TagPair(i7: "ACACACACAC", i5: "GTGTGTGTGT"))
    #expect(pairs[1] == TagPair(i7: "CAACACACAC", i5: "GTGTGTGTTG"))
    #expect(Set(pairs.map(\.i7)).count == 384 && Set(pairs.map(\.i5)).count == 384)
    for (index, one) in pairs.enumerated() {
      #expect(one.i7.count == 10)
      for other in pairs[(index + 1)...] {
        let differing = zip(one.i7, other.i7).count { $0 != $1 }
        if differing < 2 { Issue.record("\(one.i7) and \(other.i7) differ in \(differing) bases") }
      }
    }
  }

  @Test func stored() throws {
    let events: [TagPlateEvent] = [
      try Self.received(), .reserved(id: first), .consumed(Self.use), .released(id: first), .discarded,
      .undoNoted(command: "k"),
    ]
    for event in events { try expectStorable(event) }
  }
}

@Suite("The plate of a stage", .timeLimit(.minutes(15)), .inTurn)
struct PrepPlateTests {
  typealias Spec = AggregateSpec<PrepPlate>

  static func content(_ stage: PrepStage) -> PrepPlate.Content {
    PrepPlate.Content(
      id: .named("p"), stage: stage, parent: stage == .shearing ? nil : .named("parent"),
      wells: [PrepPlate.Well(name: "A01", sample: "TS-1", library: "LIB-1")])
  }
  static let sheared = PrepPlateEvent.made(content(.shearing))
  static let amplified = PrepPlateEvent.made(content(.pcr))
  static let bed = PrepPlate.Bed(robot: "BRAVO-1", tagPlate: nil, at: began)
  static let bedWithTags = PrepPlate.Bed(robot: "BRAVO-1", tagPlate: "TAG-42", at: began)

  @Test func `made once, and put on a robot once`() {
    Spec.given().when(.make(Self.content(.shearing))).then(Self.sheared)
    Spec.given(Self.sheared).when(.make(Self.content(.shearing))).thenRefused("lab.exists", 409)
    Spec.given(.undoneBefore).when(.make(Self.content(.shearing))).thenRefused("lab.undoneBefore", 410)
    Spec.given(Self.sheared, .discarded).when(.make(Self.content(.shearing))).thenRefused("lab.gone", 410)
    Spec.given(Self.sheared).when(.checkBed(Self.bed)).then(.bedChecked(Self.bed))
    Spec.given(Self.sheared, .bedChecked(Self.bed)).when(.checkBed(Self.bed)).thenRefused("prep.plateState", 409)
    Spec.given(Self.sheared, .discarded).when(.checkBed(Self.bed)).thenRefused("lab.gone", 410)
    Spec.given().when(.checkBed(Self.bed)).thenRefused("lab.unknown", 404)
  }

  @Test func `only the bed of the PCR has a tag plate`() {
    Spec.given(Self.amplified).when(.checkBed(Self.bed)).thenRefused("prep.bedWrong", 409)
    Spec.given(Self.sheared).when(.checkBed(Self.bedWithTags)).thenRefused("prep.bedWrong", 409)
    Spec.given(Self.amplified).when(.checkBed(Self.bedWithTags)).then(.bedChecked(Self.bedWithTags))
  }

  @Test func `its robot ends once, and it is discarded at any time`() {
    let checked = PrepPlateEvent.bedChecked(Self.bed)
    Spec.given(Self.sheared).when(.finish).thenRefused("prep.plateState", 409)
    Spec.given(Self.sheared, checked).when(.finish).then(.finished)
    Spec.given(Self.sheared, checked).when(.fail(error: "TIP_LOST")).then(.failed(error: "TIP_LOST"))
    Spec.given(Self.sheared, checked, .failed(error: "x")).when(.finish).thenRefused("prep.plateState", 409)
    Spec.given(Self.sheared, checked, .finished).when(.discard).then(.discarded)
    Spec.given(Self.sheared).when(.discard).then(.discarded)
    Spec.given(Self.sheared, .discarded).when(.discard).thenRefused("lab.gone", 410)
    Spec.given().when(.discard).thenRefused("lab.unknown", 404)
  }

  @Test func `its robot is done after its time, and that of the PCR waits for the tags`() {
    let time = Duration.seconds(10)
    let made = PrepPlate.evolve(.absent, Self.sheared)
    #expect(made.progress(at: began, time: time, tags: nil) == nil)
    let checked = PrepPlate.evolve(made, .bedChecked(Self.bed))
    #expect(checked.progress(at: began + .seconds(9), time: time, tags: nil) == .running)
    #expect(checked.progress(at: began + .seconds(10), time: time, tags: nil) == .done)
    #expect(checked.json(showing: .done)["status"] == "done" && checked.json(showing: .done)["robot"] == "BRAVO-1")
    #expect(PrepPlate.evolve(checked, .finished).progress(at: began, time: time, tags: nil) == .done)
    #expect(PrepPlate.evolve(checked, .failed(error: "x")).progress(at: began, time: time, tags: nil) == nil)

    let pcr = [Self.amplified, .bedChecked(Self.bedWithTags)].reduce(PrepPlate.absent, PrepPlate.evolve)
    #expect(pcr.progress(at: began + .seconds(60), time: time, tags: .absent) == .waiting)
    #expect(pcr.json(showing: .waiting)["status"] == "checked")
    let use = TagPlate.Use(reservationID: first, plateID: .named("p"), at: began + .seconds(50))
    let tags = TagPlate.evolve(.absent, .consumed(use))
    #expect(pcr.progress(at: began + .seconds(59), time: time, tags: tags) == .running)
    #expect(pcr.progress(at: began + .seconds(60), time: time, tags: tags) == .done)
    // The tags were spent on another plate.
    let other = TagPlate.evolve(.absent, .consumed(TagPlateTests.use))
    #expect(pcr.progress(at: began + .seconds(60), time: time, tags: other) == .waiting)
  }

  @Test func stored() throws {
    let events: [PrepPlateEvent] = [
      Self.sheared, Self.amplified, .undoneBefore, .bedChecked(Self.bed), .bedChecked(Self.bedWithTags), .finished,
      .failed(error: "x"), .discarded, .undoNoted(command: "k"),
    ]
    for event in events { try expectStorable(event) }
  }
}

@Suite("A library", .timeLimit(.minutes(15)), .inTurn)
struct LibraryTests {
  typealias Spec = AggregateSpec<Library>
  static let request = Library.Request(id: .named("l"), barcode: "LIB-1", sample: "TS-1")
  static let place = Library.Place(
    plateID: .named("p"), well: "A01", tagPlate: "TAG-42", tags: TagPair(of: .a, well: 0))
  static let limits = LibraryLimits(leastNM: Amount(thousandths: 4_000), leastBp: 300, mostBp: 800)
  static let booking = Library.Booking(limits: limits, bookedAt: began)
  static let reading = LibraryReading(ngPerUl: Amount(thousandths: 1_320), sizeBp: 500)
  static let started = LibraryEvent.started(request)

  @Test func `a request, until it is made`() {
    Spec.given().when(.start(Self.request)).then(Self.started)
    Spec.given(Self.started).when(.start(Self.request)).thenRefused("lab.exists", 409)
    Spec.given(.undoneBefore).when(.start(Self.request)).thenRefused("lab.undoneBefore", 410)
    Spec.given(Self.started).when(.cancel).then(.cancelled(barcode: "LIB-1"))
    Spec.given(Self.started, .cancelled(barcode: "LIB-1")).when(.cancel).thenRefused("lab.gone", 410)
    Spec.given(Self.started, .cancelled(barcode: "LIB-1")).when(.start(Self.request)).thenRefused("lab.gone", 410)
    Spec.given(Self.started, .made(Self.place)).when(.cancel).thenRefused("prep.libraryState", 409)
    Spec.given().when(.cancel).thenRefused("lab.unknown", 404)
    #expect(Self.started.claims == [LabClaim(.library, "LIB-1")])
    #expect(LibraryEvent.cancelled(barcode: "LIB-1").releases == [LabClaim(.library, "LIB-1")])
    #expect(LibraryEvent.made(Self.place).releases == [])
  }

  @Test func `made, booked and measured, each once`() {
    Spec.given(Self.started).when(.make(Self.place)).then(.made(Self.place))
    Spec.given(Self.started, .made(Self.place)).when(.make(Self.place)).thenRefused("prep.libraryState", 409)
    Spec.given(Self.started).when(.bookQC(Self.booking)).thenRefused("prep.libraryState", 409)
    Spec.given(Self.started, .made(Self.place)).when(.bookQC(Self.booking)).then(.qcBooked(Self.booking))
    Spec.given(Self.started, .made(Self.place)).when(.record(Self.reading)).thenRefused("prep.libraryState", 409)
    Spec.given(Self.started, .made(Self.place), .qcBooked(Self.booking)).when(.record(Self.reading))
      .then(.measured(Self.reading))
    Spec.given(Self.started, .made(Self.place), .qcBooked(Self.booking), .measured(Self.reading))
      .when(.record(Self.reading)).thenRefused("prep.libraryState", 409)
  }

  @Test func `measured by the analyzer after its time, unless a result was recorded`() {
    let booked = [Self.started, .made(Self.place), .qcBooked(Self.booking)].reduce(Library.absent, Library.evolve)
    #expect(booked.measured(at: began + .seconds(9), time: .seconds(10)).json["status"] == "measuring")
    let done = booked.measured(at: began + .seconds(10), time: .seconds(10)).json
    #expect(done["status"] == "passed" && done["nM"] == 25 && done["ngPerUl"] == 8.25 && done["sizeBp"] == 500)
    #expect(done["i7"] == "ACACACACAC" && done["well"] == "A01" && done["tagPlate"] == "TAG-42")
    let weak = LibraryReading(ngPerUl: Amount(thousandths: 1_319), sizeBp: 500)
    let recorded = Library.evolve(booked, .measured(weak))
    #expect(recorded.measured(at: began + .seconds(60), time: .seconds(10)) == recorded)
    #expect(recorded.json["status"] == "failed" && recorded.json["reasons"] == ["3.996 nM is below 4"])
  }

  @Test(
    "The limits name every reason, exactly at their edges",
    arguments: [
      (1_320, 500, []), (1_319, 500, ["3.996 nM is below 4"]), (792, 300, []), (791, 300, ["3.994 nM is below 4"]),
      (50_000, 299, ["299 bp is below 300"]), (50_000, 800, []),
      (2_000, 801, ["3.783 nM is below 4", "801 bp is above 800"]), (0, 500, ["0 nM is below 4"]),
    ] as [(Int, Int, [String])])
  func limits(ngPerUl: Int, sizeBp: Int, reasons: [String]) {
    let reading = LibraryReading(ngPerUl: Amount(thousandths: ngPerUl), sizeBp: sizeBp)
    #expect(Self.limits.reasons(against: reading) == reasons)
  }

  @Test func stored() throws {
    let events: [LibraryEvent] = [
      Self.started, .undoneBefore, .cancelled(barcode: "LIB-1"), .made(Self.place), .qcBooked(Self.booking),
      .measured(Self.reading), .undoNoted(command: "k"),
    ]
    for event in events { try expectStorable(event) }
  }
}
