import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("Checking and evaluating forEach", .timeLimit(.minutes(15)), .inTurn)
struct ForEachTests {
  /// A step that is done for each item.
  /// - Parameters:
  ///   - forEach: the members of `forEach`.
  ///   - path: the path of its call.
  ///   - more: further members of the step.
  private static func step(_ forEach: String, path: String = "/x/${item.id}", more: String = "") -> String {
    "{ \"id\": \"run\", \"forEach\": { \(forEach) }, \"http\": { \"service\": \"s\", \"method\": \"GET\", "
      + "\"path\": \"\(path)\" }\(more) }"
  }
  private static let items = #""items": "${input.x[*]}""#
  private static func one(_ forEach: String, path: String = "/x/${item.id}", more: String = "") -> String {
    "[\(step(forEach, path: path, more: more))]"
  }
  /// A step that is done for each item, and one behind it.
  private static func behind(_ body: String, when: String = "") -> String {
    "[\(step(items)), { \"id\": \"after\", \"http\": { \"service\": \"s\", \"method\": \"PUT\", \"path\": \"/y\", "
      + "\"body\": { \"a\": \"\(body)\" } }, \"compensation\": \"none\"\(when) }]"
  }

  @Test(
    "A mistake in a forEach is found at its place",
    arguments: [
      Mistake("no items", one(#""as": "x""#, path: "/x"), "workflow.missingKey", says: "a forEach needs \"items\""),
      Mistake(
        "items as a path without braces", one(#""items": "input.x[*]""#), "workflow.badValue", says: "is one ${…}"),
      Mistake(
        "items with text around", one(#""items": "x ${input.x[*]}""#), "workflow.badValue", says: "is one ${…}"),
      Mistake("items as a number", one(#""items": 3"#), "workflow.wrongType", says: "one ${…} or a list"),
      Mistake(
        "another word for items", one(#""in": "${input.x[*]}", "items": []"#), "workflow.unknownKey", near: "items"),
      Mistake(
        "a name that the document has", one(items + #", "as": "input""#, path: "/x"), "workflow.badName",
        says: "has \"input\" already"),
      Mistake("index as the name", one(items + #", "as": "index""#, path: "/x"), "workflow.badName"),
      Mistake("a name with a hyphen", one(items + #", "as": "my-item""#, path: "/x"), "workflow.badName"),
      Mistake(
        "the same key for all", one(items + #", "key": "k""#), "workflow.badValue", says: "the same for every item"),
      Mistake(
        "a key that may be left out", one(items + #", "key": "${item.id ?? nothing}""#), "workflow.badValue",
        says: "can't be left out"),
      Mistake("no place", one(items + #", "maxParallel": 0"#), "workflow.badValue", says: "from 1 to 1000"),
      Mistake(
        "a broken percentage", one(items + #", "toleratedFailures": "5 %""#), "workflow.badValue",
        says: "not \"5 %\""),
      Mistake("more than all", one(items + #", "toleratedFailures": "101%""#), "workflow.badValue"),
      Mistake("fewer than none", one(items + #", "toleratedFailures": -1"#), "workflow.badValue"),
      Mistake("a pivot", one(items, more: #", "pivot": true"#), "workflow.badValue", says: "can't be a pivot"),
      Mistake(
        "the item under another name", one(items + #", "as": "library""#), "workflow.unknownRoot",
        says: "it has input, steps, saga, library, index"),
      Mistake(
        "the item in the step's condition", one(items, more: #", "when": "$.item.ok == true""#),
        "workflow.itemOutsideForEach", says: "evaluated once for the whole step"),
      Mistake(
        "the item in its own list", one(#""items": "${item.x[*]}""#, path: "/x"), "workflow.itemOutsideForEach",
        says: "finds the items"),
      Mistake("the item in a later step", behind("${item.id}"), "workflow.itemOutsideForEach"),
      Mistake(
        "items of all steps", one(#""items": "${list(steps[*].output)}""#), "workflow.itemsUnstable",
        says: "changes while the items are done"),
      Mistake(
        "items of the step itself", one(#""items": "${steps.run.items[*]}""#), "workflow.stepNotBefore",
        says: "reads nothing of its own step"),
      Mistake(
        "a key of the step itself", one(items + #", "key": "${item.id}-${steps.run.uuid}""#), "workflow.stepNotBefore"),
      Mistake(
        "the output of the step as a whole", behind("${steps.run.output.id}"), "workflow.unknownMember",
        says: "read steps.run.items[*].output"),
      Mistake(
        "a misspelt member", behind("${list(steps.run.itmes[*].output)}"), "workflow.unknownMember", near: "items"),
      Mistake(
        "a misspelt member of an item", behind("${steps.run.items[0].outputs}"), "workflow.unknownMember",
        near: "output", says: "an item has key, status, output, error, item"),
      Mistake(
        "items of a step without them",
        #"[{ "id": "a", "delay": { "for": "1s" } }, { "id": "b", "when": "count($.steps.a.items[*]) > 1", "delay": { "for": "1s" } }]"#,
        "workflow.unknownMember", says: "a has no \"forEach\""),
      Mistake(
        "a group",
        #"[{ "id": "g", "forEach": { "items": [1] }, "steps": [{ "id": "a", "delay": { "for": "1s" } }] }]"#,
        "workflow.unknownKey", says: "repeat one step"),
      Mistake(
        "a signal for any item", #"[{ "id": "a", "forEach": { "items": [1, 2] }, "signal": { "name": "go" } }]"#,
        "workflow.signalsAlike", says: "compares the signal with item"),
      Mistake(
        "forEach in a compensation",
        #"[{ "id": "a", "http": { "service": "s", "method": "PUT", "path": "/x" }, "compensation": { "forEach": {}, "http": { "service": "s", "method": "PUT", "path": "/y" } } }]"#,
        "workflow.unknownKey", says: "each item of the step is undone by itself"),
      Mistake(
        "maxParallel beside it", one(items, more: #", "maxParallel": 3"#), "workflow.unknownKey",
        says: "inside \"forEach\""),
      Mistake(
        "the action inside it", one(items + #", "http": {}"#), "workflow.unknownKey", says: "beside \"forEach\""),
      Mistake(
        "matrix", #"[{ "id": "a", "matrix": {}, "delay": { "for": "1s" } }]"#, "workflow.unknownKey", near: "forEach"),
    ])
  func mistake(_ mistake: Mistake) throws {
    let findings = check(mistake.file).findings
    let finding = try #require(
      findings.first { $0.code == mistake.code }, "\(findings.map(\.description).joined(separator: "\n"))")
    #expect(finding.nearName == mistake.near)
    #expect(finding.message.contains(mistake.says), "\(finding.message)")
    #expect(findings.count == 1, "\(findings.map(\.description).joined(separator: "\n"))")
  }

  @Test(
    "Right forEachs have no findings",
    arguments: [
      one(items), one(#""items": "${input.x}""#), one(#""items": "${list(input.x[?@.ok == true])}""#),
      one(#""items": ["${input.a}", "${input.b}"]"#, path: "/x/${item}/${index}"),
      one(items + #", "as": "library", "key": "${library.id}""#, path: "/x/${library.id}/${steps.run.uuid}"),
      one(items + #", "maxParallel": 1000, "toleratedFailures": "100%""#),
      one(items + #", "toleratedFailures": 100000"#),
      one(items, more: #", "poll": { "every": "1s", "until": "$.answer.body.id == $.item.id" }"#),
      one(items, more: #", "when": "count($.input.x[*]) > 0""#),
      behind("${sum(steps.run.items[*].output.reads)}"),
      behind("${list(steps.run.items[?@.status == 'failed'].key)}"),
      behind("${steps.run.items[0].item.id}"),
      behind("b", when: #", "when": "$.steps.run.status == 'succeeded'""#),
      #"[{ "id": "a", "forEach": { "items": [1, 2], "as": "well" }, "signal": { "name": "go", "accept": "$.signal.well == $.well" } }]"#,
    ])
  func right(steps: String) {
    let findings = check(Sample.workflow(steps)).findings
    #expect(findings.isEmpty, "\(findings.map(\.description).joined(separator: "\n"))")
  }

  @Test("What the file leaves out has its default")
  func defaults() throws {
    let plain = try #require(check(Sample.workflow(Self.one(Self.items))).definition?.steps.first?.forEach)
    #expect(plain.name == "item" && plain.key == nil && plain.maxParallel == 10 && plain.tolerated == .count(0))
    let given = try #require(
      check(
        Sample.workflow(
          Self.one(
            Self.items + #", "as": "w", "key": "${w.id}", "maxParallel": 3, "toleratedFailures": "7%""#,
            path: "/x/${w.id}"))
      ).definition?.steps.first?.forEach)
    #expect(given.name == "w" && given.key?.source == "${w.id}" && given.maxParallel == 3)
    #expect(given.tolerated == .percent(7))
    #expect(given.tolerated.failures(of: 96) == 6)
    #expect(ForEach.Tolerance.percent(100).failures(of: 3) == 3 && ForEach.Tolerance.count(2).failures(of: 1) == 2)
  }

  // MARK: Evaluation

  private static func forEach(_ items: JSON, key: String? = nil) throws -> ForEach {
    ForEach(items: try Template(items), key: try key.map { try TextTemplate($0) })
  }

  private static let document: JSON = [
    "input": [
      "x": [["id": "A"], ["id": "B", "n": 2]], "none": [], "text": "t", "twice": [["id": 7], ["id": 7]],
      "bad": [["id": "A B"]], "numbers": [1, 2, 3],
    ],
    "steps": [:],
  ]

  @Test("Items are what a query finds, or the elements of a list")
  func values() throws {
    let document = Self.document
    let found = try Self.forEach("${input.x[*].id}").values(in: document)
    #expect(found.values == ["A", "B"] && found.keys == ["0", "1"] && found.name == "item")
    #expect(try Self.forEach("${input.x}").values(in: document).values == [["id": "A"], ["id": "B", "n": 2]])
    #expect(try Self.forEach("${list(input.numbers[?@ > 1])}").values(in: document).values == [2, 3])
    #expect(try Self.forEach(["${input.text}", 5]).values(in: document).values == ["t", 5])
    #expect(try Self.forEach("${input.none[*]}").values(in: document).values == [])
    #expect(try Self.forEach("${input.nothing[*]}").values(in: document).values == [])
    #expect(try Self.forEach("${input.nothing ?? input.none}").values(in: document).values == [])
    #expect(try Self.forEach("${input.x[*]}", key: "${item.id}-${index}").values(in: document).keys == ["A-0", "B-1"])
  }

  @Test(
    "Items that can't be have a code",
    arguments: [
      ("${input.text}", nil, "forEach.notAList"), ("${input.nothing}", nil, "expression.empty"),
      ("${input.x[*]}", "${item.n}", "expression.empty"), ("${input.twice[*]}", "${item.id}", "forEach.sameKey"),
      ("${input.bad[*]}", "${item.id}", "forEach.badKey"), ("${input.x[*]}", "[${index}]", "forEach.badKey"),
    ] as [(String, String?, String)])
  func errors(items: String, key: String?, code: String) throws {
    let forEach = try Self.forEach(.string(items), key: key)
    let error = #expect(throws: ItemsError.self) { try forEach.values(in: Self.document) }
    #expect(error?.code == code)
  }

  @Test("A step has 100,000 items at most, with keys of the greatest length")
  func many() throws {
    func document(_ count: Int) -> JSON { ["input": ["x": .array((0..<count).map { .int($0) })]] }
    let long = String(repeating: "k", count: ForEach.longestKey - 6)
    let most = try Self.forEach("${input.x[*]}", key: "\(long)${item}").values(in: document(ForEach.mostItems))
    #expect(most.count == 100_000 && most.keys.last == "\(long)99999")
    for items in ["${input.x[*]}", "${input.x}"] {
      let forEach = try Self.forEach(.string(items))
      let error = #expect(throws: ItemsError.self) { try forEach.values(in: document(ForEach.mostItems + 1)) }
      #expect(error?.code == "forEach.tooMany")
    }
  }

  @Test("Items that cost more than their budget end with its code")
  func budget() throws {
    let document: JSON = [
      "input": ["x": .array(Array(repeating: .array(Array(repeating: 1, count: 2_000)), count: 100))]
    ]
    let forEach = try Self.forEach("${input.x[*]}", key: "${count($.input.x[*][*])}${index}")
    let error = #expect(throws: ItemsError.self) { try forEach.values(in: document) }
    #expect(error?.code == "expression.budget")
  }

  @Test("What a workflow reads of its items is in the sample of its input and of its outputs")
  func reads() throws {
    let definition = try #require(
      check(
        Sample.workflow(
          "[\(Self.step(#""items": "${input.libraries[*]}", "as": "library", "key": "${library.barcode}""#, path: "/x/${library.id}")), "
            + #"{ "id": "after", "when": "sum($.steps.run.items[*].output.reads) > 5", "delay": { "for": "1s" } }]"#)
      ).definition)
    let reads = WorkflowReads(definition)
    let input = try #require(reads.sample(of: .input))
    #expect(input["libraries"]?[0]?["id"] != nil && input["libraries"]?[0]?["barcode"] != nil)
    #expect(reads.sample(of: .output("run"))?["reads"]?.intValue != nil)
  }
}
