import JSON
import TestSupport
import Testing
import Values

@testable import Laboratory

private let began = Timestamp(milliseconds: 1_772_355_600_000)

@Suite("A run", .timeLimit(.minutes(15)), .inTurn)
struct RunTests {
  typealias Spec = AggregateSpec<Run>
  static let lane = LaneName(flowCell: "FC1", lane: 3)
  static let request = Run.Request(
    id: .named("run"), sampleID: "s-1", barcode: nil, instrument: "NOVASEQ-1", priority: "urgent", assay: "wgs",
    scheduledAt: Timestamp(milliseconds: 1_772_352_000_000))
  static let scheduled = RunEvent.scheduled(request)

  @Test func `of a pool instead of a sample`() throws {
    var request = Self.request
    (request.sampleID, request.poolID) = (nil, "POOL-7")
    try expectStorable(RunEvent.scheduled(request))
    #expect(request.json["poolId"] == "POOL-7" && request.json["sampleId"] == nil)
  }

  /// What happened to a run, how long after its start the instrument is asked, and what it reports.
  static let reports: [([RunEvent], Duration, JSON)] = [
    ([scheduled], .zero, ["state": "waiting", "cycles": 300, "cycle": 0]),
    ([scheduled, .loaded, .started(at: began)], .seconds(15), ["state": "running", "cycles": 300, "cycle": 150]),
    (
      [scheduled, .loaded, .started(at: began)], .seconds(30),
      ["state": "done", "cycles": 300, "cycle": 300, "q30": 92]
    ),
    (
      [scheduled, .loaded, .started(at: began), .recorded(kind: "q30", text: "71.5")], .seconds(31),
      ["state": "done", "cycles": 300, "cycle": 300, "q30": 71.5]
    ),
    (
      [scheduled, .loaded, .started(at: began), .recorded(kind: "failed", text: "LASER")], .seconds(15),
      ["state": "failed", "cycles": 300, "cycle": 150, "error": "LASER"]
    ),
    ([scheduled, .loaded, .started(at: nil)], .zero, ["state": "done", "cycles": 300, "cycle": 300, "q30": 92]),
    ([scheduled, .cancelled(reason: nil, lanes: [])], .zero, ["state": "cancelled", "cycles": 300, "cycle": 0]),
  ]

  @Test(arguments: reports)
  func `reported by its instrument`(events: [RunEvent], after: Duration, report: JSON) {
    let run = events.reduce(Run.absent, Run.evolve)
    #expect(run.report(at: began + after, runTime: .seconds(30)) == report)
  }

  @Test func `from its schedule to its end`() {
    Spec.given().when(.schedule(Self.request)).then(Self.scheduled)
    Spec.given(Self.scheduled).when(.bookLane(Self.lane)).then(.laneBooked(Self.lane))
    Spec.given(Self.scheduled).when(.load).thenRefused("sequencing.wrongState", 409)
    Spec.given(Self.scheduled, .laneBooked(Self.lane)).when(.load).then(.loaded)
    Spec.given(Self.scheduled, .laneBooked(Self.lane), .loaded).when(.start(at: began)).then(.started(at: began))
    Spec.given(Self.scheduled, .laneBooked(Self.lane), .loaded, .started(at: began)).when(
      .record(kind: "cycle", text: "1")
    )
    .then(.recorded(kind: "cycle", text: "1"))
    Spec.given(Self.scheduled, .laneBooked(Self.lane), .loaded, .started(at: began)).when(.complete).then(.completed)
  }

  @Test func `cancelled until it is started, and its lanes are free`() {
    Spec.given(Self.scheduled, .laneBooked(Self.lane)).when(.cancel(reason: "x"))
      .then(.cancelled(reason: "x", lanes: [Self.lane]))
    Spec.given(Self.scheduled, .laneBooked(Self.lane), .loaded, .started(at: began)).when(.cancel(reason: nil))
      .thenRefused("sequencing.wrongState", 409)
    Spec.given(Self.scheduled, .cancelled(reason: nil, lanes: [])).when(.cancel(reason: nil))
      .thenRefused("lab.gone", 410)
    Spec.given().when(.cancel(reason: nil)).thenRefused("lab.unknown", 404)
    #expect(
      RunEvent.cancelled(reason: nil, lanes: [Self.lane]).releases == RunEvent.laneBooked(Self.lane).claims)
  }

  @Test func undone() {
    Spec.given(.undoneBefore).when(.schedule(Self.request)).thenRefused("lab.undoneBefore", 410)
    Spec.given(Self.scheduled, .laneBooked(Self.lane)).when(.releaseLane(Self.lane)).then(.laneReleased(Self.lane))
    Spec.given(Self.scheduled).when(.releaseLane(Self.lane)).thenRefused("lab.gone", 410)
    Spec.given(Self.scheduled, .laneBooked(Self.lane), .loaded).when(.unload).then(.unloaded)
    Spec.given(Self.scheduled).when(.unload).thenRefused("lab.gone", 410)
    Spec.given(Self.scheduled, .laneBooked(Self.lane)).when(.bookLane(Self.lane))
      .thenRefused("sequencing.laneTaken", 409)
  }

  @Test func stored() throws {
    let events: [RunEvent] = [
      Self.scheduled, .undoneBefore, .laneBooked(Self.lane), .laneReleased(Self.lane), .loaded, .unloaded,
      .started(at: began),
      .started(at: nil),
      .recorded(kind: "k", text: nil), .completed, .cancelled(reason: nil, lanes: [Self.lane]),
      .undoNoted(command: "k"),
    ]
    for event in events { try expectStorable(event) }
  }
}

