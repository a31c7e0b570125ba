import TestSupport
import Testing

@testable import Patterns

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct ECMAPatternTests {
  @Test(
    "a pattern is found in a text",
    arguments: [
      ("", ["": true, "a": true]), ("a+", ["xaay": true, "b": false]), ("^a*$", ["aa": true, "ab": false, "": true]),
      ("\\bfoo\\b", ["a foo b": true, "foo": true, "afoo": false, "foo_": false]), ("a\\Bb", ["ab": true]),
      ("^\\d{3}$", ["123": true, "12": false, "١٢٣": false]), ("^\\D$", ["a": true, "1": false]),
      ("^\\w+$", ["aZ_9": true, "é": false]), ("^\\W$", ["é": true, "a": false]),
      ("^\\s$", [" ": true, "\u{A0}": true, "\u{FEFF}": true, "a": false]), ("^\\S+$", ["ab": true, "a b": false]),
      ("^[\\w.-]+@x$", ["a.b-c@x": true, "@x": false]), ("^[\\d\\-x]+$", ["1-x": true, "y": false]),
      ("^[^\\D5]$", ["4": true, "5": false, "a": false]), ("[^]", ["\n": true, "": false]), ("[]", ["a": false]),
      ("(?:ab){2,}", ["xababx": true, "ab": false]), ("^(?<year>\\d{4})$", ["2024": true]),
      ("^a+?b*?$", ["aab": true]), ("^a{2,3}?$", ["aa": true, "a": false]), ("a{", ["a{": true]),
      ("^{}$", ["{}": true]), ("^\\u0041\\x42\\u{43}$", ["ABC": true]),
      ("^\\uD83D\\uDC32+$", ["🐲🐲": true, "": false]), ("^[\\uD83D\\uDC30-\\uD83D\\uDC35]$", ["🐲": true, "🦀": false]),
      ("\\cA", ["\u{1}": true]), ("^\\0$", ["\0": true]), ("^[\\b]$", ["\u{8}": true]), ("\\/", ["/": true]),
      ("\\-", ["-": true]), ("^.$", ["🐲": true, "\n": false, "\u{2028}": false]),
      ("^\\p{Decimal_Number}+$", ["1٣": true, "a1": false]), ("^\\p{Lu}\\P{Lu}$", ["Aa": true, "AA": false]),
      ("^\\p{gc=Nd}$", ["٣": true, "a": false]), ("^\\p{Alphabetic}$", ["é": true, "1": false]),
      ("^[\\P{White_Space}]$", ["a": true, " ": false]), ("^\\p{ASCII}$", ["a": true, "é": false]),
      ("^\\P{Any}$", ["a": false]), ("^\\p{LC}$", ["a": true, "中": false]),
      ("a|^b|c$", ["xc": true, "bx": true, "xb": false]), ("(a|)+$", ["": true]),
    ] as [(String, [String: Bool])])
  func found(_ pattern: String, _ texts: [String: Bool]) throws {
    let compiled = try ECMAPattern(pattern)
    for (text, isFound) in texts {
      #expect(compiled.isFound(in: text, Counter()) == isFound, "\(pattern) in \(text.debugDescription)")
    }
  }

  @Test(
    "a text that is not a pattern is refused with its place",
    arguments: [
      ("(", 0), ("a)", 1), ("*", 0), ("a**", 2), ("^*", 1), ("{2}", 0), ("[a", 0), ("[b-a]", 1), ("a{3,2}", 1),
      ("\\", 0),
      ("\\a", 0), ("\\Z", 0), ("\\u12", 0), ("\\u{110000}", 0), ("\\x1", 0), ("\\c1", 0), ("\\01", 0), ("\\p{Foo}", 0),
      ("\\pL", 0), ("(?<>a)", 0), ("a{99999}", 1), ("(a{200}){200}", 0),
      (String(repeating: "(", count: 5_000) + String(repeating: ")", count: 5_000), 64),
    ])
  func refused(_ pattern: String, _ at: Int) {
    let error = #expect(throws: PatternError.self, "\(pattern.prefix(40))") { try ECMAPattern(pattern) }
    #expect(error?.at == at, "\(pattern.prefix(40))")
    #expect(error?.isUnsupported == false, "\(pattern.prefix(40))")
  }

  @Test(
    "a part without a match in linear time is named",
    arguments: [
      ("x(?=a)", "look-ahead"), ("(?!a)", "look-ahead"), ("(?<=a)", "look-behind"), ("(?<!a)", "look-behind"),
      ("(a)\\1", "back reference"), ("(?<n>a)\\k<n>", "back reference"), ("(?i:a)", "(?i"),
      ("\\p{Script=Greek}", "a script"),
    ])
  func unsupported(_ pattern: String, _ part: String) {
    let error = #expect(throws: PatternError.self) { try ECMAPattern(pattern) }
    #expect(error?.isUnsupported == true)
    #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
  }

  @Test(
    "work grows with the text's length, and no faster",
    arguments: ["(a*)*b", "(a|a)*b", "(a?){30}a{30}b", "((a+)+)+b", "\\b(a*a*)*b\\b"])
  func linear(_ pattern: String) throws {
    let compiled = try ECMAPattern(pattern)
    func work(_ count: Int) -> Int {
      let counter = Counter()
      #expect(!compiled.isFound(in: String(repeating: "a", count: count), counter))
      return counter.count
    }
    #expect(work(10_000) < work(1_000) * 11)
  }
}

@Suite("Examples of patterns", .timeLimit(.minutes(15)), .inTurn)
struct PatternExampleTests {
  private final class Endless: WorkCounter {
    func charge(_ count: Int) -> Bool { true }
  }

  @Test(
    "An example is a shortest text in which the pattern is found",
    arguments: [
      (#"^TS-\d{4}$"#, "TS-1111"), (#"^(?:abc|de)$"#, "de"), ("x*", ""), ("a+b?", "a"), (#"^[^1A-Za-z]$"#, "0"),
      (#"^\S+@\S+$"#, "1@1"), ("^$", ""), (#"^[A-H](1[0-2]|[1-9])$"#, "A1"),
    ])
  func example(pattern: String, text: String) throws {
    let compiled = try ECMAPattern(pattern)
    #expect(compiled.example == text)
    #expect(compiled.isFound(in: text, Endless()))
  }

  @Test("A pattern that nothing matches, and one with a very long text, have no example")
  func none() throws {
    #expect(try ECMAPattern("a^b").example == nil)
    #expect(try ECMAPattern("^a{2000}$").example == nil)
  }
}
