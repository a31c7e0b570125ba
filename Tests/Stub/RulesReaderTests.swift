import JSON
import TestSupport
import Testing
import Workflows

@testable import Stub

@Suite("A file of rules", .timeLimit(.minutes(15)), .inTurn)
struct RulesReaderTests {
  /// Returns a file with one rule, in which the members of `match` and of the rule itself are replaced.
  private func file(match: JSON = ["method": "PUT", "path": "/tubes/{id}"], _ more: JSONObject = [:]) -> [UInt8] {
    var rule: JSONObject = ["match": match]
    for (name, value) in more { rule[name] = value }
    return JSON.object(["rules": [.object(rule)]]).bytes()
  }

  @Test("with everything that a rule can have is read")
  func whole() throws {
    let text = """
      { "remember": 7, "rules": [
        { "name": "put", "match": { "method": "PUT", "path": "/tubes/{id}", "when": "$.request.body.barcode != ''" },
          "answer": { "status": 201, "headers": { "Location": "/tubes/${request.params.id}" },
                      "body": { "id": "${request.params.id}" } },
          "delay": "200ms", "failFirst": { "times": 2, "status": 429, "retryAfter": "1500ms" }, "dropFirst": 1 },
        { "match": { "method": "GET", "path": "/" } }
      ] }
      """
    let check = StubRules.check(Array(text.utf8))
    #expect(check.findings == [])
    let rules = try #require(check.rules)
    #expect(rules.remember == 7)
    let rule = try #require(rules.rules.first)
    #expect(rule.name == "put" && rule.shown == "PUT /tubes/{id}" && rule.dropFirst == 1)
    #expect(rule.delay == .milliseconds(200) && rule.failFirst?.times == 2)
    #expect(rule.failFirst?.answer.status == 429)
    #expect(AnswerTemplate.seconds(.milliseconds(1_500)) == 2 && AnswerTemplate.seconds(.seconds(2)) == 2)
    #expect(rules.rules[1].name == "rule 2" && rules.rules[1].answer.status == 200)
    #expect(StubRules.check(file()).rules?.remember == StubRules.usualRemember)
  }

  @Test(
    "says what is wrong, and what was probably meant",
    arguments: [
      (["method": "put", "path": "/a"], [:], "\"method\" is \"GET\" or", "PUT"),
      (["method": "PUT", "path": "a"], [:], "a path begins with /, as /samples/{id}", "/a"),
      (["method": "PUT", "path": "/a/:id"], [:], ":id is only text here: write {id}", "{id}"),
      (["method": "PUT", "path": "/a/${x}"], [:], "a path has no ${…}: write a name for the segment, as {id}", nil),
      (["method": "PUT", "path": "/a/x{id}"], [:], "x{id} must be a plain text, or a name in braces", nil),
      (["method": "PUT", "path": "/{a}/{a}"], [:], "the name {a} comes twice in the path", nil),
      (["method": "PUT", "path": "/_stub/x"], [:], "paths below /_stub are the stub's own", nil),
      (["method": "PUT"], [:], "a match needs \"path\"", nil),
      (["method": "PUT", "path": "/a", "url": 1], [:], "a match has no member \"url\"", "path"),
      (["method": "PUT", "path": "/a", "body": 1], [:], "a match has no member \"body\": write a \"when\"", nil),
      (
        ["method": "PUT", "path": "/a", "when": "$.request.bdy.x == 1"], [:], "a request has method, path, params",
        "body"
      ),
      (["method": "PUT", "path": "/a", "when": "$.input.x == 1"], [:], "a rule reads only the request", nil),
      (
        ["method": "PUT", "path": "/a/{barcode}", "when": "$.request.params.barcod == 'x'"], [:],
        "there is no \"barcod\": the path has barcode", "barcode"
      ),
      (
        ["method": "PUT", "path": "/a", "when": "$.request.headers['X-Lab'] == '1'"], [:],
        "the names of headers are in lower case here: x-lab", nil
      ),
      (["method": "PUT", "path": "/a", "when": "$.request.body ="], [:], "Write == to compare", nil),
      (
        ["method": "PUT", "path": "/a"], ["status": 201], "a rule has no member \"status\": write it inside \"answer\"",
        nil
      ),
      (["method": "PUT", "path": "/a"], ["response": [:]], "a rule has no member \"response\"", "answer"),
      (["method": "PUT", "path": "/a"], ["answer": ["status": 99]], "\"status\" is a status from 200 to 599", nil),
      (["method": "PUT", "path": "/a"], ["answer": ["body": "{{request.body}}"]], "{{…}} is only text here", nil),
      (["method": "PUT", "path": "/a"], ["answer": ["body": "${request.body.x"]], "this ${ has no closing }", nil),
      (["method": "PUT", "path": "/a"], ["answer": ["status": 204, "body": 1]], "the status 204 has no body", nil),
      (
        ["method": "PUT", "path": "/a"], ["answer": ["headers": ["a b": "x"]]], "\"a b\" is not the name of a header",
        nil
      ),
      (["method": "PUT", "path": "/a"], ["answer": ["headers": ["Date": "x"]]], "the server sets Date itself", nil),
      (["method": "PUT", "path": "/a"], ["answer": ["headers": ["A": 1]]], "a header is a string, not a number", nil),
      (["method": "PUT", "path": "/a"], ["delay": "2 s"], "no duration: the units are ms", nil),
      (["method": "PUT", "path": "/a"], ["delay": "11m"], "\"delay\" is at most 10m", nil),
      (["method": "PUT", "path": "/a"], ["failFirst": [:]], "\"failFirst\" needs \"times\"", nil),
      (
        ["method": "PUT", "path": "/a"], ["failFirst": ["times": 1, "status": 200]], "a failure has a status from 400",
        nil
      ),
      (["method": "PUT", "path": "/a"], ["dropFirst": 0], "\"dropFirst\" is how many answers are lost, from 1", nil),
    ] as [(JSON, JSONObject, String, String?)])
  func mistakes(_ match: JSON, _ more: JSONObject, _ message: String, _ near: String?) throws {
    let check = StubRules.check(file(match: match, more), file: "r.json")
    #expect(check.rules == nil)
    let finding = try #require(check.findings.first { $0.message.contains(message) }, "\(check.findings)")
    #expect(finding.nearName == near)
    #expect(finding.place?.line == 1 && finding.file == "r.json" && finding.code.contains("."))
  }

