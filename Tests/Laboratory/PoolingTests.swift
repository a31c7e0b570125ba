import JSON
import TestSupport
import Testing
import Values

@testable import Laboratory

private let began = Timestamp(milliseconds: 1_772_355_600_000)
private let pool = UniqueID.named("p")
private let other = UniqueID.named("other")

@Suite("The indexes of a library", .timeLimit(.minutes(15)), .inTurn)
struct IndexPairTests {
  @Test(
    "are compared base by base, over both",
    arguments: [
      ("ATTACTCG", "TATAGCCT", "ATTACTCG", "TATAGCCT", 0), ("ATTACTCG", "TATAGCCT", "ATTACTCA", "TATAGCCA", 2),
      ("ATTACTCG", nil, "TTTACTCG", "TATAGCCT", 1), ("ATTA", nil, "ATTACTCG", nil, 0), ("ACGT", nil, "TGCA", nil, 4),
    ] as [(String, String?, String, String?, Int)])
  func distance(left7: String, left5: String?, right7: String, right5: String?, bases: Int) {
    let (left, right) = (IndexPair(i7: left7, i5: left5), IndexPair(i7: right7, i5: right5))
    #expect(left.distance(to: right) == bases && right.distance(to: left) == bases)
  }

  @Test("have 4 to 20 bases", arguments: [("ACGT", true), ("ACG", false), ("ACGU", false), ("acgt", false)])
  func rule(text: String, isIndex: Bool) throws {
    #expect(IndexPair.isIndex(text) == isIndex)
    #expect(!IndexPair.isIndex(String(repeating: "A", count: 21)))
    var fields = try Fields(["i7": .string(text)])
    #expect((fields.indexes() == IndexPair(i7: text, i5: nil)) == isIndex)
    #expect(fields.places.map(\.pointer) == (isIndex ? [] : ["/i7"]))
  }
}

@Suite("What the laboratory has of a library", .timeLimit(.minutes(15)), .inTurn)
struct LibraryStockTests {
  typealias Spec = AggregateSpec<LibraryStock>
  static func content(_ ngPerUl: Int, bp: Int = 400, ul: Int = 20_000) -> LibraryStock.Content {
    LibraryStock.Content(
      barcode: "TS-1-L", indexes: IndexPair(i7: "ATTACTCG", i5: "TATAGCCT"),
      reading: LibraryReading(ngPerUl: Amount(thousandths: ngPerUl), sizeBp: bp),
      volumeUl: Amount(thousandths: ul))
  }
  static let received = StockEvent.received(content(13_200))
  static let locked = StockEvent.locked(pool: pool)
  static func drawn(_ nanolitres: Int, for id: UniqueID = pool) -> LibraryStock.Draw {
    LibraryStock.Draw(
      poolID: id,
      dilution: Dilution(
        nM: Amount(thousandths: 4_000), volumeUl: Amount(thousandths: 10_000), drawUl: Amount(thousandths: nanolitres)))
  }
  private static func dilute(_ nM: Int = 4_000, _ ul: Int = 10_000) -> LibraryStock.Command {
    .dilute(pool: pool, nM: Amount(thousandths: nM), volumeUl: Amount(thousandths: ul))
  }

  @Test func `received and discarded once`() {
    Spec.given().when(.receive(Self.content(13_200))).then(Self.received)
    Spec.given(Self.received).when(.receive(Self.content(1))).thenRefused("lab.exists", 409)
    Spec.given(.undoneBefore).when(.receive(Self.content(1))).thenRefused("lab.undoneBefore", 410)
    Spec.given(Self.received).when(.discard).then(.discarded)
    Spec.given(Self.received, .discarded).when(.discard).thenRefused("lab.gone", 410)
    Spec.given(Self.received, .discarded).when(.receive(Self.content(1))).thenRefused("lab.gone", 410)
    Spec.given(Self.received, Self.locked).when(.discard).thenRefused("pooling.locked", 409)
    Spec.given().when(.discard).thenRefused("lab.unknown", 404)
  }

