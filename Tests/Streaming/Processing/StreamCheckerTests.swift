import JSON
import Streaming
import TestSupport
import Testing
import Values
import Workflows

@Suite("Checking the files of streams", .timeLimit(.minutes(15)), .inTurn)
struct StreamCheckerTests {
  private func check(_ text: String) -> StreamCheck { StreamChecker.check(Array(text.utf8), file: "s.json") }

  /// The file with one of its parts replaced.
  private static func file(_ old: String = "", _ new: String = "") -> String {
    let text = """
      { "name": "s", "to": "out",
        "count": { "from": "in", "key": "$.data.type", "window": { "size": "1h" }, "lateness": "0s" } }
      """
    precondition(old.isEmpty || text.contains(old))
    return text.replacing(old, with: new)
  }

  static let shipped = ["samples-created-per-hour", "samples-created-last-hour", "samples-sequenced", "urgent-samples"]

  @Test("The streams of the repository have no findings", arguments: shipped)
  func repository(_ name: String) throws {
    let check = StreamChecker.check(try Repository.bytes("streams/\(name).json"))
    #expect(check.findings.isEmpty, "\(check.findings)")
    #expect(check.definition?.name == name)
  }

  @Test("Every stream of the repository is tried")
  func allOfThem() throws {
    #expect(try Repository.names(in: "streams", ending: ".json") == Self.shipped.map { "\($0).json" }.sorted())
  }

  @Test("A file becomes the right stream definition")
  func meaning() throws {
    let check = check(
      """
      { "name": "hop", "to": "out", "type": "lab.hop", "late": "too-late", "description": "d",
        "count": { "from": "in", "when": "$.type == 'a'", "key": "$.data.k", "time": "$.data.at",
                   "window": { "size": "1h", "advance": "15m" }, "lateness": "10m", "idle": "5m", "ahead": "1h",
                   "closeAfter": "30m" } }
      """)
    #expect(check.findings.isEmpty, "\(check.findings)")
    let definition = try #require(check.definition)
    #expect(definition.to == "out" && definition.type == "lab.hop" && definition.late == "too-late")
    #expect(definition.topics == ["in"] && definition.source == "/streams/hop")
    guard case .count(let plan) = definition.work else {
      Issue.record("it is \(definition.work)")
      return
    }
    #expect(plan.size == .seconds(3_600) && plan.advance == .seconds(900) && plan.closeAfter == .seconds(1_800))
    #expect(
      plan.timing == StreamTiming(lateness: .seconds(600), idle: .seconds(300), ahead: .seconds(3_600)))
    #expect(plan.input.when?.text == "$.type == 'a'" && plan.input.key?.text == "$.data.k")
    #expect(plan.input.time?.text == "$.data.at")

