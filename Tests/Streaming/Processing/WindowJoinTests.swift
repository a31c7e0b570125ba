import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import Streaming

@Suite("Joining two topics within a bound of event time", .timeLimit(.minutes(15)), .inTurn)
struct WindowJoinTests {
  static func join(within: Duration = .seconds(7_200), lateness: Duration = .seconds(600), rightTopic: String = "runs")
    throws -> StreamDefinition
  {
    StreamDefinition(
      name: "sequenced",
      work: .join(
        JoinPlan(
          left: StreamInput(
            topic: "samples", when: try JSONPathCondition("$.type == 'sample.created'"), key: try JSONPath("$.subject")),
          right: StreamInput(
            topic: rightTopic, when: try JSONPathCondition("$.type == 'run.scheduled'"),
            key: try JSONPath("$.data.sampleId")), within: within, timing: StreamTiming(lateness: lateness))),
      to: "out")
  }

  static let topics = ["samples": 1, "runs": 1]

  static func sample(_ id: String, _ subject: String, _ time: String) -> TestEvent {
    TestEvent(id: id, subject: subject, time: at(time))
  }

  static func run(_ id: String, of sample: String, _ time: String, topic: String = "runs") -> TestEvent {
    TestEvent(
      topic: topic, id: id, type: "run.scheduled", subject: "r-\(id)", time: at(time),
      data: ["sampleId": .string(sample)])
  }

  @Test("A pair is sent when its second event comes, whichever that is")
  func pairs() throws {
    var spec = try StreamSpecification(Self.join(), partitions: Self.topics)
    spec.when(Self.sample("a", "s1", "10:00"))
    spec.then()
    spec.when(Self.run("x", of: "s1", "11:00"))
    spec.then("s1: a+x")
    spec.when(Self.run("y", of: "s2", "10:30"))
    spec.when(Self.sample("b", "s2", "10:40"))
    spec.then("s2: b+y")
    // A second run of the first sample.
    spec.when(Self.run("z", of: "s1", "11:30"))
    #expect(spec.outputs.first?.time == at("11:30"))
    spec.then("s1: a+z")
    spec.when(TestEvent(topic: "runs", id: "w", type: "run.started", time: at("11:40")))
    spec.then()
    #expect(spec.verdicts.last == .ignored)
  }

  @Test("The bound is the same to both sides, and belongs to the pair")
  func bound() throws {
    var spec = try StreamSpecification(Self.join(), partitions: Self.topics)
    spec.when(Self.sample("a", "s1", "10:00"))
    for (id, time) in [("early", "07:59:59"), ("first", "08:00"), ("last", "12:00"), ("over", "12:00:01")] {
      spec.when(Self.run(id, of: "s1", time))
    }
    spec.then("s1: a+first", "s1: a+last")
  }

  @Test("Each pair is sent once, however often its events come")
  func once() throws {
    var spec = try StreamSpecification(Self.join(), partitions: Self.topics)
    for _ in 0..<3 {
      spec.when(Self.sample("a", "s1", "10:00"))
      spec.when(Self.run("x", of: "s1", "10:30"))
    }
    spec.then("s1: a+x")
    #expect(spec.verdicts.dropFirst(2).allSatisfy { $0 == .repeated })
    spec.save()
    try spec.restart()
    spec.when(Self.run("x", of: "s1", "10:30"))
    spec.then()
  }

  @Test("An event is kept until the watermark is past all its partners, and no longer")
  func expiry() throws {
    var spec = try StreamSpecification(Self.join(lateness: .zero), partitions: Self.topics)
    spec.now = at("20:00")
    spec.when(Self.sample("a", "s1", "10:00"))
    spec.when(Self.run("x", of: "other", "12:00"))
    #expect(spec.machine.kept == 2)
    spec.when(Self.sample("b", "s2", "14:30"))
    // The watermark is at 12:00, of the runs: a partner may still come with exactly that time.
    #expect(spec.machine.kept == 3)
    spec.when(Self.run("y", of: "s1", "12:00"))
    spec.then("s1: a+y")
    spec.when(Self.run("z", of: "s9", "14:30"))
    // At 14:30 the events of 12:00 and before are past; those of 14:30 are not.
    #expect(spec.machine.kept == 2)
    spec.save()
    #expect(spec.stored.keys.filter { $0.hasPrefix("event/") }.count == 2)
  }

  @Test("An event behind the watermark is reported as late, and still pairs with kept events")
  func late() throws {
    var spec = try StreamSpecification(Self.join(within: .seconds(3_600), lateness: .zero), partitions: Self.topics)
    spec.now = at("20:00")
    spec.when(Self.sample("a", "s1", "11:30"))
    spec.when(Self.run("x", of: "none", "12:00"))
    spec.when(Self.sample("b", "s2", "12:00"))
    spec.when(Self.run("late", of: "s1", "11:15"))
    spec.then("s1: a+late")
    #expect(
      spec.verdicts.last
        == .late(
          "The event's time 2026-03-01T11:15:00.000Z is before the watermark, 2026-03-01T12:00:00.000Z. Its partners "
            + "may have been dropped before it came."))
    let kept = spec.machine.kept
    // Too late for any pair: it finds no partner, and is not kept.
    spec.when(Self.run("lost", of: "s1", "10:59"))
    spec.then()
    #expect(spec.machine.kept == kept)
    #expect(spec.machine.totals.late == 2)
  }

  @Test("A topic joined with itself pairs no event with itself")
  func itself() throws {
    let plan = JoinPlan(
      left: StreamInput(topic: "samples", key: try JSONPath("$.subject")),
      right: StreamInput(topic: "samples", key: try JSONPath("$.subject")), within: .seconds(60),
      timing: StreamTiming(lateness: .zero))
    var spec = try StreamSpecification(StreamDefinition(name: "self", work: .join(plan), to: "out"))
    spec.when(Self.sample("a", "s1", "10:00"))
    spec.then()
    spec.when(Self.sample("b", "s1", "10:00:30"))
    spec.then("s1: b+a", "s1: a+b")
  }

  @Test("A pair contains both events unchanged, without their places")
  func content() throws {
    var spec = try StreamSpecification(Self.join(), partitions: Self.topics)
    spec.when(Self.sample("a", "s1", "10:00"))
    spec.when(Self.run("x", of: "s1", "10:30"))
    let output = try #require(spec.outputs.first)
    #expect(output.data["key"] == "s1")
    #expect(output.data["right"]?["data"]?["sampleId"] == "s1")
    #expect(output.data["left"]?["time"]?.stringValue == at("10:00").description)
    #expect(output.data["left"]?["kafka"] == nil)
  }
}
