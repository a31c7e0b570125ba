import JSON
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import Streaming

@Suite("Counting in windows of event time", .timeLimit(.minutes(15)), .inTurn)
struct WindowCountTests {
  static func count(
    size: Duration = .seconds(3_600), advance: Duration? = nil, lateness: Duration = .seconds(600),
    closeAfter: Duration? = nil, key: String? = "$.data.type", when: String? = nil, time: String? = nil
  ) throws -> StreamDefinition {
    StreamDefinition(
      name: "per-hour",
      work: .count(
        CountPlan(
          input: try .samples(key: key, when: when, time: time), size: size, advance: advance,
          timing: StreamTiming(lateness: lateness), closeAfter: closeAfter)), to: "out")
  }

  @Test("A window's count is sent once, when the watermark reaches its end")
  func tumbling() throws {
    var spec = try StreamSpecification(Self.count())
    spec.when(sampleAt: "10:05")
    spec.when(sampleAt: "10:59:59", key: "dna")
    spec.when(sampleAt: "11:00")
    // Out of order, within the lateness.
    spec.when(sampleAt: "10:50")
    // The watermark is at 10:59:59.
    spec.when(sampleAt: "11:09:59")
    spec.then()
    spec.when(sampleAt: "11:10")
    spec.then("blood [10:00–11:00) 2", "dna [10:00–11:00) 1")
    spec.when(sampleAt: "12:10")
    spec.then("blood [11:00–12:00) 3")
    #expect(spec.verdicts.allSatisfy { $0 == .taken })
    #expect(spec.machine.watermark == at("12:00"))
    #expect(spec.machine.kept == 1)
  }

  @Test("Windows that overlap each count the event")
  func hopping() throws {
    var spec = try StreamSpecification(Self.count(advance: .seconds(900), lateness: .zero))
    spec.when(sampleAt: "10:00")
    spec.when(sampleAt: "10:14:59")
    spec.when(sampleAt: "10:15")
    spec.when(sampleAt: "11:15")
    spec.then(
      "blood [09:15–10:15) 2", "blood [09:30–10:30) 3", "blood [09:45–10:45) 3", "blood [10:00–11:00) 3",
      "blood [10:15–11:15) 1")
    #expect(spec.machine.kept == 4)
  }

  @Test("Windows begin at multiples of their advance since 1970, before it too")
  func alignment() throws {
    var spec = try StreamSpecification(Self.count(lateness: .zero))
    spec.now = Timestamp(milliseconds: 0)
    spec.when(TestEvent(id: "a", time: Timestamp(milliseconds: -1), data: ["type": "old"]))
    spec.when(TestEvent(id: "b", time: Timestamp(milliseconds: 0), data: ["type": "old"]))
    spec.then("old [23:00–00:00) 1")
  }

