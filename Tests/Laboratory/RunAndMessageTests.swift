import JSON
import TestSupport
import Testing
import Values

@testable import Laboratory

@Suite("A run", .timeLimit(.minutes(15)), .inTurn)
struct RunTests {
  typealias Spec = AggregateSpec<Run>
  static let lane = LaneName(flowCell: "FC1", lane: 3)
  static let request = Run.Request(
    id: .named("run"), sampleID: "s-1", barcode: nil, instrument: "NOVASEQ-1", priority: "urgent", assay: "wgs",
    scheduledAt: Timestamp(milliseconds: 1_772_352_000_000))
  static let scheduled = RunEvent.scheduled(request)

  @Test func `from its schedule to its end`() {
    Spec.given().when(.schedule(Self.request)).then(Self.scheduled)
    Spec.given(Self.scheduled).when(.bookLane(Self.lane)).then(.laneBooked(Self.lane))
    Spec.given(Self.scheduled).when(.load).thenRefused("sequencing.wrongState", 409)
    Spec.given(Self.scheduled, .laneBooked(Self.lane)).when(.load).then(.loaded)
    Spec.given(Self.scheduled, .laneBooked(Self.lane), .loaded).when(.start).then(.started)
    Spec.given(Self.scheduled, .laneBooked(Self.lane), .loaded, .started).when(.record(kind: "cycle", text: "1"))
      .then(.recorded(kind: "cycle", text: "1"))
    Spec.given(Self.scheduled, .laneBooked(Self.lane), .loaded, .started).when(.complete).then(.completed)
  }

  @Test func `cancelled until it is started, and its lanes are free`() {
    Spec.given(Self.scheduled, .laneBooked(Self.lane)).when(.cancel(reason: "x"))
      .then(.cancelled(reason: "x", lanes: [Self.lane]))
    Spec.given(Self.scheduled, .laneBooked(Self.lane), .loaded, .started).when(.cancel(reason: nil))
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
      Self.scheduled, .undoneBefore, .laneBooked(Self.lane), .laneReleased(Self.lane), .loaded, .unloaded, .started,
      .recorded(kind: "k", text: nil), .completed, .cancelled(reason: nil, lanes: [Self.lane]),
      .undoNoted(command: "k"),
    ]
    for event in events { try expectStorable(event) }
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
