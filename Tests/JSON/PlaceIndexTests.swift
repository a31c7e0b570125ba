import TestSupport
import Testing

@testable import JSON

@Suite("Places of values", .timeLimit(.minutes(15)), .inTurn)
struct PlaceIndexTests {
  @Test("every value of a large text is found, also on one long line")
  func everyValue() throws {
    let text = "{" + (0..<3_000).map { "\"k\($0)é\": [\($0), {\"x\": true}]" }.joined(separator: ", ") + "}"
    let bytes = Array(text.utf8)
    let document = try JSONDocument(parsing: bytes)
    let scalars = Array(text.unicodeScalars)
    for number in stride(from: 0, to: 3_000, by: 7) {
      let pointer = JSONPointer.root.appending("k\(number)é")
      let name = try #require(document.placeOfName(pointer))
      #expect(bytes[name.offset...].starts(with: "\"k\(number)é\"".utf8))
      #expect(scalars[(name.column - 1)...].starts(with: "\"k\(number)é\"".unicodeScalars))
      let inner = try #require(document.placeOfName(pointer.appending(1).appending("x")))
      #expect(bytes[inner.offset...].starts(with: "\"x\": true".utf8))
    }
  }

  @Test("lines are counted alike from every mark", arguments: ["\n", "\r\n", "\r"])
  func lines(_ end: String) throws {
    let text = "[" + (0..<2_000).map { "\($0)" }.joined(separator: ",\(end)") + "]"
    let document = try JSONDocument(parsing: Array(text.utf8))
    for number in 0..<2_000 {
      #expect(document.place(of: JSONPointer.root.appending(number))?.line == number + 1)
    }
  }

  @Test("the text shown for a pointer is bounded")
  func shown() {
    let long = JSONPointer([.name(String(repeating: "é", count: 5_000)), .index(3)])
    #expect(long.shown.utf8.count < 300)
    #expect(JSONPointer([.name("a/b"), .index(0)]).shown == "/a~1b/0")
    #expect(JSONPointer(Array(repeating: .index(1), count: 500)).shown.hasSuffix("/…"))
  }
}
