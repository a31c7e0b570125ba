import JSON
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct JSONWritingTests {
  static let value: JSON = ["b": [1, [], [:]], "a": ["text": "µ\"\\/\n\u{01}\u{1F}\u{7F}", "none": .null], "é": 2.5]

  @Test func `compact text has no white space, and escapes only what must be`() {
    let expected = #"{"b":[1,[],{}],"a":{"text":"µ\"\\/\n\u0001\u001f"# + "\u{7F}" + #"","none":null},"é":2.5}"#
    #expect(Self.value.text() == expected)
  }

  @Test func `pretty text is indented by two`() {
    let value: JSON = ["b": [1, [], [:]], "a": ["c": true]]
    let expected = """
      {
        "b": [
          1,
          [],
          {}
        ],
        "a": {
          "c": true
        }
      }
      """
    #expect(value.text(.pretty) == expected)
  }

  @Test func `canonical text doesn't depend on order or spelling`() throws {
    let left = try JSON(parsing: #"{"b":1.0,"a":[1e2,-0],"\ud83d\ude00":1,"ﬀ":2}"#)
    let right = try JSON(parsing: #"{"😀":1, "\ufb00":2, "a":[100,0], "b":1}"#)
    #expect(left.bytes(.canonical) == right.bytes(.canonical))
    #expect(left.text(.canonical) == #"{"a":[100,0],"b":1,"ﬀ":2,"😀":1}"#)
  }

  @Test(arguments: [JSONStyle.compact, .pretty, .canonical])
  func `what is written is read again`(_ style: JSONStyle) throws {
    #expect(try JSON(parsing: Self.value.bytes(style)) == Self.value)
  }

  @Test func `a value is written behind what stands there`() {
    var bytes = Array("data: ".utf8)
    JSON.array([1, "a"]).write(to: &bytes)
    #expect(String(decoding: bytes, as: UTF8.self) == "data: [1,\"a\"]")
  }
}
