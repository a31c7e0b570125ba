import Runtime
import TestSupport
import Testing
import Values

@testable import Persistence

@Suite("Words of a search", .timeLimit(.minutes(15)), .inTurn)
struct SagaWordsTests {
  private func finds(_ query: String, in text: String) -> Bool {
    let words = SagaWords.of(text)
    let wanted = SagaWords.query(query)
    return !wanted.isEmpty
      && wanted.allSatisfy { wanted in words.contains { $0.utf8.starts(with: wanted.utf8) } }
  }

  @Test(
    "Every part of a text finds the text",
    arguments: [
      "TS-4711,", "TS-4711", "50%", "(50%)", "-5", "−5", "+4", "1.10", "4,5", "\"quoted\"", "“quoted”", "it's", "it’s",
      "a_b", "100%_x",
      "j.okafor@clinic-north.example", "http://host:80/x?y=1&z=%20", "LAB-00123/A", "#17", "…end", "end…", "QC_FAILED",
      "http.503",
      "C:\\temp\\x.txt", "a*b?", "MÜ-1", "MU\u{308}-1", "Straße", "STRASSE", "İstanbul", "ısı", "ＴＳ４７１１", "ﬁne", "x²",
      "検体、番号",
      "2026-02-25T11:30:00Z", "1e-7", "ΟΔΟΣ", "a\u{200B}b", "TS\u{AD}-1", "\u{1F}x", "<b>", "[1]", "TS-4711, TS-4712",
      "{\"a\":1}",
    ])
  func itself(text: String) {
    #expect(finds(text, in: text), "\(SagaWords.query(text)) in \(SagaWords.of(text))")
    #expect(finds(text, in: "before \(text), and after"))
    #expect(finds(text.uppercased(), in: text))
    #expect(finds(text.lowercased(), in: text))
    #expect(finds(VisibleText.normal(text), in: text) && finds(text, in: VisibleText.normal(text)))
  }

  @Test(
    "Different spellings of one text find each other",
    arguments: [
      ("MÜ-1", "MU\u{308}-1"), ("strasse", "Straße"), ("STRASSE 7", "straße 7"), ("ts4711", "ＴＳ４７１１"), ("fine", "ﬁne"),
      ("istanbul", "İSTANBUL"), ("Istanbul", "ıstanbul"), ("οδος", "ΟΔΟΣ"), ("οδοσ", "οδος"), ("A-1", "A\u{2010}1"),
      ("A-1", "A\u{2013}1"),
      ("TS-4711", "TS-4711."), ("TS-4711", "(TS-4711)"), ("TS-4712", "TS-4711,TS-4712"), ("00123/a", "LAB-00123/A"),
      ("LAB-00123", "LAB-00123/A"), ("lab-0", "LAB-00123/A"), ("okafor", "j.okafor@clinic.example"), ("50", "50%"),
      ("caf\u{E9}", "cafe\u{301}"), ("TS-1", "TS\u{AD}-1"),
    ])
  func spellings(query: String, text: String) {
    #expect(finds(query, in: text), "\(SagaWords.query(query)) in \(SagaWords.of(text))")
  }

  @Test(
    "No character of a query is a wildcard",
    arguments: [
      ("%", "abc"), ("_", "abc"), ("*", "abc"), ("a_c", "abc"), ("a%c", "abc"), ("a?c", "abc"), ("123", "LAB-00123"),
      ("e", "é"),
    ])
  func literal(query: String, text: String) {
    #expect(!finds(query, in: text))
  }

  @Test(
    "A word has a bounded length",
    arguments: [
      String(repeating: "x", count: 100_000), "e" + String(repeating: "\u{301}", count: 2_000),
      String(repeating: "7", count: 6_000), String(repeating: "👩‍🔬", count: 500) + "a",
      String(repeating: "a-", count: 50_000), String(repeating: "\u{FDFA}", count: 1_000),
    ])
  func bounded(text: String) {
    let words = SagaWords.of(text) + SagaWords.query(text)
    #expect(words.allSatisfy { $0.utf8.count <= 160 })
    #expect(finds(text, in: text))
  }
}
