import JSON
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct JSONParsingTests {
  @Test(
    arguments: [
      ("null", .null), (" true\r\n", true), ("\tfalse", false), ("0", 0), ("-12", -12), ("\"\"", ""),
      ("[]", []), ("{ }", [:]), ("[1 , [2], {\"a\":[ ]}]", [1, [2], ["a": []]]),
      ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00b5\"", "\"\\/\u{08}\u{0C}\n\r\tµ"), ("\"\\ud83e\\uddec\"", "🧬"),
      ("\"\\u0000\u{7f}\"", "\0\u{7f}"), ("\"\u{FFFF}\"", "\u{FFFF}"),
      ("{\"volumeUl\":250,\"tube\":{\"barcode\":\"T-1\"}}", ["volumeUl": 250, "tube": ["barcode": "T-1"]]),
    ] as [(String, JSON)])
  func `what is JSON is read`(_ text: String, _ value: JSON) throws {
    #expect(try JSON(parsing: text) == value)
    #expect(try JSON(parsing: Array(text.utf8)) == value)
  }

  struct Refused: Sendable, CustomTestStringConvertible {
    let text: String
    let code: String
    let line: Int
    let column: Int
    let offset: Int
    let pointer: String

    init(_ text: String, _ code: String, _ line: Int, _ column: Int, _ offset: Int, _ pointer: String = "") {
      self.text = text
      self.code = code
      self.line = line
      self.column = column
      self.offset = offset
      self.pointer = pointer
    }

    var testDescription: String { text.debugDescription }
  }

  static let cutOff = [
    Refused("", JSONErrorCode.incomplete, 1, 1, 0), Refused(" \n ", JSONErrorCode.incomplete, 2, 2, 3),
    Refused("[1,\n 2", JSONErrorCode.incomplete, 2, 3, 6), Refused("{\"a\":", JSONErrorCode.incomplete, 1, 6, 5, "/a"),
    Refused("\"ab", JSONErrorCode.incomplete, 1, 4, 3), Refused("[\"a\\", JSONErrorCode.incomplete, 1, 5, 4, "/0"),
    Refused("tru", JSONErrorCode.incomplete, 1, 4, 3), Refused("[-", JSONErrorCode.incomplete, 1, 3, 2, "/0"),
    Refused("1.", JSONErrorCode.incomplete, 1, 3, 2), Refused("1e+", JSONErrorCode.incomplete, 1, 4, 3),
  ]
  static let malformed = [
    Refused("{\"a\":1}}", JSONErrorCode.trailingData, 1, 8, 7), Refused("1 2", JSONErrorCode.trailingData, 1, 3, 2),
    Refused("[1,]", JSONErrorCode.syntax, 1, 3, 2), Refused("{\"a\":1,}", JSONErrorCode.syntax, 1, 7, 6),
    Refused("[1 2]", JSONErrorCode.syntax, 1, 4, 3), Refused("{\"a\" 1}", JSONErrorCode.syntax, 1, 6, 5, "/a"),
    Refused("{a:1}", JSONErrorCode.syntax, 1, 2, 1), Refused("['a']", JSONErrorCode.syntax, 1, 2, 1, "/0"),
    Refused("[True]", JSONErrorCode.syntax, 1, 2, 1, "/0"), Refused("// x", JSONErrorCode.syntax, 1, 1, 0),
    Refused("[trueish]", JSONErrorCode.syntax, 1, 2, 1, "/0"), Refused("\"\\x\"", JSONErrorCode.syntax, 1, 2, 1),
    Refused("\"\\u12g4\"", JSONErrorCode.syntax, 1, 2, 1), Refused("\"\\u+123\"", JSONErrorCode.syntax, 1, 2, 1),
    Refused("{\"µ\":\"é\",\"x\":[0,{\"y\":?}]}", JSONErrorCode.syntax, 1, 22, 23, "/x/1/y"),
  ]
  static let numbers = [
    Refused("[01]", JSONErrorCode.number, 1, 2, 1, "/0"), Refused("-01", JSONErrorCode.number, 1, 2, 1),
    Refused("+1", JSONErrorCode.number, 1, 1, 0), Refused(".5", JSONErrorCode.number, 1, 1, 0),
    Refused("1.e2", JSONErrorCode.number, 1, 3, 2), Refused("NaN", JSONErrorCode.number, 1, 1, 0),
    Refused("[1e999]", JSONErrorCode.number, 1, 2, 1, "/0"), Refused("12ab", JSONErrorCode.number, 1, 3, 2),
  ]
  static let strings = [
    Refused("[\"a\nb\"]", JSONErrorCode.controlCharacter, 1, 4, 3, "/0"),
    Refused("\"\\ud800\"", JSONErrorCode.loneSurrogate, 1, 2, 1),
    Refused("\"\\udc00\\ud800\"", JSONErrorCode.loneSurrogate, 1, 2, 1),
    Refused("\"\\ud800\\u0041\"", JSONErrorCode.loneSurrogate, 1, 2, 1),
    Refused("\u{FEFF}1", JSONErrorCode.byteOrderMark, 1, 1, 0),
    Refused("{\"a\":1,\r\n \"\\u0061\":2}", JSONErrorCode.duplicateName, 2, 2, 10, "/a"),
  ]

  @Test(arguments: cutOff + malformed + numbers + strings)
  func `what is not is refused, with its place`(_ refused: Refused) throws {
    let error = try #require(throws: JSONError.self) { try JSON(parsing: refused.text) }
    #expect(error.code == refused.code)
    #expect(error.line == refused.line)
    #expect(error.column == refused.column)
    #expect(error.offset == refused.offset)
    #expect(error.pointer.description == refused.pointer)
  }

  @Test(
    arguments: [
      [0x22, 0xC0, 0x80, 0x22], [0x22, 0xC1, 0xBF, 0x22], [0x22, 0xE0, 0x9F, 0xBF, 0x22], [0x22, 0xF8, 0x22],
      [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xF0, 0x8F, 0xBF, 0xBF, 0x22], [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22],
      [0x22, 0x80, 0x22], [0x22, 0xE2, 0x82], [0x22, 0xE2, 0x82, 0x22], [0x22, 0xC3], [0xFF, 0xFE, 0x31, 0x00],
      [0x31, 0x00], [0x00, 0x31],
    ] as [[UInt8]])
  func `bytes that are no UTF-8 are refused`(_ bytes: [UInt8]) throws {
    let error = try #require(throws: JSONError.self) { try JSON(parsing: bytes) }
    #expect(error.code == JSONErrorCode.notUTF8)
  }

  @Test func `names that look alike but differ in scalars are two names`() throws {
    let value = try JSON(parsing: "{\"\u{E9}\":1,\"e\u{301}\":2}")
    #expect(value["\u{E9}"] == 1)
    #expect(value["e\u{301}"] == 2)
  }

  @Test func `a name that comes twice is found among many`() {
    let members = (0..<500).map { "\"m\($0)\":\($0)" } + ["\"m250\":0"]
    #expect(throws: JSONError.self) { try JSON(parsing: "{\(members.joined(separator: ","))}") }
  }

  @Test(arguments: [("[", "]"), ("{\"a\":", "}")])
  func `depth is bounded`(_ open: String, _ close: String) throws {
    func nested(_ depth: Int) -> String {
      String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
    }
    _ = try JSON(parsing: nested(256))
    #expect(throws: JSONError.self) { try JSON(parsing: nested(257)) }
    _ = try JSON(parsing: nested(512), limits: .stored)
    let error = try #require(throws: JSONError.self) {
      try JSON(parsing: nested(100_000), limits: JSONLimits(maxDepth: .max))
    }
    #expect(error.code == JSONErrorCode.tooDeep)
    #expect(error.pointer.tokens.count == 512)
  }

  @Test func `size is bounded`() throws {
    _ = try JSON(parsing: "[1]", limits: JSONLimits(maxBytes: 3))
    let error = try #require(throws: JSONError.self) { try JSON(parsing: "[10]", limits: JSONLimits(maxBytes: 3)) }
    #expect(error.code == JSONErrorCode.tooLarge)
  }
}
