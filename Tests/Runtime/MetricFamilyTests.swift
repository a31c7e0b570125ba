import TestSupport
import Testing
import Values

@testable import Runtime

@Suite("Families of metrics", .timeLimit(.minutes(15)), .inTurn)
struct MetricFamilyTests {
  @Test("A counter adds up for each combination of label values")
  func counts() {
    let family = CounterFamily(MetricFamily("x_total", "X.", labels: [.open("workflow"), .listed("end")]))
    family.add(1, "b", "completed")
    family.add(2, "a", "completed")
    family.add(3, "b", "completed")
    #expect(
      family.samples == [
        .init(labels: ["a", "completed"], value: 2), .init(labels: ["b", "completed"], value: 4),
      ])
  }

  @Test("Values of users beyond the limit count as other, and the values that the program lists stay")
  func limit() {
    let family = CounterFamily(MetricFamily("x_total", "X.", labels: [.open("workflow"), .listed("end")], limit: 2))
    for name in 0..<1_000 {
      for end in ["completed", "compensated"] { family.add(1, "w\(name)", end) }
    }
    family.add(1, "w0", "completed")
    let samples = family.samples
    #expect(samples.count == 4)
    #expect(samples.reduce(0) { $0 + $1.value } == 2_001)
    #expect(samples.first { $0.labels == ["w0", "completed"] }?.value == 2)
    #expect(samples.first { $0.labels == ["other", "completed"] }?.value == 999)
  }

  @Test("A histogram counts each value up to every bound that it does not exceed")
  func histogram() throws {
    let family = HistogramFamily(
      MetricFamily("x_seconds", "X.", labels: [.open("step")]), upTo: [.milliseconds(5), .seconds(1)])
    for time in [Duration.milliseconds(5), .microseconds(5_001), .seconds(2), .seconds(-1)] { family.add(time, "a") }
    let sample = try #require(family.samples.first)
    #expect(sample.upTo == [2, 3] && sample.count == 4)
    #expect(sample.sum == 5_000 + 5_001 + 2_000_000)
  }

  @Test("A histogram has a limit, and its sum does not overflow")
  func boundedHistogram() throws {
    let family = HistogramFamily(MetricFamily("x_events", "X.", labels: [.open("w")], limit: 1), bounds: [1_000_000])
    family.add(count: 1, "a")
    for _ in 0..<3 { family.add(count: .max, "b") }
    family.add(count: 1, "c")
    #expect(family.samples.map(\.labels) == [["a"], ["other"]])
    let other = try #require(family.samples.last)
    #expect(other.count == 4 && other.upTo == [1] && other.sum == .max)
  }

  @Test("Many tasks count at once, and no count is lost")
  func parallel() async {
    let family = CounterFamily(MetricFamily("x_total", "X.", labels: [.open("w")], limit: 5))
    await withTaskGroup(of: Void.self) { group in
      for task in 0..<8 { group.addTask { for number in 0..<1_000 { family.add(1, "w\((number + task) % 10)") } } }
    }
    #expect(family.samples.reduce(0) { $0 + $1.value } == 8_000)
    #expect(family.samples.count == 6)
  }

  #if os(Linux)
    @Test("The system says what the process uses")
    func process() throws {
      let figures = ProcessFigures()
      #expect(try #require(figures.processorTime) > .zero)
      let resident = try #require(figures.residentBytes)
      #expect(resident > 1 << 20)
      #expect(try #require(figures.virtualBytes) >= resident)
      let open = try #require(figures.openFiles)
      #expect(open >= 3)
      #expect(try #require(figures.mostFiles) >= open)
      // The start is known to a tick and to the second in which the system started.
      let now = SystemClock().wallNow().milliseconds / 1_000
      let started = try #require(figures.startedAt)
      #expect(started <= now + 2 && started > now - 86_400)
    }
  #endif

  @Test("A log tells which levels it writes, and a silent log writes none")
  func levels() {
    let lines = Told<String>()
    let log = Log(from: .warning) { _, message, _ in lines.add(message) }
    log.info("a")
    log.warning("b")
    log.add(.error, "c", [])
    #expect(lines.all == ["b", "c"])
    #expect(!log.writes(.info) && log.writes(.warning) && log.writes(.error))
    #expect(!Log.silent.writes(.error))
  }
}
