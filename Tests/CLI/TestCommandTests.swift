import Foundation
import JSON
import TestSupport
import Testing

@testable import saga

@Suite("saga test", .timeLimit(.minutes(15)), .inTurn)
struct TestCommandTests {
  static let workflow = """
    { "name": "thaw", "version": 3, "timeout": "8h", "steps": [
      { "id": "book", "http": { "service": "freezer", "method": "PUT", "path": "/bookings/${input.id}" },
        "retry": { "initialInterval": "4s", "jitter": 0 },
        "compensation": { "http": { "service": "freezer", "method": "DELETE", "path": "/bookings/${input.id}" } } },
      { "id": "thaw", "http": { "service": "bath", "method": "POST", "path": "/baths",
          "body": { "tube": "${input.id}", "place": "${steps.book.output.place}" } }, "compensation": "none" } ] }
    """
  static let tests = """
    {
      "workflow": "../thaw.json",
      "defaults": {
        "input": { "id": "T-1" },
        "answers": { "book": { "status": 201, "body": { "place": "A1" } }, "thaw": { "status": 202 } },
        "undo": { "*": { "status": 204 } }
      },
      "cases": [
        { "name": "a tube is thawed", "expect": { "status": "completed" } },
        {
          "name": "a bath that is too warm gives the tube back to its place in the freezer",
          "answers": { "thaw": { "status": 409, "body": { "code": "TOO_WARM", "detail": "The bath has 41 °C." } } },
          "expect": {
            "status": "completed",
            "steps": { "book": { "attempts": 2 } },
            "sent": { "thaw": { "body": { "tube": "T-2", "place": "A1" } } }
          }
        },
        {
          "name": "a bath that says nothing",
          "answers": { "book": [{ "status": 503 }, { "timeout": "lost" }, { "fail": { "code": "FULL" } }] },
          "undo": {},
          "expect": { "status": "compensated", "failedStep": "book", "error": "FULL" }
        }
      ]
    }
    """

  /// Writes a workflow and its tests into a folder.
  static func folder(tests: String = tests) throws -> URL {
    let folder = try TestFolder.new("tests")
    try FileManager.default.createDirectory(
      at: folder.appending(path: "tests"), withIntermediateDirectories: true)
    try Data(workflow.utf8).write(to: folder.appending(path: "thaw.json"))
    try Data(tests.utf8).write(to: folder.appending(path: "tests/thaw.tests.json"))
    return folder
  }

  @Test("draws what passed, and what a failed case saw, in 80 columns")
  func failed() async throws {
    let folder = try Self.folder()
    let result = await TestTool().run("test", "--coverage", folder.path)
    #expect(result.status == .failure)
    // The heading has the path of a folder, and the workflow's name where it fits beside it.
    let (heading, rest) = (result.output.prefix { $0 != "\n" }, result.output.drop { $0 != "\n" }.dropFirst())
    #expect(heading.hasPrefix(folder.path))
    try Golden.expect(String(rest), is: "test")
  }

  @Test(
    "takes a folder, a workflow with its tests beside it, or a test file",
    arguments: ["", "/thaw.json", "/tests/thaw.tests.json"])
  func paths(_ path: String) async throws {
    let folder = try Self.folder()
    let result = await TestTool().run("test", "--filter", "IS THAWED", folder.path + path)
    #expect(result.status == .success, "\(result.complaint)")
    #expect(result.output.contains("  ✓ a tube is thawed"))
    #expect(result.output.hasSuffix("1 case: 1 passed, 0 failed\n"))
  }

  @Test("the shipped tests pass and reach every path")
  func shipped() async throws {
    let result = await TestTool().run("test", "--coverage", "workflows")
    #expect(result.status == .success, "\(result.output)")
    #expect(result.output.contains("workflows/tests/sample-processing.tests.json  sample-processing v4\n"))
    #expect(!result.output.contains("no case reaches"))
  }