  @Test func `locked by one pool at a time`() {
    Spec.given(Self.received).when(.lock(pool: pool)).then(Self.locked)
    Spec.given(Self.received, Self.locked).when(.lock(pool: other)).thenRefused("pooling.locked", 409)
    Spec.given(Self.received, Self.locked).when(.lock(pool: pool)).thenRefused("lab.exists", 409)
    Spec.given(Self.received, Self.locked).when(.unlock(pool: pool)).then(.unlocked(pool: pool))
    Spec.given(Self.received, Self.locked).when(.unlock(pool: other)).thenRefused("lab.gone", 410)
    Spec.given(Self.received, Self.locked, .unlocked(pool: pool)).when(.lock(pool: other)).then(.locked(pool: other))
    Spec.given().when(.lock(pool: pool)).thenRefused("lab.unknown", 404)
  }

  @Test func `diluted once for a pool that has locked it`() {
    Spec.given(Self.received, Self.locked).when(Self.dilute()).then(.diluted(Self.drawn(800)))
    Spec.given(Self.received).when(Self.dilute()).thenRefused("pooling.notLocked", 409)
    Spec.given(Self.received, .locked(pool: other)).when(Self.dilute()).thenRefused("pooling.notLocked", 409)
    let diluted = StockEvent.diluted(Self.drawn(800))
    Spec.given(Self.received, Self.locked, diluted).when(Self.dilute()).thenRefused("lab.exists", 409)
    Spec.given(Self.received, Self.locked, diluted).when(.discardDilution(pool: pool))
      .then(.dilutionDiscarded(pool: pool))
    Spec.given(Self.received, Self.locked, diluted, .dilutionDiscarded(pool: pool)).when(.discardDilution(pool: pool))
      .thenRefused("lab.gone", 410)
    Spec.given(Self.received, Self.locked, diluted, .dilutionDiscarded(pool: pool)).when(Self.dilute())
      .thenRefused("lab.gone", 410)
    Spec.given(Self.received, Self.locked).when(.discardDilution(pool: pool)).thenRefused("lab.unknown", 404)
  }

  /// Concentration in ng/µl, length, wanted nM and µl, the drawn volume and the diluent, all in thousandths.
  static let draws: [(Int, Int, Int, Int, Int, Int)] = [
    (13_200, 400, 4_000, 10_000, 800, 9_200), (10_000, 350, 4_000, 10_000, 924, 9_076),
    // 1.02666… µl, rounded up to a nanolitre.
    (9_000, 350, 4_000, 10_000, 1_027, 8_973),
    // The library has exactly the wanted 50 nM, so no diluent is added.
    (13_200, 400, 50_000, 10_000, 10_000, 0), (50_000_000, 10_000, 1_000_000, 100_000, 13_200, 86_800),
  ]

  @Test("A dilution draws exactly what its molarity needs", arguments: draws)
  func exact(ngPerUl: Int, bp: Int, nM: Int, ul: Int, draw: Int, diluent: Int) throws {
    let stock = [StockEvent.received(Self.content(ngPerUl, bp: bp)), Self.locked]
      .reduce(LibraryStock.absent, LibraryStock.evolve)
    let after = try LibraryStock.decide(Self.dilute(nM, ul), stock).reduce(stock, LibraryStock.evolve)
    let dilution = try #require(after.draw(for: pool)).dilution
    #expect(dilution.drawUl.thousandths == draw && dilution.diluentUl.thousandths == diluent)
  }

  @Test func `too thin or too little of it`() {
    Spec.given(Self.received, Self.locked).when(Self.dilute(50_001)).thenRefused("pooling.tooThin", 409)
    let little = StockEvent.received(Self.content(13_200, ul: 799))
    Spec.given(little, Self.locked).when(Self.dilute()).thenRefused("pooling.volumeShort", 409)
    let rest = StockEvent.received(Self.content(13_200, ul: 1_599))
    Spec.given(rest, Self.locked, .diluted(Self.drawn(800, for: other)), .dilutionDiscarded(pool: other))
      .when(Self.dilute()).thenRefused("pooling.volumeShort", 409)
  }

