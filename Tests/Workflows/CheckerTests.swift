import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("Checking workflows", .timeLimit(.minutes(15)), .inTurn)
struct CheckerTests {
  @Test("The workflow of the repository has no findings")
  func sampleProcessing() throws {
    let services: Set = ["samples", "storage", "sequencing", "notification"]
    let result = WorkflowChecker.check(try Repository.bytes("workflows/sample-processing.json"), services: services)
    #expect(result.findings.map(\.description) == [])
    let definition = try #require(result.definition)
    #expect(definition.timeout == .seconds(900))
    #expect(
      definition.steps.map(\.id) == [
        "createSample", "validateSample", "allocateStorage", "storeSample", "scheduleSequencing", "notify",
      ])
    #expect(definition.steps.map(\.timeout) == [30, 60, 45, 30, 30, 15].map { .seconds($0) })
    #expect(definition.steps[1].dependsOn == ["createSample"])
    #expect(definition.steps[3].retry.policy(for: ["http.503"]).maxAttempts == 1)
    #expect(definition.steps[3].retry.policy(for: ["http.503"]).initialInterval == .seconds(5))
    #expect(definition.steps[5].compensation == .none)
  }

  @Test("The checker reports all findings at once, in the order of the file, in the format that editors read")
  func golden() {
    let text = """
      {
        "name": "lab work",
        "versoin": 3,
        "timeout": "4 days",
        "steps": [
          { "id": "load", "http": { "service": "sequencing", "method": "post", "path": "/runs" } },
          { "id": "bookLane", "dependsOn": ["laod"],
            "http": { "service": "sequencing", "method": "GET", "path": "/lanes/${steps.load.outputs.lane}" },
            "retry": { "maxAttempts": 0 } },
          { "id": "approve", "signal": { "name": "approval", "roles": ["qa"] }, "when": "$.input.lanes >" }
        ]
      }
      """
    let expected = """
      w.json:1:1: error: a workflow needs "version" [workflow.missingKey]
      w.json:2:11: error: "lab work" is not a name: it begins with a letter or _ and goes on with letters, digits, _, . \
      and -, 100 at most (did you mean "lab-work"?) [workflow.badName] at /name
      w.json:3:3: error: a workflow has no member "versoin" (did you mean "version"?) [workflow.unknownKey] at /versoin
      w.json:4:14: error: "4 days" is no duration: the units are ms, s, m, h and d: did you mean 4d? \
      [workflow.badDuration] at /timeout
      w.json:6:66: error: "method" is "GET" or "HEAD" or "POST" or "PUT" or "PATCH" or "DELETE", not "post" \
      (did you mean "POST"?) [workflow.badValue] at /steps/0/http/method
      w.json:7:39: error: there is no step "laod" (did you mean "load"?) [workflow.unknownStep] at /steps/1/dependsOn/0
      w.json:8:88: error: a step has output, error, answer, status, outcome, by, startedAt, endedAt, key, uuid, items, no "outputs" (did you mean "output"?) \
      [workflow.unknownMember] at /steps/1/http/path
      w.json:9:33: error: "maxAttempts" is a whole number from 1 to 1000; 1 means never again [workflow.badValue] \
      at /steps/1/retry/maxAttempts
      """
    let lines = check(text).findings.map(\.description)
    #expect(lines.dropLast().joined(separator: "\n") == expected)
    #expect(lines.last?.hasPrefix("w.json:10:") == true)
    #expect(lines.last?.hasSuffix("[jsonpath.syntax] at /steps/2/when") == true)
  }

  @Test(
    "A file that is not JSON gives one finding with its place",
    arguments: [
      ("{", Found("json.incomplete", "", 1, 2)), ("", Found("json.incomplete", "", 1, 1)),
      ("{\n  \"name\": \"a\",\n  \"name\": \"b\"\n}", Found("json.duplicateName", "/name", 3, 3)),
      ("{ \"name\": 'a' }", Found("json.syntax", "/name", 1, 11)),
    ])
  func noJSON(text: String, found: Found) {
    #expect(check(text).findings.map { Found($0) } == [found])
  }

  @Test("A file whose JSON is not an object is refused", arguments: ["[]", "1", "null", "\"x\""])
  func noObject(text: String) {
    #expect(errors(text) == [Found("workflow.wrongType", "", 1, 1)])
  }

  @Test("An empty object lacks what a workflow needs")
  func empty() {
    #expect(check("{}").errors.map(\.message) == ["name", "version", "steps"].map { "a workflow needs \"\($0)\"" })
  }

  @Test("A file larger than the limit is not read")
  func tooLarge() {
    let bytes = Array(repeating: UInt8(ascii: " "), count: WorkflowChecker.maxBytes + 1)
    #expect(WorkflowChecker.check(bytes).findings.map(\.code) == [WorkflowErrorCode.tooLarge])
  }

  @Test("A workflow with 1,000 steps is accepted, one with 1,001 is refused")
  func steps() {
    func list(_ count: Int) -> String {
      "[" + (0..<count).map { "{\"id\":\"s\($0)\",\"delay\":{\"for\":\"0s\"}}" }.joined(separator: ",") + "]"
    }
    #expect(check(Sample.workflow(list(1_000))).definition?.steps.count == 1_000)
    #expect(errors(Sample.workflow(list(1_001))) == [Found("workflow.tooManySteps", "/steps", 2, 10)])
  }

  @Test("A version is a whole number from 1", arguments: ["0", "-1", "1.5", "1e99"])
  func version(text: String) {
    let file =
      "{ \"name\": \"w\", \"version\": \(text), \"steps\": [{ \"id\": \"a\", \"delay\": { \"for\": \"1s\" } }] }"
    #expect(errors(file) == [Found("workflow.badValue", "/version", 1, 27)])
  }

  @Test("A service that is not configured is reported with the nearest name")
  func service() {
    let text = Sample.workflow("[\(Sample.get("a").replacing("\"s\"", with: "\"sample\""))]")
    #expect(
      errors(text, services: ["samples", "storage"]) == [
        Found("workflow.unknownService", "/steps/0/http/service", 2, 45, near: "samples")
      ])
    #expect(errors(text).isEmpty)
  }

  @Test("A service of the other transport is not accepted")
  func kafkaService() {
    let text = Sample.workflow(
      #"[{ "id": "a", "kafka": { "service": "sample", "command": "c" }, "compensation": "none" }, \#(Sample.get("b"))]"#
    )
    #expect(errors(text).isEmpty)
    #expect(errors(text, services: ["s"]).isEmpty)
    #expect(errors(text, services: ["s"], kafkaServices: ["sample"]).isEmpty)
    #expect(
      errors(text, services: ["sample"], kafkaServices: ["samples", "s"]) == [
        Found("workflow.unknownService", "/steps/0/kafka/service", 2, 46, near: "samples"),
        Found("workflow.unknownService", "/steps/1/http/service", 2, 134),
      ])
  }

  @Test("Without Kafka every command gets a finding, and nothing else does")
  func needsKafka() {
    let text = Sample.workflow(
      #"""
      [{ "id": "a", "kafka": { "service": "s", "command": "c" },
      "compensation": { "kafka": { "service": "s", "command": "c" } } }]
      """#)
    #expect(
      errors(text, kafkaServices: []) == [
        Found("workflow.needsKafka", "/steps/0/kafka", 2, 24),
        Found("workflow.needsKafka", "/steps/0/compensation/kafka", 3, 19),
      ])
    #expect(errors(Sample.workflow("[\(Sample.get("a"))]"), kafkaServices: []).isEmpty)
  }

  @Test("A finding is written as JSON")
  func json() throws {
    let finding = try #require(check(Sample.workflow("[\(Sample.get("a", ", \"wehn\": \"1\""))]")).findings.first)
    #expect(
      finding.json == [
        "severity": "error", "code": "workflow.unknownKey", "message": "a step has no member \"wehn\"",
        "pointer": "/steps/0/wehn", "line": 2, "column": 83, "file": "w.json", "nearName": "when",
      ])
  }

  // MARK: Warnings

  static let call = #""http": { "service": "s", "method": "POST", "path": "/x" }"#

  @Test(
    "A workflow that is valid but probably a mistake gets a warning",
    arguments: [
      (#"[{ "id": "a", \#(call) }]"#, [Found("workflow.noCompensation", "/steps/0", 2, 11)]),
      (#"[{ "id": "a", \#(call), "compensation": "none" }]"#, []),
      (
        #"[{ "id": "a", "kafka": { "service": "s", "command": "c" } }]"#,
        [Found("workflow.noCompensation", "/steps/0", 2, 11)]
      ),
      (#"[{ "id": "a", "kafka": { "service": "s", "command": "c" }, "compensation": "none" }]"#, []),
      (
        #"[{ "id": "a", "kafka": { "service": "s", "command": "c" }, "compensation": "none", "timeout": "2m" }]"#,
        [Found("workflow.mayBeTooSlow", "/steps", 2, 10)]
      ),
      (#"[{ "id": "a", \#(call), "pivot": true }, { "id": "b", \#(call) }]"#, []),
      (
        #"[{ "id": "a", "delay": { "for": "1s" }, "retry": { "maxAttempts": 2 }, "timeout": "1s" }]"#,
        [Found("workflow.noEffect", "/steps/0/retry", 2, 50), Found("workflow.noEffect", "/steps/0/timeout", 2, 81)]
      ),
      (
        #"[{ "id": "a", \#(call), "pivot": true }, { "id": "b", "dependsOn": [], \#(call), "pivot": true }]"#,
        [Found("workflow.parallelPivots", "/steps/1/pivot", 2, 191)]
      ),
      (
        #"[{ "id": "a", "signal": { "name": "x" } }, { "id": "b", "signal": { "name": "x" } }]"#,
        [Found("workflow.signalsAlike", "/steps/1/signal", 2, 76)]
      ),
      (
        #"[{ "id": "a", \#(call), "compensation": "none", "when": "$..x" }]"#,
        [Found("workflow.readsEveryStep", "/steps/0/when", 2, 117)]
      ),
      (
        #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "timeout": "2m" }]"#,
        [Found("workflow.mayBeTooSlow", "/steps", 2, 10)]
      ),
    ])
  func warns(steps: String, found: [Found]) {
    let result = check(Sample.workflow(steps))
    #expect(result.warnings.map { Found($0) } == found)
    #expect(result.definition != nil, "a warning never blocks")
  }
}
