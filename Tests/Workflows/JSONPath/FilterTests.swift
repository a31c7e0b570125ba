import JSON
import TestSupport
import Testing
import Workflows

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct FilterTests {
  static let samples: JSON = [
    ["id": "S1", "type": "dna", "ngPerUl": 51.5, "rin": .null, "tags": ["a", "b"]],
    ["id": "S2", "type": "rna", "ngPerUl": 20, "rin": 7.2, "tags": []],
    ["id": "S3", "type": "blood", "ngPerUl": "high", "flags": ["urgent": true]],
    ["id": "S4", "type": "dna", "ngPerUl": 750, "limit": 750.0, "flags": ["urgent": false]],
  ]

  @Test(arguments: [
    ("@.rin", ["S1", "S2"]), ("!@.rin", ["S3", "S4"]), ("! @.tags[0]", ["S2", "S3", "S4"]),
    ("@.flags.*", ["S3", "S4"]),
    ("@..urgent", ["S3", "S4"]), ("@['flags','tags']", ["S1", "S2", "S3", "S4"]), ("$[7]", []),
    ("$[0]", ["S1", "S2", "S3", "S4"]),
  ])
  func `tests for existence`(_ condition: String, _ ids: [String]) throws { try expect(condition, ids) }

  @Test(arguments: [
    ("@.type == 'dna'", ["S1", "S4"]), ("'dna'==@.type", ["S1", "S4"]), ("@.type != \"dna\"", ["S2", "S3"]),
    ("@.rin == null", ["S1"]), ("@.none == @.nothing", ["S1", "S2", "S3", "S4"]),
    ("@.none != null", ["S1", "S2", "S3", "S4"]),
    ("@.none == null", []), ("@.none <= @.nothing", ["S1", "S2", "S3", "S4"]), ("@.none < @.nothing", []),
    ("@.ngPerUl > 20", ["S1", "S4"]), ("@.ngPerUl>=20", ["S1", "S2", "S4"]), ("@.ngPerUl < 'i'", ["S3"]),
    ("@.ngPerUl <= 2e1", ["S2"]), ("@.ngPerUl == @.limit", ["S4"]), ("@.ngPerUl == 750.00", ["S4"]),
    ("@.flags.urgent == true", ["S3"]), ("@.flags.urgent > false", []), ("@.flags.urgent >= false", ["S4"]),
    ("@.flags == $[2].flags", ["S3"]), ("@.tags == $[1].tags", ["S2"]), ("@.tags < $[1].tags", []),
    ("@.type < 'dnb'", ["S1", "S3", "S4"]), ("-1 < -0", ["S1", "S2", "S3", "S4"]),
    ("0 == -0.0e2", ["S1", "S2", "S3", "S4"]),
    ("9007199254740993 > 9007199254740992", ["S1", "S2", "S3", "S4"]),
  ])
  func `comparisons`(_ condition: String, _ ids: [String]) throws { try expect(condition, ids) }

  @Test(arguments: [
    ("@.type == 'dna' && @.rin", ["S1"]), ("@.type == 'rna' || @.flags.urgent == true", ["S2", "S3"]),
    ("@.id == 'S1' || @.id == 'S2' && @.none", ["S1"]), ("(@.id == 'S1' || @.id == 'S2') && @.none", []),
    ("!(@.type == 'dna')", ["S2", "S3"]), ("!(@.rin || @.flags)", []), ("((@.rin))", ["S1", "S2"]),
    ("@.tags[?@ == 'b']", ["S1"]), ("@[?@ == $[1].rin]", ["S2"]),
    ("@.flags[?@ == true] || @.tags[?@ == 'a']", ["S1", "S3"]),
  ])
  func `logic and filters inside filters`(_ condition: String, _ ids: [String]) throws { try expect(condition, ids) }

  @Test(arguments: [
    ("length(@.tags) == 2", ["S1"]), ("length(@.type) == 5", ["S3"]), ("length(@) == 4", ["S3"]),
    ("length(@.ngPerUl) == 4", ["S3"]), ("length(@.none) == @.nothing", ["S1", "S2", "S3", "S4"]),
    ("length('🧬é') == 2", ["S1", "S2", "S3", "S4"]),
    ("count(@.*) > 4", ["S1", "S2", "S4"]), ("count(@.tags[*]) == 0", ["S2", "S3", "S4"]),
    ("count(@['id','id']) == 2", ["S1", "S2", "S3", "S4"]),
    ("value(@..urgent) == false", ["S4"]), ("value(@.tags[*]) == 'a'", []), ("value(@.tags[:1]) == 'a'", ["S1"]),
    ("length(value(@.tags[:1])) == 1", ["S1"]), ("match(@.id, 'S[12]')", ["S1", "S2"]),
    ("!match(@.id, 'S[12]')", ["S3", "S4"]),
    ("match(@.type, 'n')", []), ("search(@.type, 'n')", ["S1", "S2", "S4"]),
    ("search( @.type , \"^[db]\" )", ["S1", "S3", "S4"]),
    ("match(@.ngPerUl, '.*')", ["S3"]), ("match(@.id, @.id)", ["S1", "S2", "S3", "S4"]), ("match(@.id, @.ngPerUl)", []),
    ("search(value(@.tags[:1]), 'a')", ["S1"]), ("match(@.id, '(')", []),
  ])
  func `functions`(_ condition: String, _ ids: [String]) throws { try expect(condition, ids) }

  private func expect(_ condition: String, _ ids: [String]) throws {
    let found = try JSONPath("$[?\(condition)].id").values(in: Self.samples)
    #expect(found == ids.map { .string($0) })
  }

  @Test func `strings have the order of their scalars`() throws {
    // In UTF-16 the second would come first.
    let document: JSON = ["\u{FB00}", "\u{1F600}"]
    #expect(try JSONPath("$[?@ > '\u{FB00}']").values(in: document) == ["\u{1F600}"])
    #expect(try JSONPath("$[?@ == '\u{E9}']").values(in: ["e\u{301}", "\u{E9}"]).count == 1)
  }

  @Test func `members are filtered like elements`() throws {
    #expect(
      try JSONPath("$[?@ > 1, 'a']").nodes(in: ["a": 1, "b": 2, "c": 3]).map(\.path.description) == [
        "$['b']", "$['c']", "$['a']",
      ])
    #expect(try JSONPath("$[?@]").values(in: "text").isEmpty)
  }
}
