import JSON
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct JSONDocumentTests {
  static let lines = [
    #"{"#,
    #"  "steps": [1, {}, {"id": "µ{[,:\"", "x": true}], "é": [[], -1.5e3],"# + "\r",
    #"  "last": {"a/b": {"m~n": null}}"#,
    #"}"#,
  ]
  static let bytes = Array(lines.joined(separator: "\n").utf8)

  @Test(
    arguments: [
      ([], 1, "{", nil), ([.name("steps")], 2, "[1", "\"steps"), ([.name("steps"), .index(1)], 2, "{}", nil),
      ([.name("steps"), .index(2), .name("id")], 2, "\"µ", "\"id"),
      ([.name("steps"), .index(2), .name("x")], 2, "true", "\"x"),
      ([.name("é"), .index(1)], 2, "-1.5", nil), ([.name("é"), .index(0)], 2, "[], -", nil),
      ([.name("last"), .name("a/b"), .name("m~n")], 3, "null", "\"m~n"),
    ] as [([JSONPointer.Token], Int, String, String?)])
  func `values and names have places`(
    _ tokens: [JSONPointer.Token], _ line: Int, _ text: String, _ nameText: String?
  ) throws {
    let document = try JSONDocument(parsing: Self.bytes)
    let pointer = JSONPointer(tokens)
    check(try #require(document.place(of: pointer)), line, text)
    if let nameText {
      check(try #require(document.placeOfName(pointer)), line, nameText)
    } else {
      #expect(document.placeOfName(pointer) == nil)
    }
  }

  /// The place's offset, and its line and column, must both lead to the text.
  private func check(_ place: SourcePlace, _ line: Int, _ text: String) {
    #expect(place.line == line)
    #expect(Self.bytes[place.offset...].starts(with: text.utf8))
    let rest = Self.lines[place.line - 1].unicodeScalars.dropFirst(place.column - 1)
    #expect(rest.starts(with: text.unicodeScalars))
  }

  @Test func `what isn't there has no place`() throws {
    let document = try JSONDocument(parsing: Self.bytes)
    #expect(document.place(of: JSONPointer.root.appending("none")) == nil)
    #expect(document.place(of: JSONPointer.root.appending("steps").appending(3)) == nil)
    #expect(document.place(of: JSONPointer.root.appending(0)) == nil)
    #expect(document.placeOfName(JSONPointer.root.appending("last").appending("none")) == nil)
  }

  @Test func `a pointer's text escapes tilde and slash`() {
    #expect(JSONPointer([.name("a/b"), .index(0), .name("m~n"), .name("")]).description == "/a~1b/0/m~0n/")
    #expect(JSONPointer.root.description.isEmpty)
  }
}
