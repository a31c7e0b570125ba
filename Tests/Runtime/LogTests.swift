import TestSupport
import Testing
import Values

@testable import Runtime

/// What others sent must not pass for what the engine says.
@Suite("Log lines")
struct LogTests {
  private func line(_ message: String, _ values: (String, String)...) -> String {
    LogLine(at: Timestamp(milliseconds: 0), .warning, message, values).text
  }

  @Test("A plain line is a moment, a level, a message and values")
  func plain() {
    #expect(
      line("Could not connect; will retry", ("broker", "b:9092"), ("error", "no route"), ("empty", ""))
        == #"1970-01-01T00:00:00.000Z warning Could not connect; will retry broker=b:9092 error="no route" empty="""#)
  }

  @Test(
    "What could begin a line, move the cursor or turn the text around is shown as an escape",
    arguments: [
      ("a\nb", #"a\nb"#), ("a\r\nb", #"a\r\nb"#), ("a\tb", #"a\tb"#), ("\u{1B}[2J", #"\u{1B}[2J"#),
      ("a\u{0}b", #"a\u{0}b"#), ("a\u{7F}b", #"a\u{7F}b"#), ("a\u{85}b", #"a\u{85}b"#), ("a\u{9B}b", #"a\u{9B}b"#),
      ("a\u{2028}b", #"a\u{2028}b"#), ("a\u{2029}b", #"a\u{2029}b"#), ("a\u{202E}b", #"a\u{202E}b"#),
      ("a\u{2066}b", #"a\u{2066}b"#), ("a\u{200B}b", #"a\u{200B}b"#), ("a\u{FEFF}b", #"a\u{FEFF}b"#),
      ("a\u{E0041}b", #"a\u{E0041}b"#), ("a\u{AD}b", #"a\u{AD}b"#), (#"a\nb"#, #"a\\nb"#), ("Größe", "Größe"),
      ("試料", "試料"),
    ])
  func escaped(_ text: String, _ shown: String) {
    #expect(line("m", ("v", text)).hasSuffix(" m v=\(shown)"))
    #expect(line(text).hasSuffix(" warning \(shown)"))
  }

  @Test("A value can't pass for another value")
  func quoted() {
    #expect(line("m", ("v", #"x" level="error"#)).hasSuffix(#" v="x\" level=\"error""#))
    #expect(line("m", ("v", "x=y")).hasSuffix(#" v="x=y""#))
  }

  @Test("A long value is cut, and the line says so")
  func cut() {
    let text = line("m", ("v", String(repeating: "x", count: 1_000_000)))
    #expect(text.utf8.count < 2_100)
    #expect(text.hasSuffix("… (cut)"))
  }
}
