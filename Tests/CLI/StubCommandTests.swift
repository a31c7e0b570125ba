import TestSupport
import Testing

@testable import saga

/// The stub that runs is tested in `Tests/System/Stub`.
@Suite("saga stub", .timeLimit(.minutes(15)), .inTurn)
struct StubCommandTests {
  @Test("--check reads the rules and does not start")
  func check() async {
    let rules = #"{ "rules": [ { "match": { "method": "GET", "path": "/a" } } ] }"#
    let result = await TestTool(input: [rules]).run("stub", "-", "--check")
    #expect(result.status == .success)
    #expect(result.output == "-: 1 rule, no mistakes\n" && result.complaint.isEmpty)
  }

  @Test("prints every mistake with its line, a caret and the word that was meant, and does not start")
  func mistakes() async {
    let rules = """
      { "rules": [
        { "match": { "method": "GET", "pth": "/a" } },
        { "match": { "method": "GET", "path": "/:id" }, "answr": {} } ] }
      """
    let result = await TestTool(input: [rules]).run("stub", "-")
    #expect(result.status == .failure && result.output.isEmpty)
    #expect(
      result.complaint == """
        <stdin>:2:14: error: a match needs "path" [stub.rulesInvalid]
            2 |   { "match": { "method": "GET", "pth": "/a" } },
              |              ^
        <stdin>:2:33: error: a match has no member "pth" (did you mean "path"?) [stub.rulesInvalid]
            2 |   { "match": { "method": "GET", "pth": "/a" } },
              |                                 ^
        <stdin>:3:43: error: :id is only text here: write {id} (did you mean "{id}"?) [stub.rulesInvalid]
            3 |   { "match": { "method": "GET", "path": "/:id" }, "answr": {} } ] }
              |                                           ^
        <stdin>:3:51: error: a rule has no member "answr" (did you mean "answer"?) [stub.rulesInvalid]
            3 |   { "match": { "method": "GET", "path": "/:id" }, "answr": {} } ] }
              |                                                   ^
        <stdin>: 4 errors

        """)
  }

  @Test(
    "wrong words are refused",
    arguments: [["stub"], ["stub", "-", "--port", "70000"], ["stub", "-", "--stop-with-input"]])
  func usage(_ words: [String]) async {
    let rules = #"{ "rules": [ { "match": { "method": "GET", "path": "/a" } } ] }"#
    #expect(await TestTool(input: [rules]).run(words).status == .usage)
  }
}
