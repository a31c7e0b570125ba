import JSON
import TestSupport
import Testing
import Workflows

/// Names, indexes, slices, wildcards and descendants, by the paths that they find.
@Suite(.timeLimit(.minutes(15)), .inTurn)
struct SelectorTests {
  /// A plate with two tubes, and a few names that are hard to write.
  static let document: JSON = [
    "plate": ["id": "P-7", "tubes": [["id": "T-1", "ul": 20], ["id": "T-2", "ul": 75.5, "dna": ["ul": 3]]]],
    "wells": ["A1", "A2", "A3", "A4", "A5"],
    "": 0, "a b": 1, "it's": 2, "\\": 3, "☺": 4, "\u{1F9EC}": 5, "true": 6,
  ]

  @Test(arguments: [
    ("$", ["$"]), ("$.plate.id", ["$['plate']['id']"]), ("$['plate'][\"id\"]", ["$['plate']['id']"]),
    ("$ .plate\n[ 'id' ]", ["$['plate']['id']"]), ("$.none", []), ("$.wells.id", []), ("$.plate[0]", []),
    ("$['']", ["$['']"]), ("$['a b']", ["$['a b']"]), ("$[\"it's\"]", ["$['it\\'s']"]),
    ("$['it\\'s']", ["$['it\\'s']"]), ("$['\\\\']", ["$['\\\\']"]), ("$.☺", ["$['☺']"]), ("$['\\u263A']", ["$['☺']"]),
    ("$['\\ud83e\\uddec']", ["$['🧬']"]), ("$.true", ["$['true']"]),
    ("$['plate','none','']['id']", ["$['plate']['id']"]),
  ])
  func `names`(_ query: String, _ paths: [String]) throws { try expect(query, paths) }

  @Test(arguments: [
    ("$.wells[0]", [0]), ("$.wells[-1]", [4]), ("$.wells[5]", []), ("$.wells[-6]", []), ("$.wells[1,0,1]", [1, 0, 1]),
    ("$.wells[9007199254740991]", []), ("$.wells[1:3]", [1, 2]), ("$.wells[ 1 : 3 : 1 ]", [1, 2]),
    ("$.wells[:]", [0, 1, 2, 3, 4]), ("$.wells[::]", [0, 1, 2, 3, 4]), ("$.wells[3:]", [3, 4]),
    ("$.wells[:-3]", [0, 1]),
    ("$.wells[-2:]", [3, 4]), ("$.wells[::2]", [0, 2, 4]), ("$.wells[::-1]", [4, 3, 2, 1, 0]),
    ("$.wells[::-2]", [4, 2, 0]), ("$.wells[3:0:-1]", [3, 2, 1]), ("$.wells[0:3:-1]", []), ("$.wells[3:1]", []),
    ("$.wells[::0]", []), ("$.wells[-100:100]", [0, 1, 2, 3, 4]), ("$.wells[100:-100:-1]", [4, 3, 2, 1, 0]),
    ("$.wells[-9007199254740991:9007199254740991:9007199254740991]", [0]),
    ("$.wells[9007199254740991:-9007199254740991:-9007199254740991]", [4]), ("$.wells[0,2:4,-1]", [0, 2, 3, 4]),
  ])
  func `indexes and slices`(_ query: String, _ indexes: [Int]) throws {
    try expect(query, indexes.map { "$['wells'][\($0)]" })
  }

  @Test(arguments: [
    ("$.plate.*", ["$['plate']['id']", "$['plate']['tubes']"]), ("$.plate.id.*", []),
    ("$.plate.tubes[*].id", ["$['plate']['tubes'][0]['id']", "$['plate']['tubes'][1]['id']"]),
    (
      "$..ul",
      ["$['plate']['tubes'][0]['ul']", "$['plate']['tubes'][1]['ul']", "$['plate']['tubes'][1]['dna']['ul']"]
    ),
    ("$.plate..[0]", ["$['plate']['tubes'][0]"]), ("$..dna.*", ["$['plate']['tubes'][1]['dna']['ul']"]),
    ("$..dna..ul", ["$['plate']['tubes'][1]['dna']['ul']"]),
    (
      "$.plate..['id','tubes']",
      [
        "$['plate']['id']", "$['plate']['tubes']", "$['plate']['tubes'][0]['id']", "$['plate']['tubes'][1]['id']",
      ]
    ),
    (
      "$.plate.tubes[1]..*",
      [
        "$['plate']['tubes'][1]['id']", "$['plate']['tubes'][1]['ul']", "$['plate']['tubes'][1]['dna']",
        "$['plate']['tubes'][1]['dna']['ul']",
      ]
    ),
  ])
  func `wildcards and descendants`(_ query: String, _ paths: [String]) throws { try expect(query, paths) }

  private func expect(_ query: String, _ paths: [String]) throws {
    let path = try JSONPath(query)
    let nodes = try path.nodes(in: Self.document)
    #expect(nodes.map(\.path.description) == paths)
    #expect(try path.values(in: Self.document) == nodes.map(\.value))
    for node in nodes {
      // A normalized path is a query that finds its node and no other.
      #expect(try JSONPath(node.path.description).nodes(in: Self.document) == [node])
      #expect(node.path.pointer.value(in: Self.document) == node.value)
    }
  }

  @Test func `names are compared by scalars`() throws {
    let document: JSON = ["e\u{301}": "two", "\u{E9}": "one"]
    #expect(try JSONPath("$['\u{E9}']").values(in: document) == ["one"])
    #expect(try JSONPath("$.e\u{301}").values(in: document) == ["two"])
  }

  @Test func `normalized paths escape what must be, and nothing else`() throws {
    let name = "'\\\"/\u{08}\t\n\u{0B}\u{0C}\r\u{1F}\u{7F}é🧬"
    let node = try #require(try JSONPath("$.*").nodes(in: [name: 1]).first)
    #expect(node.path.description == "$['\\'\\\\\"/\\b\\t\\n\\u000b\\f\\r\\u001f\u{7F}é🧬']")
    #expect(try JSONPath(node.path.description).values(in: [name: 1]) == [1])
  }

  @Test func `a search stops when it has enough`() throws {
    let query = try JSONPath("$.wells[*]")
    #expect(try query.values(in: Self.document, atMost: 2) == ["A1", "A2"])
    #expect(try query.values(in: Self.document, atMost: 0).isEmpty)
    #expect(try JSONPath("$.wells[1]").values(in: Self.document, atMost: 0).isEmpty)
  }

  @Test func `a deep document is walked to its end`() throws {
    var document: JSON = ["end": true]
    for _ in 0..<500 { document = [document] }
    #expect(try JSONPath("$..end").values(in: document) == [true])
    #expect(try JSONPath("$\(String(repeating: "[0]", count: 500)).end").values(in: document) == [true])
    #expect(try JSONPath("$\(String(repeating: "[*]", count: 500))..end").nodes(in: document).count == 1)
    #expect(try JSONPath("$[?count($..*) > 499 && @..end]").values(in: document).count == 1)
  }
}