    let plain = try #require(self.check(Self.file()).definition)
    guard case .count(let plan) = plain.work else { return }
    #expect(plan.advance == plan.size && plan.closeAfter == nil && plan.timing.idle == StreamTiming.usualIdle)
    #expect(plain.type == "s" && plain.late == nil)
  }

  @Test("All errors of a file are reported at once, in the order of the file, with near names")
  func golden() {
    let text = """
      {
        "name": "samples per hour",
        "counts": 1,
        "join": {
          "left": { "from": "laboratory sample", "key": "$.dta.id", "when": "$.type ==" },
          "right": { "form": "runs", "key": "$.data.sampleId" },
          "within": "2 hours"
        },
        "to": "out"
      }
      """
    let expected = """
      s.json:2:11: error: "samples per hour" is not a name: it begins with a letter or _ and goes on with letters, digits, \
      _, . and -, 100 at most (did you mean "samples-per-hour"?) [stream.invalid] at /name
      s.json:3:3: error: a stream has no member "counts" (did you mean "count"?) [stream.invalid] at /counts
      s.json:4:11: error: a join needs "lateness": how far out of order events may come and still count (0s: not at all) \
      [stream.invalid] at /join
      s.json:5:23: error: "laboratory sample" is not a topic's name: it may have letters, digits, ., _ and -, 249 characters at most \
      [stream.invalid] at /join/left/from
      s.json:5:54: error: an event has no "dta": it has id, source, type, subject, time, datacontenttype, dataschema, \
      data, kafka (did you mean "data"?) [stream.invalid] at /join/left/key
      s.json:6:14: error: "right" needs "from" [stream.invalid] at /join/right
      s.json:6:16: error: "right" has no member "form" (did you mean "from"?) [stream.invalid] at /join/right/form
      s.json:7:15: error: "2 hours" is no duration: the units are ms, s, m, h and d: did you mean 2h? \
      [stream.invalid] at /join/within
      """
    let lines = check(text).findings.map(\.description)
    #expect(lines.filter { !$0.contains("jsonpath.syntax") } == expected.split(separator: "\n").map(String.init))
    #expect(lines.filter { $0.contains("[jsonpath.syntax] at /join/left/when") }.count == 1)
    #expect(check(text).definition == nil)
  }

  static let mistakes: [(String, String, String, String)] = [
    ("\"to\": \"out\"", "\"to\": \"in\"", "/to", "its own output would come back for ever"),
    ("\"to\": \"out\"", "\"to\": \"out\", \"late\": \"in\"", "/late", "would come back for ever"),
    ("\"to\": \"out\"", "\"to\": \"out\", \"late\": \"out\"", "/late", "would be taken for results"),
    ("\"to\": \"out\"", "\"to\": \"\"", "/to", "is not a topic's name"),
    ("\"to\": \"out\"", "\"to\": \"..\"", "/to", "is not a topic's name"),
    (", \"to\": \"out\"", "", "", "a stream needs \"to\""),
    ("\"count\"", "\"$schema\"", "", "needs one of \"transform\", \"count\", \"join\""),
    ("\"to\"", "\"join\": {}, \"to\"", "/count", "a stream does one thing"),
    ("\"size\": \"1h\"", "\"size\": \"1h\", \"advance\": \"2h\"", "/count/window/advance", "is longer than \"size\""),
    ("\"size\": \"1h\"", "\"size\": \"1h\", \"advance\": \"1s\"", "/count/window/advance", "more than 1000 windows"),
    ("\"size\": \"1h\"", "\"size\": \"0s\"", "/count/window/size", "is longer than nothing"),
    ("\"size\": \"1h\"", "\"advance\": \"1h\"", "/count/window", "a window needs \"size\""),
    (", \"window\": { \"size\": \"1h\" }", "", "/count", "a count needs \"window\""),
    (", \"lateness\": \"0s\"", "", "/count", "needs \"lateness\""),
    ("\"0s\"", "\"5m\", \"closeAfter\": \"1m\"", "/count/closeAfter", "is shorter than \"lateness\""),
    ("\"$.data.type\"", "\"$.data[\"", "/count/key", ""),
    ("\"$.data.type\"", "\"$[0]\"", "/count/key", "it has members, no elements"),
    ("\"$.data.type\"", "\"$.Data.type\"", "/count/key", "an event has no \"Data\""),
    ("\"$.data.type\"", "\"$.kafka.ofset\"", "/count/key", "\"kafka\" has no \"ofset\""),
    ("\"$.data.type\"", "\"$.data.type\", \"when\": \"match($.id, '(')\"", "/count/when", ""),
    ("\"name\": \"s\"", "\"name\": \"s\", \"type\": \"\"", "/type", "is empty"),
    ("\"0s\"", "0", "/count/lateness", "is a string with a unit, not a number"),
  ]

  @Test("A mistake is found at its place", arguments: mistakes)
  func mistake(_ old: String, _ new: String, _ pointer: String, _ says: String) {
    let check = check(Self.file(old, new))
    #expect(check.definition == nil)
    let found = check.findings.map { "\($0.pointer) \($0.message)" }
    #expect(
      check.findings.contains { $0.pointer.description == pointer && (says.isEmpty || $0.message.contains(says)) },
      "\(found)")
    #expect(check.findings.allSatisfy { $0.place != nil })
  }

  // MARK: The schema for editors

  private static func schema() throws -> SchemaValidator {
    SchemaValidator(document: try JSON(parsing: try Repository.bytes("docs/schema/stream.schema.json")))
  }

  @Test("The schema for editors takes the repository's streams", arguments: shipped)
  func schemaTakes(_ name: String) throws {
    let stream = try JSON(parsing: try Repository.bytes("streams/\(name).json"))
    #expect(try Self.schema().violations(of: stream) == [])
  }

  /// The mistakes that no schema can find: values that do not go together, and a text that is not a query.
  static let onlyChecker = [
    "own output", "come back for ever", "taken for results", "longer than \"size\"", "1000 windows",
    "shorter than", "no elements", "an event has no", "\"kafka\" has no",
  ]

  @Test("The schema for editors refuses the same forms", arguments: mistakes)
  func schemaRefuses(_ old: String, _ new: String, _ pointer: String, _ says: String) throws {
    // A mistake with an empty `says` has a query's own message. Only the checker finds it.
    let isForm = !says.isEmpty && !Self.onlyChecker.contains { says.contains($0) }
    #expect(try Self.schema().accepts(try JSON(parsing: Self.file(old, new))) == !isForm, "\(pointer) \(says)")
  }

  @Test("The schema for editors knows the other kinds too")
  func schemaKinds() throws {
    let schema = try Self.schema()
    func accepts(_ text: String) throws -> Bool { try schema.accepts(try JSON(parsing: text)) }
    #expect(try accepts(#"{"name":"a","to":"b","transform":{"from":"c","output":1}}"#))
    #expect(try !accepts(#"{"name":"a","to":"b","transform":{"from":"c","output":1},"late":"d"}"#))
    #expect(try !accepts(#"{"name":"a","to":"b","transform":{"from":"c"}}"#))
    #expect(try !accepts(#"{"name":"a","to":"b"}"#))
    let join = #"{"name":"a","to":"b","join":{"left":{"from":"c","key":"$.x"},"right":{"from":"c","key":"$.x"},"#
    #expect(try accepts(join + #""within":"0s","lateness":"0s"}}"#))
    #expect(try !accepts(join + #""within":"0s"}}"#))
    #expect(
      try !accepts(join.replacing(#","key":"$.x""#, with: "", maxReplacements: 1) + #""within":"1s","lateness":"0s"}}"#)
    )
  }

  @Test("An attribute that a CloudEvent brings along may be read")
  func extensions() {
    #expect(check(Self.file("$.data.type", "$.tenant")).findings.isEmpty)
    #expect(check(Self.file("$.data.type", "$.kafka.key")).findings.isEmpty)
  }

  @Test("A transform's template is read to its end")
  func templates() throws {
    let check = check(
      """
      { "name": "t", "to": "out", "late": "late",
        "transform": { "from": "in", "output": { "a": "${data.x", "b": ["${}", "${typ}", "$${type}"] } } }
      """)
    #expect(
      check.findings.map { "\($0.place?.line ?? 0):\($0.place?.column ?? 0) \($0.code)" } == [
        "1:29 \(StreamingErrorCode.streamInvalid)", "2:50 \(WorkflowErrorCode.templateUnclosed)",
        "2:70 \(WorkflowErrorCode.templateEmpty)", "2:77 \(StreamingErrorCode.streamInvalid)",
      ])
    #expect(check.findings.last?.nearName == "type")
  }

  @Test("A file that is not JSON, or too large, is refused")
  func noFile() {
    #expect(check("{").findings.map(\.code) == [JSONErrorCode.incomplete])
    #expect(check("[]").findings.map(\.message) == ["a stream is an object, not an array"])
    let large = StreamChecker.check([UInt8](repeating: 0x20, count: StreamChecker.maxBytes + 1))
    #expect(large.findings.map(\.code) == [StreamingErrorCode.streamInvalid])
  }
}