  @Test func `shown with its molarity, its lock and what is left`() {
    let stock = [
      Self.received, .locked(pool: other), .diluted(Self.drawn(1_500, for: other)), .dilutionDiscarded(pool: other),
      .unlocked(pool: other), Self.locked, .diluted(Self.drawn(800)),
    ].reduce(LibraryStock.absent, LibraryStock.evolve)
    let json = stock.json
    #expect(json["nM"] == 50 && json["status"] == "locked" && json["poolId"] == .string(pool.description))
    #expect(json["volumeLeftUl"] == 17.7 && json["volumeLostUl"] == 1.5)
    #expect(json["i7"] == "ATTACTCG" && json["i5"] == "TATAGCCT")
    #expect(stock.json(ofDilutionFor: other)["status"] == "discarded")
    #expect(stock.json(ofDilutionFor: pool)["diluentUl"] == 9.2)
  }

  @Test func stored() throws {
    let single = LibraryStock.Content(
      barcode: "L", indexes: IndexPair(i7: "ACGT", i5: nil),
      reading: LibraryReading(ngPerUl: Amount(thousandths: 1), sizeBp: 1),
      volumeUl: Amount(thousandths: 1))
    let events: [StockEvent] = [
      Self.received, .received(single), .undoneBefore, .discarded, Self.locked, .unlocked(pool: pool),
      .diluted(Self.drawn(1_027)), .dilutionDiscarded(pool: pool), .undoNoted(command: "k"),
    ]
    for event in events { try expectStorable(event) }
  }
}

@Suite("A pool", .timeLimit(.minutes(15)), .inTurn)
struct PoolTests {
  typealias Spec = AggregateSpec<Pool>
  static let opened = PoolEvent.opened(id: pool, label: "POOL-7")
  static let members = [
    Pool.Member(barcode: "TS-1-L", indexes: IndexPair(i7: "ATTACTCG", i5: "TATAGCCT")),
    Pool.Member(barcode: "TS,2", indexes: IndexPair(i7: "ATTACTCG", i5: nil)),
  ]
  static let far = [members[0], Pool.Member(barcode: "TS,2", indexes: IndexPair(i7: "TCCGGAGA", i5: nil))]
  static let mix = Pool.Mix(approvedBy: "ines", volumeUl: Amount(thousandths: 20_000), mixedAt: began)
  static let checked = PoolEvent.checked(far)
  static let lanes = [LaneName(flowCell: "FC-7", lane: 1), LaneName(flowCell: "FC-7", lane: 2)]

  @Test func `opened, checked, mixed and measured in this order`() {
    Spec.given().when(.open(id: pool, label: "POOL-7")).then(Self.opened)
    Spec.given(Self.opened).when(.open(id: pool, label: "POOL-7")).thenRefused("lab.exists", 409)
    Spec.given(.undoneBefore).when(.open(id: pool, label: "POOL-7")).thenRefused("lab.undoneBefore", 410)
    Spec.given(Self.opened).when(.check(Self.far, leastDistance: 3)).then(Self.checked)
    Spec.given(Self.opened).when(.mix(Self.mix)).thenRefused("pooling.wrongState", 409)
    Spec.given(Self.opened, Self.checked).when(.mix(Self.mix)).then(.mixed(Self.mix))
    Spec.given(Self.opened, Self.checked).when(.measure(nM: Amount(thousandths: 1)))
      .thenRefused("pooling.wrongState", 409)
    let mixed: [PoolEvent] = [Self.opened, Self.checked, .mixed(Self.mix)]
    let json = mixed.reduce(Pool.absent, Pool.evolve).json
    #expect(json["status"] == "mixed" && json["volumeUl"] == 20 && json["approvedBy"] == "ines")
    Spec.given(Self.opened, Self.checked, .mixed(Self.mix)).when(.measure(nM: Amount(thousandths: 3_900)))
      .then(.measured(nM: Amount(thousandths: 3_900)))
    Spec.given(Self.opened, Self.checked, .mixed(Self.mix)).when(.writeSheet(lanes: Self.lanes))
      .thenRefused("pooling.wrongState", 409)
    Spec.given().when(.mix(Self.mix)).thenRefused("lab.unknown", 404)
  }