  @Test("prints mistakes with their places, and fails")
  func mistakes() async throws {
    let folder = try Self.folder(
      tests: """
        {
          "workflow": "../thaw.json",
          "cases": [{ "name": "a", "answers": { "bok": { "status": 200 } }, "expect": { "status": "completed" } }]
        }
        """)
    let file = folder.appending(path: "tests/thaw.tests.json").path
    let result = await TestTool().run("test", file)
    #expect(result.status == .failure)
    #expect(
      result.output == """
        \(file):3:41: error: the workflow thaw has no step "bok" (did you mean "book"?) [tests.unknownName]
            3 |   "cases": [{ "name": "a", "answers": { "bok": { "status": 200 } }, "exp
              |                                         ^
        0 cases: 0 passed, 0 failed; 1 mistake in the files

        """)
  }

  @Test("says why a workflow can't be used")
  func workflow() async throws {
    let folder = try Self.folder()
    try Data(#"{ "name": "thaw", "version": 1, "steps": [{ "id": "a" }] }"#.utf8).write(
      to: folder.appending(path: "thaw.json"))
    let broken = await TestTool().run("test", "\(folder.path)/tests")
    #expect(broken.status == .failure)
    #expect(
      broken.output.contains(
        "can't be used: \(folder.path)/thaw.json has 1 mistake, see `saga check \(folder.path)/thaw.json`"))
    try FileManager.default.removeItem(at: folder.appending(path: "thaw.json"))
    let missing = await TestTool().run("test", "\(folder.path)/tests")
    #expect(missing.output.contains("can't be used: there is no file \(folder.path)/thaw.json"))
  }

  @Test("--json prints cases with their differences and histories, and the coverage")
  func json() async throws {
    let result = await TestTool().run("test", "--json", "--coverage", try Self.folder().path)
    #expect(result.status == .failure)
    let report = try JSON(parsing: result.output)
    #expect(report["passed"] == 2)
    #expect(report["failed"] == 1)
    let cases = try #require(report["files"]?[0]?["cases"]?.arrayValue)
    #expect(cases.map { $0["passed"] } == [true, false, true])
    #expect(
      cases[1]["differences"]?[0] == ["what": "status", "expected": "completed", "seen": "compensated [TOO_WARM]"])
    #expect(cases[1]["history"]?[1]?["call"]?["path"] == "/bookings/T-1")
    #expect(cases[2]["takesMs"] == 42_150)
    #expect(report["coverage"]?[0]?["workflow"] == "thaw v3")
    #expect(
      report["coverage"]?[0]?["missed"]?.arrayValue?.map { $0["path"] } == [
        "the undo of book fails for good", "the outcome of thaw is unknown",
      ])
  }

  @Test("--junit writes the results for CI")
  func junit() async throws {
    let folder = try Self.folder()
    let file = folder.appending(path: "results.xml")
    #expect(await TestTool().run("test", "--junit", file.path, folder.path).status == .failure)
    let xml = String(decoding: try Data(contentsOf: file), as: UTF8.self)
    #expect(
      xml.contains(#"<testsuite name="thaw v3" file="\#(folder.path)/tests/thaw.tests.json" tests="3" failures="1""#))
    #expect(
      xml.contains(#"<failure message="status: expected completed, seen compensated [TOO_WARM]" type="difference">"#))
    let unwritable = await TestTool().run("test", "--junit", "/nowhere/x.xml", folder.path)
    #expect(unwritable.complaint.contains(CLIErrorCode.fileUnwritable))
  }

  @Test("a test file with mistakes fails in JUnit's XML too")
  func junitMistakes() async throws {
    let folder = try Self.folder(tests: #"{ "workflow": "../thaw.json", "cases": [] }"#)
    let file = folder.appending(path: "results.xml")
    #expect(await TestTool().run("test", "--junit", file.path, folder.path).status == .failure)
    let xml = String(decoding: try Data(contentsOf: file), as: UTF8.self)
    #expect(xml.contains(#"tests="1" failures="1""#))
    #expect(xml.contains("has 1 to 1000 cases, not 0"))
  }

  @Test("a filter that matches nothing is a wrong usage, and a path without tests an error")
  func nothing() async throws {
    let folder = try Self.folder()
    #expect(await TestTool().run("test", "--filter", "zebra", folder.path).status == .usage)
    let empty = await TestTool().run("test", try TestFolder.new("empty").path)
    #expect(empty.status == .failure)
    #expect(empty.complaint.contains("has no test file: no name there ends in .tests.json"))
    try FileManager.default.removeItem(at: folder.appending(path: "tests"))
    let workflow = await TestTool().run("test", "\(folder.path)/thaw.json")
    #expect(
      workflow.complaint.contains("is a workflow, and its tests \(folder.path)/tests/thaw.tests.json don't exist"))
    #expect(await TestTool().run("test").status == .usage)
  }

  @Test(
    "a path that a file names is found from the folder of the file",
    arguments: [
      ("workflows/tests/a.tests.json", "../a.json", "workflows/a.json"), ("a.tests.json", "b.json", "b.json"),
      ("a.tests.json", "../b.json", "../b.json"), ("/x/tests/a.tests.json", "../a.json", "/x/a.json"),
      ("/x/a.tests.json", "/y/b.json", "/y/b.json"), ("../t/a.tests.json", "../../b.json", "../../b.json"),
      ("x/a.tests.json", "./b.json", "x/b.json"),
    ])
  func beside(_ file: String, _ name: String, _ path: String) {
    #expect(TestFiles.beside(file, name) == path)
  }
}

@Suite("saga simulate", .timeLimit(.minutes(15)), .inTurn)
struct SimulateCommandTests {
  @Test("draws a run step by step, with what is sent and what is made up")
  func drawing() async throws {
    let folder = try TestCommandTests.folder()
    let result = await TestTool().run(
      "simulate", "\(folder.path)/thaw.json", "--input", #"{"id": "T-1"}"#, "--fail", "thaw")
    #expect(result.status == .success, "\(result.complaint)")
    try Golden.expect(result.output, is: "simulate")
  }

  @Test("takes answers from a case of a test file")
  func answers() async throws {
    let folder = try TestCommandTests.folder()
    let result = await TestTool().run(
      "simulate", "\(folder.path)/thaw.json", "--tests", "\(folder.path)/tests/thaw.tests.json", "--case",
      "says nothing",
      "--json")
    #expect(result.status == .success, "\(result.complaint)")
    let run = try JSON(parsing: result.output)
    #expect(run["status"] == "compensated")
    #expect(run["madeUp"] == [])
    #expect(run["undone"] == ["book"])
    #expect(run["takesMs"] == 42_150)
    #expect(run["lines"]?.arrayValue?.last?["text"] == "compensated")
  }

  @Test("a signal comes, unless it is to time out")
  func signals() async throws {
    let text = """
      { "name": "ask", "version": 1, "steps": [ { "id": "ask", "signal": { "name": "approval" } } ], "timeout": "2h" }
      """
    let late = await TestTool(input: [text]).run("simulate", "-", "--timeout", "ask")
    #expect(late.output.contains("The saga is compensated after 2h 00m.\n"))
    let taken = await TestTool(input: [text]).run("simulate", "-")
    #expect(taken.output.contains("The saga is completed after 1m 00s.\nMade up: the input, ask.\n"))
    let given = await TestTool(input: [text]).run(
      "simulate", "-", "--answers", #"{"ask": {"ok": true}}"#, "--input", "{}")
    #expect(given.output.contains("The saga is completed after 1m 00s.\n"))
    #expect(!given.output.contains("Made up"))
  }

  @Test("an input that the schema refuses, and answers of a wrong type, are errors")
  func refused() async {
    let input = await TestTool().run("simulate", "workflows/sample-processing.json", "--input", "{}")
    #expect(input.status == .failure)
    #expect(input.complaint.contains("input.invalid"))
    let answers = await TestTool().run("simulate", "workflows/sample-processing.json", "--answers", "[]")
    #expect(answers.complaint.contains("rehearsal.badAnswers"))
  }

  @Test("a shipped workflow completes with its example, and with a made-up input")
  func shipped() async {
    let result = await TestTool().run(
      "simulate", "workflows/sample-processing.json", "--input", "workflows/examples/tube.json")
    #expect(result.output.contains("The saga is completed after 300ms.\n"))
    #expect(result.output.contains("Made up: createSample, validateSample, allocateStorage, storeSample,\n"))
    for line in result.output.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    let madeUp = await TestTool().run("simulate", "workflows/sample-processing.json", "--fail", "notify")
    #expect(
      madeUp.output.contains(
        "Undone: scheduleSequencing, storeSample, allocateStorage, validateSample,\ncreateSample.\n"))
  }

  @Test(
    "wrong usage is refused with what was meant",
    arguments: [
      (["--fail", "thwa"], "--fail names no step of the workflow: \"thwa\"; did you mean thaw?"),
      (["--case", "x"], "--case needs the file of the case"),
    ])
  func usage(_ words: [String], _ says: String) async throws {
    let result = await TestTool().run(["simulate", "\(try TestCommandTests.folder().path)/thaw.json"] + words)
    #expect(result.status == .usage)
    #expect(result.complaint.contains(says), "\(result.complaint)")
  }

  @Test("a workflow with mistakes is shown with them")
  func mistakes() async {
    let result = await TestTool(input: [#"{ "name": "x", "version": 1, "steps": [] }"#]).run("simulate", "-")
    #expect(result.status == .failure)
    #expect(result.output.contains("\"steps\" is empty"))
  }
}
