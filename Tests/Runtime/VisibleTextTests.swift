import Runtime
import TestSupport
import Testing
import Values

@Suite("Texts that name things", .timeLimit(.minutes(15)), .inTurn)
struct VisibleTextTests {
  @Test(
    "Composed and decomposed letters have one normal form",
    arguments: [
      ("MÜ-1", "MU\u{308}-1"), ("Å", "\u{212B}"), ("Å", "A\u{30A}"), ("가", "\u{1100}\u{1161}"), ("K", "\u{212A}"),
    ])
  func normal(composed: String, other: String) {
    #expect(Array(VisibleText.normal(other).utf8) == Array(composed.utf8))
    #expect(Array(VisibleText.normal(composed).utf8) == Array(composed.utf8))
  }

  @Test(
    "Text of visible characters is accepted",
    arguments: [
      "TS-4711", "MÜ-1", "MU\u{308}-1", "a b", "検体-1", "пробирка", "F80-1/B01", "+4", "x\u{301}", "א1", "½", "ｱ",
    ])
  func taken(text: String) {
    #expect(VisibleText.fault(in: text) == nil)
  }

  @Test(
    "Text with invisible or deceptive characters is refused",
    arguments: [
      "", " a", "a ", "\u{A0}a", "a\u{A0}", "a\u{A0}b", "a\u{2009}b", "a\u{3000}b", "a  b", "a\tb", "a\nb", "a\u{0}b",
      "a\u{7F}",
      "a\u{85}b", "a\u{AD}b", "a\u{200B}b", "a\u{200D}b", "\u{200E}a", "a\u{202E}b", "a\u{2066}b", "a\u{2060}",
      "\u{FEFF}a",
      "a\u{FE0F}", "a\u{34F}b", "a\u{115F}", "a\u{3164}", "a\u{2800}", "a\u{E000}", "a\u{378}", "a\u{E0041}",
      "\u{301}a",
      "a \u{301}b", "a\u{2028}b", "a\u{FFFD}", "a\u{10FFFE}", "a\u{180E}b", "a\u{17B4}",
    ])
  func refused(text: String) {
    #expect(VisibleText.fault(in: text) != nil, "\(text.unicodeScalars.map { String($0.value, radix: 16) })")
  }
}