  @Test func `refuses libraries that the sequencer can't tell apart`() throws {
    let state = Pool.evolve(.absent, Self.opened)
    let refusal = #expect(throws: LabRefusal.self) {
      try Pool.decide(.check(Self.members, leastDistance: 1), state)
    }
    #expect(refusal?.code == "pooling.indexClash" && refusal?.status == 409)
    #expect(refusal?.places.map(\.pointer) == ["/barcodes/1"])
    #expect(
      refusal?.places.first?.message == "the indexes of TS,2 and TS-1-L differ in 0 bases; at least 1 are needed",
      "\(String(describing: refusal))")
    // They differ in all eight bases of i7, and only one has an i5.
    #expect(try Pool.decide(.check(Self.far, leastDistance: 8), state) == [Self.checked])
    #expect(throws: LabRefusal.self) { try Pool.decide(.check(Self.far, leastDistance: 9), state) }
  }

  @Test func `dissolved until it is mixed`() {
    Spec.given(Self.opened).when(.dissolve).then(.dissolved)
    Spec.given(Self.opened, Self.checked).when(.dissolve).then(.dissolved)
    Spec.given(Self.opened, Self.checked, .mixed(Self.mix)).when(.dissolve).thenRefused("pooling.wrongState", 409)
    Spec.given(Self.opened, .dissolved).when(.dissolve).thenRefused("lab.gone", 410)
    Spec.given(Self.opened, .dissolved).when(.open(id: pool, label: "POOL-7")).thenRefused("lab.gone", 410)
  }

  @Test func `writes one sample sheet, each library on each lane`() {
    let events: [PoolEvent] = [
      Self.opened, Self.checked, .mixed(Self.mix), .measured(nM: Amount(thousandths: 3_900)),
      .sheetWritten(lanes: Self.lanes),
    ]
    let state = events.reduce(Pool.absent, Pool.evolve)
    #expect(
      state.json["csv"]?.stringValue == """
        Lane,Sample_ID,index,index2
        1,TS-1-L,ATTACTCG,TATAGCCT
        1,"TS,2",TCCGGAGA,
        2,TS-1-L,ATTACTCG,TATAGCCT
        2,"TS,2",TCCGGAGA,

        """)
    #expect(state.json["nM"] == 3.9 && state.json["lanes"] == ["FC-7/1", "FC-7/2"])
    #expect(throws: LabRefusal.self) { try Pool.decide(.writeSheet(lanes: Self.lanes), state) }
  }

  @Test func stored() throws {
    let events: [PoolEvent] = [
      Self.opened, .undoneBefore, Self.checked, .mixed(Self.mix), .measured(nM: Amount(thousandths: 3_900)),
      .sheetWritten(lanes: Self.lanes), .dissolved, .undoNoted(command: "k"),
    ]
    for event in events { try expectStorable(event) }
  }
}

@Suite("A flow cell", .timeLimit(.minutes(15)), .inTurn)
struct FlowCellTests {
  typealias Spec = AggregateSpec<FlowCell>
  static func content(_ kind: FlowCell.Kind, _ expiresOn: String = "2026-03-01") -> FlowCell.Content {
    FlowCell.Content(barcode: "FC-7", kind: kind, expiresOn: expiresOn)
  }
  static func received(_ kind: FlowCell.Kind) -> FlowCellEvent { .received(content(kind)) }
  static func reserved(_ id: String, _ lanes: [Int], for pool: String = "P-1") -> FlowCellEvent {
    .lanesReserved(
      FlowCell.Reservation(
        id: .named(id), poolID: pool, lanes: lanes.map { LaneName(flowCell: "FC-7", lane: $0) }))
  }
  private static func reserve(_ id: String, _ lanes: Int, at time: Timestamp = began) -> FlowCell.Command {
    .reserve(id: .named(id), poolID: "P-1", lanes: lanes, at: time)
  }
  /// The last day ends at midnight in UTC.
  static let tooLate = Timestamp("2026-03-02T00:00:00Z") ?? began

  @Test("has the lanes of its kind", arguments: [(.sp, 2), (.s1, 2), (.s2, 2), (.s4, 4)] as [(FlowCell.Kind, Int)])
  func lanes(kind: FlowCell.Kind, lanes: Int) {
    Spec.given(Self.received(kind)).when(Self.reserve("a", lanes)).then(Self.reserved("a", Array(1...lanes)))
    Spec.given(Self.received(kind)).when(Self.reserve("a", lanes + 1)).thenRefused("sequencing.lanesFull", 409)
    let cell = FlowCell.evolve(.absent, Self.received(kind))
    #expect(cell.has(lane: lanes) && !cell.has(lane: lanes + 1) && !cell.has(lane: 0))
  }

