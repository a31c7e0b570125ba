import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("The schema for editors agrees with the checker", .timeLimit(.minutes(15)), .inTurn)
struct SchemaTests {
  let schema: SchemaValidator

  init() throws {
    schema = SchemaValidator(document: try JSON(parsing: try Repository.bytes("docs/schema/workflow.schema.json")))
  }

  private func agree(_ text: String, isRight: Bool) throws {
    let errors = check(text).errors
    #expect(errors.isEmpty == isRight, "the checker: \(errors)")
    #expect(try schema.accepts(try JSON(parsing: text)) == isRight, "the schema")
  }

  @Test("Schema and checker accept the repository's workflow")
  func repository() throws {
    try agree(
      String(decoding: try Repository.bytes("workflows/sample-processing.json"), as: UTF8.self), isRight: true)
  }

  @Test(
    "Schema and checker refuse a wrong form",
    arguments: FormTests.cases.filter { !exceptions.contains($0.testDescription) })
  func forms(one: FormTests.Case) throws {
    try agree(Sample.workflow(one.steps, more: one.more), isRight: false)
  }

  /// The cases that no schema can refuse: names that differ only in case, short durations, and values that do not go together.
  static let exceptions: Set = [
    "an id twice", "a header twice", "a Kafka header twice", "a heartbeat timeout that is too short",
    "a heartbeat timeout longer than the whole wait",
  ]

  @Test(
    "Only the checker finds errors that a schema can't express",
    arguments: FormTests.cases.filter { exceptions.contains($0.testDescription) })
  func onlyChecker(one: FormTests.Case) throws {
    let text = Sample.workflow(one.steps, more: one.more)
    #expect(!check(text).errors.isEmpty)
    #expect(try schema.accepts(try JSON(parsing: text)), "the schema can see it: it is no exception any more")
  }

  @Test(
    "Only the checker finds errors in an order, a sum or a query",
    arguments: [
      #""timeout": "36501d""#, #""retry": { "initialInterval": "2m", "maxInterval": "1m" }"#, #""when": "$.x >""#,
      #""dependsOn": ["nobody"]"#,
    ])
  func onlyCheckerMembers(member: String) throws {
    let text = Sample.workflow("[\(Sample.get("a", ", \(member)"))]")
    #expect(!check(text).errors.isEmpty)
    #expect(try schema.accepts(try JSON(parsing: text)))
  }

