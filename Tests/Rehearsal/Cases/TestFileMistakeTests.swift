import JSON
import JSONSchema
import TestSupport
import Testing
import Workflows

@testable import Rehearsal

@Suite("Mistakes in test files", .timeLimit(.minutes(15)), .inTurn)
struct TestFileMistakeTests {
  @Test("All mistakes of a file are reported at once, with their places and the names that were meant")
  func all() throws {
    let text = """
      {
        "workflow": "thaw.json",
        "defalts": {},
        "cases": [
          {
            "name": "one",
            "answers": { "bok": { "status": 201 }, "load": { "status": 201, "output": 1 } },
            "undo": { "hurry": { "status": 204 } },
            "signals": [{ "name": "aproval", "at": "2 hours" }],
            "expect": { "status": "complete", "undone": ["lod"] }
          },
          { "name": "one", "expect": {} }
        ]
      }
      """
    let check = try CaseBench.check(text)
    #expect(check.tests == nil)
    let seen = check.findings.map { finding in
      "\(finding.place?.line ?? 0):\(finding.place?.column ?? 0) \(finding.code) \(finding.nearName ?? "-")"
    }
    #expect(
      seen == [
        "3:3 tests.invalid defaults",
        "7:20 tests.unknownName book", "7:54 tests.invalid -",
        "8:17 tests.unknownName -",
        "9:29 tests.unknownName approval", "9:46 tests.invalid -",
        "10:29 tests.invalid completed", "10:52 tests.unknownName load",
        "12:15 tests.invalid -", "12:32 tests.invalid -",
      ], "\(check.findings)")
  }

  /// The members of a case, and what the finding must say.
  static let mistakes: [(String, String)] = [
    (#""expect": { "status": "stuck" }, "answers": { "book": [] }"#, "has 1 to 1000 of them, not 0"),
    (#""expect": { "status": "stuck" }, "answers": { "book": {} }"#, "an answer has one of \"status\", \"output\""),
    (#""expect": { "status": "stuck" }, "answers": { "approve": { "output": 1 } }"#, "write it into \"signals\""),
    (
      #""expect": { "status": "stuck" }, "answers": { "book": { "output": 1, "after": "10s" } }"#,
      "the attempt times out after 10s: write it inside \"late\""
    ),
    (
      #""expect": { "status": "stuck" }, "answers": { "book": { "late": { "output": 1 }, "after": "9s" } }"#,
      "this answer is not late"
    ),
    (
      #""expect": { "status": "stuck" }, "answers": { "book": { "output": 1, "body": {} } }"#,
      "an answer with \"output\" has no \"body\""
    ),
    (#""expect": { "status": "stuck" }, "answers": { "book": { "status": 99 } }"#, "an HTTP status from 200 to 599"),
    (#""expect": { "status": "stuck" }, "answers": { "book": { "fail": {} } }"#, "\"fail\" needs \"code\""),
    (#""expect": { "status": "stuck" }, "answers": { "book": { "timeout": "maybe" } }"#, "\"happened\" or \"lost\""),
    (#""expect": { "status": "stuck" }, "undo": { "hurry": { "status": 204 } }"#, "has no compensation"),
    (#""expect": { "status": "stuck" }, "signals": [{ "name": "approval", "at": "1s", "after": "1s" }]"#, "\"after\""),
    (#""expect": { "status": "stuck" }, "crashes": [{ "step": "book" }]"#, "needs \"when\""),
    (#""expect": { "status": "stuck" }, "crashes": [{ "at": "1s", "step": "book" }]"#, "a crash is \"at\" a time"),
    (
      #""expect": { "status": "stuck" }, "operators": [{ "at": "1s", "verb": "cancel", "reason": "r", "by": "1h" }]"#,
      "takes no \"by\"; the person is the \"actor\""
    ),
    (
      #""expect": { "status": "stuck" }, "operators": [{ "at": "1s", "verb": "skip", "reason": "r" }]"#,
      "needs \"step\""
    ),
    (#""expect": { "status": "stuck" }, "operators": [{ "at": "1s", "verb": "retyr", "reason": "r" }]"#, "\"verb\" is"),
    (#""expect": { "refused": "x", "status": "stuck" }"#, "a saga whose start is refused has no \"status\""),
    (#""expect": { "takes": "soon" }"#, "a limit as \"<= 3h\""),
    (#""expect": { "output": "${" }"#, "${"),
    (#""expect": { "sent": { "book": -1 } }"#, "the number of calls is a whole number from 0"),
    (#""expect": { "sent": [{ "step": "approve" }] }"#, "calls no service"),
    (#""expect": { "sent": true }"#, "\"sent\" is a list of calls, or an object with the calls by step, not a boolean"),
    (#""startAt": "yesterday", "expect": { "status": "stuck" }"#, "a date-time as 2026-03-01T08:00:00Z"),
    (#""given": {}, "expect": { "status": "stuck" }"#, "a case has no member \"given\""),
    (#""input": {}"#, "a case needs \"expect\""),
  ]

  @Test("A mistake is found at its place", arguments: mistakes)
  func mistake(_ members: String, _ says: String) throws {
    let check = try CaseBench.check(#"{ "workflow": "w", "cases": [ { "name": "a", \#(members) } ] }"#)
    #expect(check.tests == nil)
    #expect(check.findings.contains { $0.message.contains(says) }, "\(check.findings)")
    #expect(check.findings.allSatisfy { $0.place != nil && $0.file == "thaw.tests.json" })
  }

  @Test("A workflow that can't be used is a mistake, and the rest of the file is read all the same")
  func workflow() {
    let text = #"{ "workflow": "x.json", "cases": [ { "name": "a", "expct": {}, "expect": { "status": "stuck" } } ] }"#
    let check = TestFileChecker.check(Array(text.utf8)) { path in .unusable("there is no file \(path)") }
    #expect(check.findings.map(\.code) == ["tests.workflow", "tests.invalid"])
    #expect(check.findings.first?.message == "the workflow \"x.json\" can't be used: there is no file x.json")
    #expect(check.findings.last?.nearName == "expect")
  }

  @Test("A file that is too large, has too many cases, or is not JSON is refused")
  func bounds() throws {
    let large = TestFileChecker.check(Array(repeating: 0x20, count: TestFile.maxBytes + 1)) { _ in .unusable("no") }
    #expect(large.findings.map(\.code) == ["tests.invalid"])
    let one = #"{ "name": "a", "expect": { "status": "stuck" } }"#
    let many = Array(repeating: one, count: TestFile.maxCases + 1).joined(separator: ",")
    let check = try CaseBench.check(#"{ "workflow": "w", "cases": [\#(many)] }"#)
    #expect(check.findings.map(\.message) == ["\"cases\" has 1 to 1000 cases, not 1001"])
    #expect(try CaseBench.check("{").findings.map(\.code) == ["json.incomplete"])
  }

  @Test(
    "The schema for editors finds mistakes of form",
    arguments: [
      #""expct": {}"#, #""answers": { "book": { "status": 201, "output": 1 } }"#, #""answers": { "book": [] }"#,
      #""answers": { "book": { "timeout": "maybe" } }"#, #""signals": [{ "at": "1s", "after": "1s", "name": "a" }]"#,
      #""operators": [{ "at": "1s", "verb": "retyr", "reason": "r" }]"#, #""crashes": [{ "step": "book" }]"#,
      #""tags": "a""#,
    ])
  func schema(_ members: String) throws {
    let file = #"{ "workflow": "w", "cases": [ { "name": "a", "expect": { "status": "stuck" }, \#(members) } ] }"#
    #expect(!(try TestSchema.compiled().validate(JSON(parsing: file)).isValid))
  }
}
