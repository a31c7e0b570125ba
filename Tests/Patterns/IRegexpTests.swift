import TestSupport
import Testing

@testable import Patterns

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct IRegexpTests {
  @Test(
    arguments: [
      ("", ["": true, "a": false]), ("abc", ["abc": true, "abcd": false, "xabc": false]),
      ("a|b|", ["a": true, "b": true, "": true, "ab": false]),
      ("(ab|c)*d", ["d": true, "abcabd": true, "abad": false]), ("a?b+", ["b": true, "abb": true, "a": false]),
      ("a{2}", ["aa": true, "a": false, "aaa": false]), ("a{2,}", ["aaaa": true, "a": false]),
      ("a{0,2}", ["": true, "aa": true, "aaa": false]),
      ("a{0}", ["": true, "a": false]), ("()*a", ["a": true]), ("(a*)*b", ["aab": true, "b": true]),
      (".", ["µ": true, "🧬": true, "\n": false, "\r": false, "\u{2028}": true]), ("[abc]", ["b": true, "d": false]),
      ("[^abc]", ["b": false, "d": true, "\n": true]), ("[a-cx-z]+", ["bay": true, "bad": false]),
      ("[-a]", ["-": true, "a": true]),
      ("[a-]", ["-": true, "b": false]), ("[^-]", ["-": false, "a": true]), ("[.*]", [".": true, "a": false]),
      ("[\\]\\\\\\-]", ["]": true, "\\": true, "-": true]),
      ("[a^]", ["^": true]), ("\\.\\*", [".*": true, "ab": false]), ("\\t\\n\\r", ["\t\n\r": true]),
      ("\\p{Lu}", ["É": true, "é": false, "1": false]),
      ("\\p{L}+", ["Straße": true, "a1": false]), ("\\P{L}", ["1": true, "a": false]),
      ("[\\p{Nd}_]+", ["1_2": true, "٣": true, "a": false]),
      ("[^\\p{L}]", ["a": false, "1": true]), ("[\\P{L}a]", ["a": true, "b": false, "1": true]),
      ("\\p{Cn}", ["\u{378}": true, "a": false]), ("\\p{Zs}", [" ": true, "\u{A0}": true]),
      ("^ab$", ["ab": true]), ("a^b", ["a^b": true, "ab": false]), ("US$[0-9]", ["US$5": true]),
      ("\\^a", ["^a": true, "a": false]),
      ("TUBE-[0-9]{4,6}", ["TUBE-0012": true, "TUBE-12": false]),
    ] as [(String, [String: Bool])])
  func `whole texts`(_ pattern: String, _ texts: [String: Bool]) throws {
    let compiled = try IRegexp(pattern)
    for (text, matches) in texts {
      #expect(compiled.run(text, isWhole: true, Counter()) == matches, "\(pattern) on \(text.debugDescription)")
    }
  }

  @Test(arguments: [
    ("b", "abc", true), ("", "", true), ("", "abc", true), ("^b", "abc", false), ("^a", "abc", true),
    ("b$", "abc", false),
    ("c$", "abc", true), ("a|^b|c$", "xbc", true), ("x*$", "abc", true), ("bc+d", "abccbccd", true),
    ("e\u{301}", "\u{E9}", false), (".b", "\nb", false),
    ("\\n", "a\nb", true),
  ])
  func `parts of texts`(_ pattern: String, _ text: String, _ isFound: Bool) throws {
    #expect(try IRegexp(pattern).run(text, isWhole: false, Counter()) == isFound)
  }

  @Test(arguments: [
    "(", ")", "a)", "(a", "*", "+a", "a**", "a+?", "?", "{2}", "a{", "a{}", "a{,2}", "a{2", "a{2,1}", "a{x}",
    "a{99999999999999999999}",
    "[", "[]", "[^]", "[a", "]", "}", "[b-a]", "[a-b-c]", "[a--]", "[[a]]", "[a-\\p{L}]", "\\", "\\d", "\\w", "\\s",
    "\\b", "\\1", "\\u0041", "\\/",
    "\\p", "\\pL", "\\p{}", "\\p{Xx}", "\\p{Lux}", "\\p{Cs}", "\\p{l}", "\\P{", "(?:a)", "(?=a)", "(){5000}",
    "(a{100}){100}",
    "((((a{9}){9}){9}){9}){9}",
    String(repeating: "(", count: 5_000) + String(repeating: ")", count: 5_000),
  ])
  func `what is no pattern is refused`(_ pattern: String) {
    #expect(throws: PatternError.self, "\(pattern.prefix(40))") { try IRegexp(pattern) }
  }

  /// Patterns on which a matcher that goes back takes for ever. Work is counted, not timed.
  @Test(
    arguments: [
      "(a*)*b", "(a|a)*b", "(a|aa)+b", "(a?){30}a{30}b", "(.*)(.*)(.*)(.*)b", "((a+)+)+b", "(a*a*)*b", "[a]*[^b]*b",
    ], [true, false])
  func `work grows with the text's length, and no faster`(_ pattern: String, _ isWhole: Bool) throws {
    let compiled = try IRegexp(pattern)
    func work(_ count: Int) -> Int {
      let counter = Counter()
      let matches = compiled.run(String(repeating: "a", count: count), isWhole: isWhole, counter)
      #expect(!matches)
      return counter.count
    }
    let (short, long) = (work(1_000), work(10_000))
    #expect(long < short * 11)
    #expect(short < 1_000 * 1_000)
  }

  @Test(
    "a pattern's size is computed without writing the pattern",
    arguments: ["a{4095}", "a{4096}", "(a|b){100,200}", "(a?){3}", "()", "(^a$)*"])
  func patternSize(_ pattern: String) {
    func refused(_ body: () throws -> Void) -> Bool { (try? body()) == nil }
    #expect(refused { try IRegexp.check(pattern) } == refused { _ = try IRegexp(pattern) })
  }
}

/// Counts work without a limit.
final class Counter: WorkCounter {
  private(set) var count = 0

  func charge(_ count: Int) -> Bool {
    self.count += count
    return true
  }
}