  @Test("has all its mistakes reported at once, each with its place")
  func allAtOnce() {
    let text = """
      { "rules": [
        { "match": { "method": "PUT", "path": "/a", "when": "$.reqest.body" }, "anwser": {} },
        { "match": { "metod": "PUT", "path": "/a" },
          "answer": { "status": "201" } } ],
        "remember": 0 }
      """
    let check = StubRules.check(Array(text.utf8))
    #expect(
      check.findings.map { "\($0.place?.line ?? 0):\($0.place?.column ?? 0) \($0.nearName ?? "-")" } == [
        "2:58 request", "2:74 answer", "3:14 -", "3:16 method", "4:27 -", "5:15 -",
      ], "\(check.findings)")
    #expect(Set(check.findings.map(\.code)) == ["stub.rulesInvalid"])
  }

  @Test(
    "that is not an object with rules is refused",
    arguments: ["[]", "{}", #"{"rules": {}}"#, #"{"rules": []}"#, "{", #"{"rules": [1]}"#])
  func form(_ text: String) {
    let check = StubRules.check(Array(text.utf8))
    #expect(check.rules == nil && !check.errors.isEmpty)
  }

  @Test("with too many rules, or of too many bytes, is refused")
  func limits() throws {
    let rule: JSON = ["match": ["method": "GET", "path": "/a"]]
    let many = JSON.object(["rules": .array(Array(repeating: rule, count: StubRules.mostRules + 1))])
    #expect(
      StubRules.check(many.bytes()).findings.map(\.message) == [
        "1001 rules are more than the 1000 that a file may have"
      ])
    let long = Array(repeating: UInt8(ascii: " "), count: StubRules.maxBytes + 1)
    #expect(StubRules.check(long).findings.count == 1)
  }

  @Test("warns of a rule that no request reaches, and refuses two rules of one name")
  func order() {
    let text = """
      { "rules": [
        { "name": "all", "match": { "method": "GET", "path": "/{a}/{b}" } },
        { "name": "one", "match": { "method": "GET", "path": "/tubes/{id}" } },
        { "name": "other", "match": { "method": "PUT", "path": "/tubes/{id}", "when": "$.request.call == 1" } },
        { "name": "last", "match": { "method": "PUT", "path": "/tubes/{id}" } } ] }
      """
    let check = StubRules.check(Array(text.utf8))
    #expect(check.rules?.rules.count == 4)
    #expect(check.findings.map(\.message) == ["no request reaches this rule: \"all\" before it takes all of them"])
    #expect(check.findings.map(\.severity) == [.warning])
    let twice = StubRules.check(Array(text.replacing("\"one\"", with: "\"all\"").utf8))
    #expect(twice.errors.map(\.message) == ["\"all\" is the name of rule 1 already"])
  }

  @Test("a path fits when its literals are the same and its names are not empty")
  func paths() throws {
    let pattern = try PathPattern("/tubes/{id}/weight")
    #expect(pattern.values(in: ["tubes", "a/b", "weight"])?.map(\.value) == ["a/b"])
    #expect(pattern.values(in: ["tubes", "", "weight"]) == nil)
    #expect(pattern.values(in: ["tubes", "a", "Weight"]) == nil)
    #expect(pattern.values(in: ["tubes", "a"]) == nil)
    #expect(try PathPattern("/").values(in: [])?.isEmpty == true)
  }
}