  @Test func `reserves the next free lanes, and releases them once`() {
    let first = Self.reserved("a", [1, 2])
    Spec.given(Self.received(.s4), first).when(Self.reserve("b", 2)).then(Self.reserved("b", [3, 4]))
    Spec.given(Self.received(.s4), first).when(Self.reserve("b", 3)).thenRefused("sequencing.lanesFull", 409)
    Spec.given(Self.received(.s4), first).when(Self.reserve("a", 1)).thenRefused("lab.exists", 409)
    let released = FlowCellEvent.lanesReleased(
      id: .named("a"), lanes: [LaneName(flowCell: "FC-7", lane: 1), LaneName(flowCell: "FC-7", lane: 2)])
    Spec.given(Self.received(.s4), first).when(.release(id: .named("a"))).then(released)
    Spec.given(Self.received(.s4), first, released).when(.release(id: .named("a"))).thenRefused("lab.gone", 410)
    Spec.given(Self.received(.s4), first, released).when(Self.reserve("b", 1)).then(Self.reserved("b", [1]))
    Spec.given(Self.received(.s4), first, released).when(Self.reserve("a", 1)).thenRefused("lab.gone", 410)
    Spec.given(Self.received(.s4)).when(.release(id: .named("a"))).thenRefused("lab.unknown", 404)
    #expect(first.claims == [LabClaim(.reservedLane, "FC-7/1"), LabClaim(.reservedLane, "FC-7/2")])
    #expect(released.releases == first.claims && released.claims == [] && first.releases == [])
  }

  @Test func `expired or used is refused`() {
    let last = Self.tooLate + .seconds(-1)
    Spec.given().when(.receive(Self.content(.sp), at: last)).then(Self.received(.sp))
    Spec.given().when(.receive(Self.content(.sp), at: Self.tooLate)).thenRefused("sequencing.flowCellExpired", 422)
    Spec.given(Self.received(.sp)).when(Self.reserve("a", 1, at: last)).then(Self.reserved("a", [1]))
    Spec.given(Self.received(.sp)).when(Self.reserve("a", 1, at: Self.tooLate))
      .thenRefused("sequencing.flowCellExpired", 422)
    Spec.given(Self.received(.sp)).when(.use(at: began)).then(.used)
    Spec.given(Self.received(.sp), .used).when(Self.reserve("a", 1)).thenRefused("sequencing.flowCellUsed", 409)
    Spec.given(Self.received(.sp), .used).when(.use(at: began)).thenRefused("sequencing.flowCellUsed", 409)
  }

  @Test func `received and discarded once`() {
    Spec.given(Self.received(.sp)).when(.receive(Self.content(.sp), at: began)).thenRefused("lab.exists", 409)
    Spec.given(.undoneBefore).when(.receive(Self.content(.sp), at: began)).thenRefused("lab.undoneBefore", 410)
    Spec.given(Self.received(.sp)).when(.discard).then(.discarded)
    Spec.given(Self.received(.sp), .discarded).when(.discard).thenRefused("lab.gone", 410)
    Spec.given(Self.received(.sp), .discarded).when(.receive(Self.content(.sp), at: began))
      .thenRefused("lab.gone", 410)
    Spec.given(Self.received(.sp), Self.reserved("a", [1])).when(.discard)
      .thenRefused("sequencing.flowCellState", 409)
    Spec.given(Self.received(.sp), .used).when(.discard).thenRefused("sequencing.flowCellState", 409)
    Spec.given().when(.discard).thenRefused("lab.unknown", 404)
  }

  @Test func stored() throws {
    let events: [FlowCellEvent] = [
      Self.received(.s4), .undoneBefore, .discarded, Self.reserved("a", [1, 2]),
      .lanesReleased(id: .named("a"), lanes: [LaneName(flowCell: "FC-7", lane: 1)]), .used, .undoNoted(command: "k"),
    ]
    for event in events { try expectStorable(event) }
  }
}
