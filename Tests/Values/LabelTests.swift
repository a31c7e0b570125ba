import JSON
import TestSupport
import Testing
import Values

@Suite("Titles and labels", .timeLimit(.minutes(15)), .inTurn)
struct LabelTests {
  @Test(
    "A line has only what a person can see, in one line",
    arguments: [
      ("TUBE-0001", "TUBE-0001"), ("  two \t\n lines\u{2028}here ", "two lines here"), ("a\u{0}b\u{7F}c", "a b c"),
      ("P\u{200B}-1\u{FEFF}7", "P-17"), ("a\u{A0}\u{3000}b", "a b"), ("x\u{2800}", "x"),
      ("\u{301}e\u{301}", "e\u{301}"),
      ("a \u{301}b", "a b"), ("h\u{E000}i\u{378}", "hi"), ("\u{202E}abc", "abc"),
      ("5 µl · Größe 試料", "5 µl · Größe 試料"),
      ("\u{1B}[31mred", "[31mred"), ("heart\u{FE0F}", "heart"),
    ])
  func cleaned(text: String, line: String) {
    #expect(ShownLine.title(text).map(scalars) == scalars(line))
    #expect(ShownLine.label(text).map(scalars) == scalars(line))
  }

  private func scalars(_ text: String) -> [UInt32] { text.unicodeScalars.map(\.value) }

  @Test("A text without a visible character gives nil", arguments: ["", " ", "\r\n\t", "\u{200B}\u{2060}", "\u{301}"])
  func empty(text: String) {
    #expect(ShownLine.title(text) == nil)
    #expect(ShownLine.label(text) == nil)
  }

  @Test("A title that is too long is cut, and a label that is too long is left out")
  func long() {
    let longest = String(repeating: "é", count: 200)
    #expect(ShownLine.title(longest) == longest)
    #expect(ShownLine.label(longest) == longest)
    #expect(ShownLine.title(longest + "x") == String(repeating: "é", count: 199) + "…")
    #expect(ShownLine.label(longest + "x") == nil)
    #expect(ShownLine.label("  \(longest)\n") == longest)
    // A character stays whole: the text is cut before it, not inside it.
    let marked = String(repeating: "x", count: 198) + "e\u{301}" + "y"
    #expect(ShownLine.title(marked) == String(repeating: "x", count: 198) + "…")
    #expect(ShownLine.title("e" + String(repeating: "\u{301}", count: 300)) == "…")
  }

  @Test("Labels are an object of strings")
  func json() {
    let labels = [Label("patient", "P-17"), Label("ward", "3 B")]
    #expect(JSON.labels(labels).text() == #"{"patient":"P-17","ward":"3 B"}"#)
    #expect(JSON.labels(labels).labelsValue == labels)
    #expect((["patient": 17] as JSON).labelsValue == nil)
    #expect((["patient"] as JSON).labelsValue == nil)
  }
}
