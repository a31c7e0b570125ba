import TestSupport
import Testing
import Workflows

/// Queries that are refused, each with its code and its place. The place is the number of scalars before it.
@Suite(.timeLimit(.minutes(15)), .inTurn)
struct InvalidQueryTests {
  @Test(arguments: [
    ("", 0), (" $", 0), ("$ ", 1), ("a", 0), ("@.a", 0), ("$a", 1), ("$.", 2), ("$..", 3), ("$...a", 3), ("$. a", 2),
    ("$.a.", 4), ("$.1", 2), ("$.a-b", 3), ("$.'a'", 2), ("$.[0]", 2), ("$[", 2), ("$[]", 2), ("$[0", 3), ("$[0,]", 4),
    ("$[a]", 2), ("$[01]", 2), ("$[-0]", 2), ("$[+1]", 2), ("$[1.5]", 3), ("$[- 1]", 3), ("$[1:2:3:4]", 7),
    ("$[(@.a)]", 2),
    ("$[@.a]", 2), ("$['a]", 2), ("$['\\x']", 3), ("$['\\\"']", 3), ("$['a\nb']", 4), ("$['\\ud800']", 3),
    ("$['\\ud800\\u0041']", 3), ("$['\\u12']", 3), ("$.a]", 3), ("$.é= 1", 3),
  ])
  func `queries`(_ query: String, _ place: Int) throws { try refuse(query, JSONPathErrorCode.syntax, place) }

  @Test(arguments: [
    ("", 3), ("@.a = 1", 7), ("@.a === 1", 9), ("@.a =~ 'x'", 7), ("@.a <> 1", 7), ("@.a & @.b", 7), ("@.a | @.b", 7),
    ("@.a and @.b", 7), ("@.a or @.b", 7), ("not @.a", 3), ("!!@.a", 4), ("!@.a == 1", 3), ("(@.a", 3), ("@.a)", 6),
    ("true", 3), ("1 && @.a", 3), ("'a'", 3), ("@.a == True", 10), ("@.a == price", 10), ("price > 1", 3),
    ("@.a == 01", 10), ("@.a == 1.", 10), ("@.a == .5", 10), ("@.a == 1e999", 10), ("@.a == [1]", 10), ("@.a == ", 10),
    ("@.a == 1 == 2", 12), ("@.a == (1)", 10), ("@.a + 1 == 2", 7), ("length (@.a) == 1", 3), ("@.a == 'x", 10),
    ("count(@.a", 12), ("count(@.a @.b) == 1", 13),
  ])
  func `conditions`(_ condition: String, _ place: Int) throws {
    try refuse("$[?\(condition)]", JSONPathErrorCode.syntax, place)
  }

  @Test(arguments: [
    ("@.* == 1", 3), ("1 == @..a", 8), ("@[0,1] == 1", 3), ("@[0:1] == 1", 3), ("@[?@.a] == 1", 3), ("length(@.a)", 3),
    ("!count(@.*)", 4), ("value(@.a) && @.b", 3), ("match(@.a, 'a') == true", 3), ("length(@.*) == 1", 10),
    ("length() == 1", 3),
    ("length(@.a, @.b) == 1", 3), ("count(1) == 1", 9), ("count('a') == 1", 9), ("count(length(@.a)) == 1", 9),
    ("value(2) == 2", 9),
    ("match(@.a)", 3), ("match(@.*, 'a')", 9), ("search(@.a, @.*)", 15), ("search(@.a, 'b', 'c')", 3),
    ("length(search(@.a, 'b')) == 1", 10),
    ("count(@.a == 1) == 1", 13), ("count(!@.a) == 1", 9), ("match(@.a, match(@.b, 'c'))", 14),
  ])
  func `types`(_ condition: String, _ place: Int) throws {
    try refuse("$[?\(condition)]", JSONPathErrorCode.type, place)
  }

  @Test(arguments: [("$[?foo(@.a)]", 3), ("$[?Length(@.a) == 1]", 3), ("$[?@.a == lower(@.b)]", 10)])
  func `unknown functions`(_ query: String, _ place: Int) throws {
    try refuse(query, JSONPathErrorCode.unknownFunction, place)
  }

  @Test func `limits`() throws {
    try refuse("$[9007199254740992]", JSONPathErrorCode.limit, 2)
    try refuse("$[1:-9007199254740992]", JSONPathErrorCode.limit, 4)
    try refuse("$[\(String(repeating: "9", count: 100))]", JSONPathErrorCode.limit, 2)
    func nested(_ open: String, _ close: String, _ depth: Int) -> String {
      String(repeating: open, count: depth) + "@.a" + String(repeating: close, count: depth)
    }
    _ = try JSONPathCondition(nested("(", ")", 64))
    try refuse("$[?\(nested("(", ")", 10_000))]", JSONPathErrorCode.limit, 67)
    try refuse("$[?\(nested("!(", ")", 10_000))]", JSONPathErrorCode.limit, 131)
    try refuse("$[?\(nested("@[?", "]", 10_000))]", JSONPathErrorCode.limit, 195)
    try refuse("$[?\(nested("length(", ")", 10_000))]", JSONPathErrorCode.limit, 65_536)
    try refuse("$[?\(nested("length(", ")", 1_000))]", JSONPathErrorCode.limit, 450)
    try refuse("$" + String(repeating: ".a", count: 40_000), JSONPathErrorCode.limit, 65_536)
  }

  @Test func `the message teaches`() throws {
    let error = try #require(throws: JSONPathError.self) { try JSONPath("$.items[?@.id = 'A']") }
    #expect(error.message == "Write == to compare; = is no operator.")
    #expect(error.description == "Write == to compare; = is no operator. (at character 15) [jsonpath.syntax]")
  }

  private func refuse(_ query: String, _ code: String, _ place: Int) throws {
    let error = try #require(throws: JSONPathError.self, "\(query.prefix(80))") { try JSONPath(query) }
    #expect(error.code == code, "\(query.prefix(80)): \(error)")
    #expect(error.at == place, "\(query.prefix(80)): \(error)")
  }
}