  @Test(
    "Schema and checker agree on durations",
    arguments: [
      ("1s", true), ("P1D", true), ("P1W2DT3H4M5S", true), ("0010ms", true), ("PT0S", false), ("0ms", false),
      ("P", false), ("PT", false), ("P1DT", false), ("1s\\n", false), ("p1d", false), ("PT1.5S", false),
    ])
  func durations(text: String, isRight: Bool) throws {
    let more = "\"timeout\": \"\(text)\""
    try agree(Sample.workflow(#"[{ "id": "a", "signal": { "name": "x" } }]"#, more: "\(more),"), isRight: isRight)
  }

  @Test(
    "Schema and checker agree on durations that may be zero",
    arguments: [("0s", true), ("PT0S", true), ("P", false), ("PT", false), ("P0DT", false), ("", false)])
  func pauses(text: String, isRight: Bool) throws {
    try agree(Sample.workflow(#"[{ "id": "a", "delay": { "for": "\#(text)" } }]"#), isRight: isRight)
  }

  @Test(
    "Schema and checker agree on paths",
    arguments: [
      ("/", true), ("/a/${input['}/../{'].b}/c", true), ("/a$b/$$", true), ("/%41", true), ("/a//b", true),
      ("/...", true), ("/.${input.x}", true), ("/${input[\\\"}\\\"]}", true), ("//a", false), ("/a/..", false),
      ("/./a", false), ("/%2e%2E/a", false), ("/a/.%2e", false), ("/%00", false), ("/%4", false), ("/a#b", false),
      ("/a$${b}", false), ("/a$$${b}", false), ("/${}", false), ("/${input.x", false), ("/é", false), ("", false),
    ])
  func paths(text: String, isRight: Bool) throws {
    try agree(
      Sample.workflow(#"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "\#(text)" } }]"#),
      isRight: isRight)
  }

  @Test(
    "Schema and checker agree on headers",
    arguments: [
      ("X-A", "b", true), ("a~!#", "${input.x}", true), ("", "b", false), ("a:", "b", false), ("é", "b", false),
      ("Host", "b", false), ("TE", "b", false), ("TEA", "b", true), ("traceParent", "b", false),
      ("X", "\\u0000", false),
    ])
  func headers(name: String, value: String, isRight: Bool) throws {
    let headers = "\"headers\": { \"\(name)\": \"\(value)\" }"
    try agree(
      Sample.workflow(#"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/", \#(headers) } }]"#),
      isRight: isRight)
  }

  @Test(
    "Schema and checker agree on headers of a command",
    arguments: [
      ("ward", "${input.x}", true), ("Host", "b", true), ("ce", "b", true), ("cex", "b", true), ("x-ce_id", "b", true),
      ("sagaid", "b", true), ("content-types", "b", true), ("ce_", "b", false), ("ce_id", "b", false),
      ("CE_Anything", "b", false), ("Saga-ID", "b", false), ("saga-step", "b", false), ("SAGA-attempt", "b", false),
      ("Reply-Topic", "b", false), ("idempotency-key", "b", false), ("compensates", "b", false),
      ("traceparent", "b", false), ("Content-Type", "b", false), ("a:", "b", false), ("x", "\\r", false),
    ])
  func kafkaHeaders(name: String, value: String, isRight: Bool) throws {
    let headers = "\"headers\": { \"\(name)\": \"\(value)\" }"
    try agree(
      Sample.workflow(#"[{ "id": "a", "kafka": { "service": "s", "command": "c", \#(headers) } }]"#), isRight: isRight)
  }

  // MARK: Keys

  /// A workflow that uses every word.
  static let everything = """
    { "$schema": "x", "name": "w", "version": 1, "description": "d", "owner": "o", "title": "t", "labels": { "a": "b" },
      "timeout": "1d", "concurrency": { "key": "k" }, "inputSchema": {},
      "defaults": { "timeout": "1s", "retry": { "maxAttempts": 2, "initialInterval": "0s", "backoffCoefficient": 1,
        "maxInterval": "1s", "jitter": 0, "nonRetryable": ["a"] } },
      "steps": [
        { "id": "a", "description": "d", "dependsOn": [], "when": "$.input", "timeout": "5s", "expected": "1s",
          "http": { "service": "s", "method": "PUT", "path": "/", "headers": { "a": "b" }, "query": { "a": "b" },
            "body": {}, "success": ["2xx", 304, "400-409"] },
          "retry": [{ "on": ["a"], "maxAttempts": 2, "initialInterval": "0s", "backoffCoefficient": 1,
            "maxInterval": "1s", "jitter": 0, "nonRetryable": ["a"] }],
          "compensation": { "http": { "service": "s", "method": "PUT", "path": "/" }, "timeout": "1s", "expected": "1s",
            "retry": {},
            "appliesTo": ["failed"], "onFailure": "stuck" }, "pivot": false, "onFailure": "continue" },
        { "id": "b", "signal": { "name": "x", "roles": ["r"], "schema": true, "accept": "$.signal" },
          "remind": { "after": "1m", "every": "1m" } },
        { "id": "c", "delay": { "for": "1s" } }, { "id": "d", "delay": { "until": "${input.x}" } },
        { "id": "e", "kafka": { "service": "s", "command": "c", "headers": { "a": "b" }, "body": {} },
          "compensation": { "kafka": { "service": "s", "command": "c" } } },
        { "id": "g", "description": "d", "dependsOn": ["a"], "when": "$.input", "timeout": "1m", "expected": "1s",
          "concurrency": { "key": "g" }, "steps": [{ "id": "h", "delay": { "for": "1s" } }] },
        { "id": "f", "http": { "service": "s", "method": "GET", "path": "/" }, "timeout": "5s",
          "concurrency": { "key": "${input.x}", "limit": 2 },
          "poll": { "every": "2s", "until": "$.answer.status == 200", "failWhen": "$.answer.body.state == 'bad'" } },
        { "id": "i", "http": { "service": "s", "method": "GET", "path": "/" },
          "forEach": { "items": "${input.x[*]}", "as": "w", "key": "${w.id}", "maxParallel": 2,
            "toleratedFailures": "5%" } },
        { "id": "j", "task": { "queue": "q", "input": {}, "heartbeatTimeout": "2s" },
          "compensation": { "task": { "queue": "q" } } },
        { "id": "k", "workflow": { "name": "w", "version": 1, "input": {}, "key": "${input.x}" },
          "compensation": { "expected": "1s", "retry": {}, "onFailure": "continue" } }
      ], "output": {} }
    """

  @Test("Schema and checker accept a workflow with every member")
  func all() throws { try agree(Self.everything, isRight: true) }

  @Test("Schema and checker know the same members of every object")
  func keys() throws {
    let objects = [
      "workflow": JSONPointer.root, "defaults": JSONPointer([.name("defaults")]),
      "retry": JSONPointer([.name("defaults"), .name("retry")]), "step": Self.step(0), "http": Self.step(0, "http"),
      "listed": Self.step(0, "retry").appending(0), "undo": Self.step(0, "compensation"),
      "signal": Self.step(1, "signal"), "for": Self.step(2, "delay"), "kafka": Self.step(4, "kafka"),
      "undo over Kafka": Self.step(4, "compensation"), "group": Self.step(5),
      "reminder": Self.step(1, "remind"), "poll": Self.step(6, "poll"), "forEach": Self.step(7, "forEach"),
      "concurrency": Self.step(6, "concurrency"),
      "task": Self.step(8, "task"), "undo by a task": Self.step(8, "compensation"),
      "child": Self.step(9, "workflow"), "step with a child": Self.step(9),
      "undo of a child": Self.step(9, "compensation"),
    ]
    let names = schema.memberNames.union(StepReader.keys).union(["zzz"])
    let root = try JSON(parsing: Self.everything)
    for (label, pointer) in objects {
      let members = try #require(pointer.value(in: root)?.objectValue)
      for name in names.sorted() where members[name] == nil {
        // With the values that the name has where it is right: a name that only one of them knows shows.
        for value in Self.values(of: name, in: root) + [1] {
          var more = members
          more[name] = value
          let file = Self.replacing(pointer.tokens[...], in: root, with: .object(more))
          let isRefused = !check(file.text()).errors.isEmpty
          #expect(try schema.accepts(file) != isRefused, "\(name): \(value.text()) in \(label)")
        }
      }
    }
  }

  private static func values(of name: String, in json: JSON) -> [JSON] {
    switch json {
    case .object(let members):
      members.flatMap { member, value in
        (member.hasSameScalars(as: name) ? [value] : []) + values(of: name, in: value)
      }
    case .array(let values): values.flatMap { self.values(of: name, in: $0) }
    case .null, .bool, .number, .string: []
    }
  }

  private static func step(_ index: Int, _ name: String? = nil) -> JSONPointer {
    let step = JSONPointer([.name("steps"), .index(index)])
    return name.map { step.appending($0) } ?? step
  }

  private static func replacing(_ way: ArraySlice<JSONPointer.Token>, in json: JSON, with new: JSON) -> JSON {
    switch (way.first, json) {
    case (.name(let name), .object(var members)):
      if let inner = members[name] { members[name] = replacing(way.dropFirst(), in: inner, with: new) }
      return .object(members)
    case (.index(let index), .array(var values)):
      values[index] = replacing(way.dropFirst(), in: values[index], with: new)
      return .array(values)
    default: return new
    }
  }
}