  @Test("A late event is reported with the windows that it missed, and changes no result")
  func late() throws {
    var spec = try StreamSpecification(Self.count(advance: .seconds(1_800), lateness: .zero))
    spec.when(sampleAt: "10:40")
    spec.when(sampleAt: "11:05")
    spec.then("blood [10:00–11:00) 1")
    // One of its two windows is closed.
    spec.when(sampleAt: "10:45")
    #expect(
      spec.verdicts.last
        == .late(
          "The window from 2026-03-01T10:00:00.000Z to 2026-03-01T11:00:00.000Z had been closed when the event came; "
            + "it is counted in the 1 that were still open."))
    spec.when(sampleAt: "09:10")
    #expect(
      spec.verdicts.last
        == .late(
          "2 windows, the first from 2026-03-01T08:30:00.000Z, the last to 2026-03-01T10:00:00.000Z, had been closed "
            + "when the event came."))
    spec.when(sampleAt: "12:00")
    spec.then("blood [10:30–11:30) 3", "blood [11:00–12:00) 1")
    #expect(spec.machine.totals.late == 2)
  }

  @Test("A partition that never had an event stops the watermark until it is silent")
  func silence() throws {
    var spec = try StreamSpecification(Self.count(lateness: .zero), partitions: ["samples": 2])
    spec.when(sampleAt: "10:05")
    spec.when(sampleAt: "11:05")
    spec.then()
    // Not read to its end: a backlog that waits to be read is not silence.
    spec.whenTimeComes(to: "13:00", silent: false)
    spec.then()
    spec.whenTimeComes(to: "13:01")
    spec.then()
    spec.whenTimeComes(to: "13:01:59")
    spec.then()
    spec.whenTimeComes(to: "13:02")
    spec.then("blood [10:00–11:00) 1")
    // An event after the silence is late only for closed windows.
    spec.when(sampleAt: "10:30", partition: 1)
    spec.when(sampleAt: "11:30", partition: 1)
    #expect(spec.verdicts.suffix(2).map { if case .late = $0 { true } else { false } } == [true, false])
  }

  @Test("When all partitions are silent the latest one counts, in whatever order they fell silent")
  func allSilent() throws {
    var spec = try StreamSpecification(Self.count(lateness: .zero), partitions: ["samples": 2])
    spec.when(sampleAt: "10:05", partition: 1)
    spec.when(sampleAt: "11:05", partition: 0)
    spec.whenTimeComes(to: "13:00")
    spec.then()
    spec.whenTimeComes(to: "13:01")
    spec.then("blood [10:00–11:00) 1")
    #expect(spec.machine.watermark == at("11:05"))
  }

  @Test("The clock closes the last windows only with `closeAfter`, and moves the watermark no further")
  func closeAfter() throws {
    var waiting = try StreamSpecification(Self.count())
    waiting.when(sampleAt: "11:50")
    waiting.whenTimeComes(to: "12:30")
    waiting.whenTimeComes(to: "23:00")
    waiting.then()

    var spec = try StreamSpecification(Self.count(closeAfter: .seconds(1_800)))
    spec.when(sampleAt: "11:50")
    spec.whenTimeComes(to: "12:28")
    spec.whenTimeComes(to: "12:29:59")
    spec.then()
    spec.whenTimeComes(to: "12:30")
    spec.then("blood [11:00–12:00) 1")
    #expect(spec.machine.watermark == at("12:00"))
    spec.whenTimeComes(to: "23:00")
    #expect(spec.machine.watermark == at("12:00"))
  }

  @Test("Ignored events move the watermark too")
  func ignored() throws {
    var spec = try StreamSpecification(Self.count(lateness: .zero, when: "$.type == 'sample.created'"))
    spec.when(sampleAt: "10:05")
    spec.when(TestEvent(id: "x", type: "sample.voided", time: at("11:00")))
    #expect(spec.verdicts.last == .ignored)
    spec.then("blood [10:00–11:00) 1")
    // One that lies ahead of the clock does not.
    spec.when(TestEvent(id: "y", type: "sample.voided", time: at("12:11")))
    #expect(spec.machine.watermark == at("11:00"))
  }

  @Test("An event that can't be counted is refused with the reason, and does not move the watermark")
  func refused() throws {
    var spec = try StreamSpecification(Self.count(lateness: .zero))
    func code(_ event: TestEvent) -> String? {
      spec.when(event)
      guard case .refused(let refusal) = spec.verdicts.last else { return nil }
      return refusal.code
    }
    #expect(code(TestEvent(id: "a", time: at("10:00"))) == StreamingErrorCode.streamNoKey)
    #expect(code(TestEvent(id: "b", time: at("10:00"), data: ["type": [:]])) == StreamingErrorCode.streamNoKey)
    #expect(code(TestEvent(id: "c", time: at("10:00"), data: ["type": "a\0"])) == StreamingErrorCode.streamNoKey)
    #expect(code(TestEvent(id: "d", data: ["type": "dna"])) == StreamingErrorCode.streamNoTime)
    // The clock says 12:00, and ten minutes ahead are let pass.
    #expect(
      code(TestEvent(id: "e", time: at("12:10:01"), data: ["type": "dna"])) == StreamingErrorCode.streamTimeAhead)
    #expect(spec.machine.watermark == nil)
    #expect(code(TestEvent(id: "f", time: at("12:10"), data: ["type": 7])) == nil)
    #expect(spec.machine.watermark == at("12:10"))
    #expect(spec.machine.totals.refused == 5)
    #expect(spec.machine.totals.read == 6)
  }

  @Test(
    "The time may be in the data",
    arguments: [
      ("\"2026-03-01T10:30:00+01:00\"", true), ("1772357400000", true), ("\"yesterday\"", false), ("1e300", false),
      ("true", false), ("9000000000000000000", false),
    ])
  func timeInData(_ text: String, _ isTime: Bool) throws {
    var spec = try StreamSpecification(Self.count(lateness: .zero, time: "$.data.collectedAt"))
    spec.when(TestEvent(id: "a", data: ["type": "rna", "collectedAt": try JSON(parsing: text)]))
    guard isTime else {
      #expect(spec.machine.totals.refused == 1)
      return
    }
    #expect(spec.machine.watermark == at("09:30"))
  }

  @Test("Without a key everything is counted together")
  func noKey() throws {
    var spec = try StreamSpecification(Self.count(lateness: .zero, key: nil))
    spec.when(sampleAt: "10:05", key: "blood")
    spec.when(sampleAt: "10:06", key: "dna")
    spec.when(sampleAt: "11:00")
    #expect(spec.outputs.map(\.key) == [nil])
    spec.then(" [10:00–11:00) 2")
  }

  @Test("A result names its window: same parts, same id; its time is the window's last millisecond")
  func outputs() throws {
    func outputs(_ name: String) throws -> [StreamOutput] {
      let plan = try Self.count(lateness: .zero)
      var spec = try StreamSpecification(StreamDefinition(name: name, work: plan.work, to: "out", type: "lab.perHour"))
      for time in ["10:05", "11:05", "12:05"] { spec.when(sampleAt: time) }
      return spec.outputs
    }
    let first = try outputs("a")
    #expect(first.map(\.time) == [at("11:00"), at("12:00")].map { Timestamp(milliseconds: $0.milliseconds - 1) })
    #expect(first.allSatisfy { $0.type == "lab.perHour" && $0.key == "blood" })
    #expect(try outputs("a").map(\.id) == first.map(\.id))
    #expect(Set(first.map(\.id) + (try outputs("b").map(\.id))).count == 4)
  }

  @Test("A repeated event of a store is counted once; events of a store that was created again are not repeats")
  func repeats() throws {
    var spec = try StreamSpecification(Self.count(lateness: .zero))
    func event(_ position: Int64, _ time: String, shard: Int = 1) -> TestEvent {
      TestEvent(
        id: "\(shard)/\(position)", time: at(time), place: .init(source: "/lab", shard: shard, position: position),
        data: ["type": "dna"])
    }
    for event in [event(5, "10:01"), event(6, "10:02"), event(5, "10:01"), event(6, "10:02"), event(7, "10:03")] {
      spec.when(event)
    }
    spec.when(event(2, "10:03", shard: 2))
    spec.save()
    try spec.restart()
    spec.when(event(7, "10:03"))
    #expect(spec.verdicts.map { $0 == .repeated } == [false, false, true, true, false, false, true])
    #expect(spec.machine.totals.repeated == 3)
    // Position 1 again, and later than all: another life.
    spec.when(event(1, "10:30"))
    spec.when(event(2, "10:31"))
    spec.when(event(2, "10:31"))
    #expect(spec.verdicts.suffix(3) == [.taken, .taken, .repeated])
    spec.when(event(3, "11:00"))
    spec.then("dna [10:00–11:00) 6")
  }
}
