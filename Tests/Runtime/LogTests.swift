import Dispatch
import Foundation
import JSON
import Synchronization
import TestSupport
import Testing
import Values

@testable import Runtime

/// Text from outside must not imitate a line of the engine.
@Suite("Log lines", .timeLimit(.minutes(15)), .inTurn)
struct LogTests {
  private func line(_ message: String, _ values: (String, String)...) -> String {
    LogLine(at: Timestamp(milliseconds: 0), .warning, message, values, .text).text
  }

  private func json(_ message: String, _ values: (String, String)...) -> String {
    LogLine(at: Timestamp(milliseconds: 0), .warning, message, values, .json).text
  }

  @Test("A plain line is a timestamp, a level, a message and values")
  func plain() {
    #expect(
      line("Could not connect; will retry", ("broker", "b:9092"), ("error", "no route"), ("empty", ""))
        == #"1970-01-01T00:00:00.000Z warning Could not connect; will retry broker=b:9092 error="no route" empty="""#)
  }

  @Test(
    "A character that could begin a line, move the cursor or turn the text around is shown as an escape in quotes",
    arguments: [
      ("a\nb", #"a\nb"#), ("a\r\nb", #"a\r\nb"#), ("a\tb", #"a\tb"#), ("\u{1B}[2J", #"\u{1B}[2J"#),
      ("a\u{0}b", #"a\u{0}b"#), ("a\u{7F}b", #"a\u{7F}b"#), ("a\u{85}b", #"a\u{85}b"#), ("a\u{9B}b", #"a\u{9B}b"#),
      ("a\u{2028}b", #"a\u{2028}b"#), ("a\u{2029}b", #"a\u{2029}b"#), ("a\u{202E}b", #"a\u{202E}b"#),
      ("a\u{2066}b", #"a\u{2066}b"#), ("a\u{200B}b", #"a\u{200B}b"#), ("a\u{FEFF}b", #"a\u{FEFF}b"#),
      ("a\u{E0041}b", #"a\u{E0041}b"#), ("a\u{AD}b", #"a\u{AD}b"#), (#"a\nb"#, #"a\\nb"#), (#"a"b"#, #"a\"b"#),
    ])
  func escaped(_ text: String, _ shown: String) throws {
    #expect(line("m", ("v", text)).hasSuffix(" m v=\"\(shown)\""))
    #expect(line(text).hasSuffix(" warning \"\(shown)\""))
    let read = try JSON(parsing: json(text, ("v", text)))
    #expect(read["message"] == .string(text) && read["v"] == .string(text))
    #expect(json(text).unicodeScalars.allSatisfy { $0.isASCII && $0.value >= 0x20 && $0.value != 0x7F })
  }

  @Test("Letters of any script are shown as they are", arguments: ["Größe", "試料", "b:9092", "é"])
  func plainValues(_ text: String) {
    #expect(line("m", ("v", text)).hasSuffix(" m v=\(text)"))
    #expect(json("m", ("v", text)).hasSuffix("\"v\":\"\(text)\"}"))
  }

  @Test("A value can't pass for another value")
  func quoted() {
    #expect(line("m", ("v", #"x" level="error"#)).hasSuffix(#" v="x\" level=\"error""#))
    #expect(line("m", ("v", "x=y")).hasSuffix(#" v="x=y""#))
    #expect(line("m", ("v", "a\u{A0}b")).hasSuffix(" v=\"a\u{A0}b\""))
    #expect(line("m v=1").hasSuffix(#" warning "m v=1""#))
    #expect(line("m", ("v w", "1")).hasSuffix(#" m "v w"=1"#))
  }

  @Test("A line in JSON is an object with time, level, message and the values")
  func object() {
    #expect(
      json("Could not connect; will retry", ("broker", "b:9092"), ("error", #"no "route""#))
        == #"{"time":"1970-01-01T00:00:00.000Z","level":"warning","message":"Could not connect; will retry","#
        + #""broker":"b:9092","error":"no \"route\""}"#)
  }

  @Test("A value whose name is in use gets another name in JSON")
  func names() throws {
    let read = try JSON(parsing: json("m", ("level", "x"), ("a", "1"), ("a", "2")))
    #expect(read["level"] == .string("warning") && read["level_2"] == .string("x"))
    #expect(read["a"] == .string("1") && read["a_2"] == .string("2"))
  }

  @Test("A long value is cut, and the line says so")
  func cut() {
    let text = line("m", ("v", String(repeating: "x", count: 1_000_000)))
    #expect(text.utf8.count < 2_100)
    #expect(text.hasSuffix("… (cut)\""))
  }
}

/// Logging never waits, and what it drops it counts.
@Suite("Log queue", .timeLimit(.minutes(15)), .inTurn)
struct LogQueueTests {
  /// Takes lines, and holds the first one until it is released.
  private final class SlowReader: Sendable {
    let lines = Mutex<[String]>([])
    let isHeld = DispatchSemaphore(value: 0)
    let gate = DispatchSemaphore(value: 0)
    private let isFirst = Atomic(true)

    func write(_ bytes: Data) {
      if isFirst.exchange(false, ordering: .acquiringAndReleasing) {
        isHeld.signal()
        gate.wait()
      }
      lines.withLock { $0.append(String(decoding: bytes.dropLast(), as: UTF8.self)) }
    }
  }

  @Test("Logging returns while the reader takes nothing; lines that don't fit are dropped, counted and reported")
  func full() async {
    let reader = SlowReader()
    let queue = LogQueue(capacity: 4) { reader.write($0) }
    let log = Log.lines(from: .info, format: .text, clock: FakeClock(), to: queue)
    log.info("line", ("n", "0"))
    await Self.wait(for: reader.isHeld)
    for number in 1...10 { log.info("line", ("n", "\(number)")) }
    reader.gate.signal()
    queue.flush(within: .seconds(30))
    let numbers = reader.lines.withLock { lines in lines.map { $0.split(separator: "=").last.map(String.init) } }
    #expect(numbers == ["0", "1", "2", "3", "4", "6"])
    let report = reader.lines.withLock { $0.last ?? "" }
    #expect(report.hasSuffix("warning Log lines were dropped because the queue was full; the log continues count=6"))
    log.info("line", ("n", "11"))
    queue.flush(within: .seconds(30))
    #expect(reader.lines.withLock { $0.count } == 7)
  }

  @Test("A level below the minimum is not logged", arguments: Log.Level.allCases)
  func levels(least: Log.Level) {
    let lines = Mutex<[String]>([])
    let queue = LogQueue(capacity: 10) { bytes in lines.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) } }
    let log = Log.lines(from: least, format: .json, clock: FakeClock(), to: queue)
    log.debug("m")
    log.info("m")
    log.warning("m")
    log.error("m")
    queue.flush(within: .seconds(30))
    let expected = Log.Level.allCases.filter { $0 >= least }.map(\.rawValue)
    let written = lines.withLock { lines in
      lines.map { line in expected.first { line.contains("\"level\":\"\($0)\"") } }
    }
    #expect(written == expected)
  }

  @Test("Flushing waits for the lines before it, and not longer than its limit")
  func flush() async {
    let reader = SlowReader()
    let queue = LogQueue(capacity: 4) { reader.write($0) }
    queue.flush(within: .seconds(30))
    queue.add("first") { "\($0)" }
    await Self.wait(for: reader.isHeld)
    queue.flush(within: .milliseconds(10))
    #expect(reader.lines.withLock { $0.isEmpty })
    reader.gate.signal()
    queue.flush(within: .seconds(30))
    #expect(reader.lines.withLock { $0 } == ["first"])
  }

  @Test("Lines that could not be written are counted too")
  func unwritable() {
    struct Full: Error {}
    let lines = Mutex<[String]>([])
    let fails = Atomic(true)
    let queue = LogQueue(capacity: 4) { bytes in
      if fails.load(ordering: .acquiring) { throw Full() }
      lines.withLock { $0.append(String(decoding: bytes.dropLast(), as: UTF8.self)) }
    }
    queue.add("lost") { "\($0) dropped" }
    queue.flush(within: .seconds(30))
    fails.store(false, ordering: .releasing)
    queue.add("kept") { "\($0) dropped" }
    queue.flush(within: .seconds(30))
    #expect(lines.withLock { $0 } == ["1 dropped", "kept"])
  }

  /// Waits on a thread of its own, so that the test doesn't block the pool.
  private static func wait(for semaphore: DispatchSemaphore) async {
    await withCheckedContinuation { continuation in
      Thread {
        semaphore.wait()
        continuation.resume()
      }.start()
    }
  }
}