@Suite("A reagent kit", .timeLimit(.minutes(15)), .inTurn)
struct ReagentKitTests {
  typealias Spec = AggregateSpec<ReagentKit>
  static let content = ReagentKit.Content(id: .named("kit"), lot: "NX-7", expiresOn: "2026-03-01")
  static let taken = KitEvent.taken(content)

  @Test func `taken, thawed once, and written off`() {
    Spec.given().when(.take(Self.content, at: began)).then(Self.taken)
    Spec.given(Self.taken).when(.take(Self.content, at: began)).thenRefused("lab.exists", 409)
    Spec.given(Self.taken).when(.thaw(at: began)).then(.thawed(at: began))
    Spec.given(Self.taken, .thawed(at: began)).when(.thaw(at: began)).thenRefused("sequencing.kitState", 409)
    Spec.given(Self.taken, .thawed(at: began)).when(.writeOff).then(.writtenOff)
    Spec.given(Self.taken).when(.writeOff).thenRefused("lab.gone", 410)
    Spec.given(.undoneBefore).when(.take(Self.content, at: began)).thenRefused("lab.undoneBefore", 410)
  }

  @Test func `returned only while it is frozen`() {
    Spec.given(Self.taken).when(.giveBack).then(.returned)
    Spec.given(Self.taken, .thawed(at: began)).when(.giveBack).thenRefused("sequencing.kitState", 409)
    Spec.given(Self.taken, .thawed(at: began), .writtenOff).when(.giveBack).thenRefused("lab.gone", 410)
    Spec.given(Self.taken, .returned).when(.thaw(at: began)).thenRefused("lab.gone", 410)
    Spec.given().when(.giveBack).thenRefused("lab.unknown", 404)
  }

  @Test func `used up to the end of its last day, and not after it`() {
    let lastSecond = Timestamp("2026-03-01T23:59:59Z") ?? began
    let nextDay = Timestamp("2026-03-02T00:00:00Z") ?? began
    Spec.given().when(.take(Self.content, at: lastSecond)).then(Self.taken)
    Spec.given().when(.take(Self.content, at: nextDay)).thenRefused("sequencing.kitExpired", 422)
    Spec.given(Self.taken).when(.thaw(at: nextDay)).thenRefused("sequencing.kitExpired", 422)
  }

  @Test func stored() throws {
    let events: [KitEvent] = [
      Self.taken, .undoneBefore, .thawed(at: began), .writtenOff, .returned, .undoNoted(command: "k"),
    ]
    for event in events { try expectStorable(event) }
  }
}

@Suite("A request for an accession number", .timeLimit(.minutes(15)), .inTurn)
struct AccessionRequestTests {
  @Test func stored() throws {
    let content = AccessionRequest.Content(id: .named("q"), barcode: "TS-1", sampleID: "s-1", assignedAt: began)
    try expectStorable(AccessionEvent.requested(content))
    try expectStorable(AccessionEvent.undoNoted(command: "k"))
    AggregateSpec<AccessionRequest>.given(.requested(content)).when(.request(content)).thenRefused("lab.exists", 409)
  }
}

@Suite("A message", .timeLimit(.minutes(15)), .inTurn)
struct MessageTests {
  typealias Spec = AggregateSpec<Message>
  static let content = Message.Content(
    id: .named("message"), recipient: "a@b.example", subject: "Stored", text: nil, sampleID: "s-1")

  @Test func `sent once, corrected often`() {
    Spec.given().when(.send(Self.content)).then(.sent(Self.content))
    Spec.given(.sent(Self.content)).when(.send(Self.content)).thenRefused("lab.exists", 409)
    Spec.given(.undoneBefore).when(.send(Self.content)).thenRefused("lab.undoneBefore", 410)
    Spec.given(.sent(Self.content), .corrected(text: "a")).when(.correct(text: "b")).then(.corrected(text: "b"))
    Spec.given().when(.correct(text: "b")).thenRefused("lab.unknown", 404)
  }

  @Test func stored() throws {
    for event in [MessageEvent.sent(Self.content), .corrected(text: "x"), .undoneBefore, .undoNoted(command: "k")] {
      try expectStorable(event)
    }
  }
}
