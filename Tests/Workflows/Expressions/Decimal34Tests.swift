import JSON
import TestSupport
import Testing
import Values

@testable import Workflows

@Suite("Decimals of 34 digits", .timeLimit(.minutes(15)), .inTurn)
struct Decimal34Tests {
  private static func decimal(_ text: String) throws -> Decimal34 {
    guard case .number(let number) = try JSON(parsing: text) else { throw CancellationError() }
    return try #require(Decimal34(number))
  }

  private static func text(_ left: String, _ sign: String, _ right: String) throws -> String? {
    let (left, right) = (try decimal(left), try decimal(right))
    let result =
      switch sign {
      case "+": left + right
      case "-": left - right
      case "*": left * right
      case "/": left / right
      default: left % right
      }
    return result?.text
  }

  /// The results are those of IEEE 754's decimal128, without trailing zeros.
  @Test(
    "A result is exact up to 34 digits, and rounded half to even",
    arguments: [
      ("0.1", "+", "0.2", "0.3"), ("1", "-", "0.9", "0.1"), ("1.50", "+", "1", "2.5"), ("2", "-", "2", "0"),
      ("-1", "+", "1", "0"), ("9007199254740993", "+", "1", "9007199254740994"),
      ("9999999999999999999999999999999999", "+", "1", "1e34"),
      ("1e34", "+", "1", "1e34"), ("1e33", "+", "1", "1000000000000000000000000000000001"),
      ("1e34", "+", "5", "1e34"),
      ("1e34", "+", "5.0000000000000000000000000000001", "1.000000000000000000000000000000001e34"),
      ("1e34", "+", "15", "1.000000000000000000000000000000002e34"),
      ("1e34", "-", "1e-60", "1e34"), ("1e40", "-", "1", "1e40"), ("1", "+", "1e-300", "1"),
      ("1000000000000000000000000000000000", "-", "0.5", "999999999999999999999999999999999.5"),
      ("999999999999999999999999999999999.5", "-", "0.25", "999999999999999999999999999999999.2"),
      ("3", "*", "0.1", "0.3"), ("-3", "*", "0.1", "-0.3"), ("0", "*", "-5", "0"),
      (
        "9999999999999999999999999999999999", "*", "9999999999999999999999999999999999",
        "9.999999999999999999999999999999998e67"
      ),
      ("1234567890123456789", "*", "1234567890123456789", "1.524157875323883675019051998750191e36"),
      ("1", "/", "3", "0.3333333333333333333333333333333333"), ("2", "/", "3", "0.6666666666666666666666666666666667"),
      ("6", "/", "2", "3"), ("1", "/", "8", "0.125"), ("-7", "/", "2", "-3.5"),
      ("1", "/", "1e-30", "1000000000000000000000000000000"),
      ("7", "%", "3", "1"), ("-7", "%", "3", "-1"), ("7", "%", "-3", "1"), ("7.5", "%", "2", "1.5"),
      ("1e300", "%", "7", "1"), ("5", "%", "1e100", "5"), ("0.3", "%", "0.1", "0"), ("1e40", "%", "1e38", "0"),
      ("120", "%", "1e2", "20"),
    ])
  func arithmetic(_ left: String, _ sign: String, _ right: String, _ result: String) throws {
    #expect(try Self.text(left, sign, right) == result)
  }

  @Test(
    "A result that is too large or too small, or has no value, is none",
    arguments: [
      ("1", "/", "0"), ("1", "%", "0"), ("0", "/", "0"), ("1e200", "*", "1e200"), ("1e-200", "*", "1e-200"),
      ("9e307", "+", "9e307"), ("1e307", "/", "1e-1"),
    ])
  func none(_ left: String, _ sign: String, _ right: String) throws {
    #expect(try Self.text(left, sign, right) == nil)
  }

  @Test("A number of more than 34 digits is rounded when it is read, and one beyond the exponents is none")
  func reading() throws {
    #expect(try Self.decimal("0.10000000000000000000000000000000005").text == "0.1")
    #expect(try Self.decimal("0.100000000000000000000000000000000051").text == "0.1000000000000000000000000000000001")
    #expect(
      try Self.decimal("12345678901234567890123456789012345678901234").text == "1.234567890123456789012345678901235e43")
    #expect(try Self.decimal("-0.0").text == "0")
    #expect(try Self.decimal("0.000001").text == "0.000001")
    #expect(try Self.decimal("0.00000001").text == "1e-8")
    #expect(try Self.decimal("1.5E+3").text == "1500")
    for text in ["1e308", "1e-308", "-1.5e-400"] {
      guard case .number(let number) = try JSON(parsing: text) else { continue }
      #expect(Decimal34(number) == nil, "\(text)")
    }
  }

  @Test("Every JSON number of a random list keeps its value through text and back")
  func texts() throws {
    var random = SeededRandom(seed: 34)
    for _ in 0..<2_000 {
      let digits = Int(random.next() % 34) + 1
      let mantissa = (0..<digits).map { _ in String(random.next() % 10) }.joined()
      let text = "\(random.next() % 2 == 0 ? "-" : "")0.\(mantissa)e\(Int(random.next() % 80) - 40)"
      let decimal = try Self.decimal(text)
      #expect(try JSON(parsing: decimal.text) == JSON(parsing: text), "\(text)")
      #expect(try Self.decimal(decimal.text) == decimal, "\(text)")
    }
  }

  @Test("The laws of arithmetic hold for numbers that need no rounding")
  func laws() throws {
    var random = SeededRandom(seed: 35)
    func number() -> Decimal34 {
      let value = Int(random.next() % 2_000_001) - 1_000_000
      return (Decimal34(value) / Decimal34([1, 10, 100, 1_000][Int(random.next() % 4)])) ?? .zero
    }
    for _ in 0..<2_000 {
      let (a, b, c) = (number(), number(), number())
      guard let sum = a + b, let product = a * b, let right = b + c, let other = a * c else {
        Issue.record("a result of small numbers is out of range")
        continue
      }
      #expect(a + b == b + a)
      #expect(sum - b == a)
      #expect(a * right == product + other)
      guard b != .zero, let rest = a % b, let whole = a - rest, let quotient = whole / b else { continue }
      #expect(product / b == a)
      #expect(quotient.rounded(.down) == quotient)
      #expect(rest == .zero || rest.isNegative == a.isNegative)
    }
  }

  @Test(
    "Rounding goes to the nearest, down or up",
    arguments: [
      ("2.5", 0, "3", "2", "3"), ("-2.5", 0, "-3", "-3", "-2"), ("2.45", 1, "2.5", "2.4", "2.5"),
      ("0.004", 2, "0", "0", "0.01"), ("1234", -2, "1200", "1200", "1300"), ("1e-40", 2, "0", "0", "0.01"),
      ("5", 3, "5", "5", "5"), ("-0.5", 0, "-1", "-1", "0"), ("60", -2, "100", "0", "100"), ("4", -1, "0", "0", "10"),
    ])
  func rounding(_ text: String, _ digits: Int, _ nearest: String, _ down: String, _ up: String) throws {
    let number = try Self.decimal(text)
    #expect(number.rounded(.nearest, digits: digits)?.text == nearest)
    #expect(number.rounded(.down, digits: digits)?.text == down)
    #expect(number.rounded(.up, digits: digits)?.text == up)
  }
}
