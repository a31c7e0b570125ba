import JSON
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct JSONNumberTests {
  @Test(
    arguments: [
      ("9223372036854775807", .max), ("-9223372036854775808", .min), ("9007199254740993", 9_007_199_254_740_993),
      ("9007199254740993.0", 9_007_199_254_740_993), ("-9223372036854775808.0", .min), ("2.50e1", 25), ("-0", 0),
      ("9223372036854775808", nil), ("1.5", nil), ("1e30", nil), ("1.0000000000000000000000001", nil),
    ] as [(String, Int?)])
  func `integers are exact or absent`(_ text: String, _ value: Int?) throws {
    #expect(try JSON(parsing: text).intValue == value)
  }

  @Test(arguments: ["9223372036854775808", "-0", "1.50", "1E+2", "1e-999", "123456789012345678901234567890"])
  func `what isn't a 64-bit integer keeps its text`(_ text: String) throws {
    #expect(try JSON(parsing: text).text() == text)
  }

  @Test(arguments: [
    ("1", "1.0"), ("1", "10e-1"), ("0", "-0"), ("0", "0e9999999999999999999999"), ("0.1", "1e-1"),
    ("1e20", "100000000000000000000"), ("123456789012345678901234567890", "123456789012345678901234567890.0"),
  ])
  func `equal values are equal, hash alike, and have one canonical text`(_ left: String, _ right: String) throws {
    let (left, right) = (try JSON(parsing: left), try JSON(parsing: right))
    #expect(left == right)
    #expect(left.hashValue == right.hashValue)
    #expect(left.text(.canonical) == right.text(.canonical))
    #expect(try JSON(parsing: left.text(.canonical)) == left)
  }

  @Test(arguments: [
    ("1", "2"), ("-2", "-1"), ("9007199254740992", "9007199254740993"), ("9007199254740992", "9007199254740992.5"),
    ("100000000000000000000", "100000000000000000001"), ("-100000000000000000001", "-1e20"),
    ("9223372036854775807", "9223372036854775808"), ("0", "1e-999"), ("-1e-999", "0"),
    ("1e-99999999999999999999", "1e-400"), ("0.1", "0.10000000000000000001"),
  ])
  func `order is that of the exact values`(_ less: String, _ more: String) throws {
    let less = try #require(try JSON(parsing: less).numberValue)
    let more = try #require(try JSON(parsing: more).numberValue)
    #expect(less < more)
    #expect(!(more < less))
    #expect(less != more)
  }
}
