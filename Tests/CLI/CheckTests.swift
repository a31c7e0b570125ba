import Foundation
import JSON
import TestSupport
import Testing
import Workflows

@testable import saga

@Suite("saga check", .timeLimit(.minutes(15)), .inTurn)
struct CheckTests {
  static let wrong = """
    {
      "name": "hello-lab",
      "version": 1,
      "timeout": "5m",
      "steps": [
        { "id": "pause", "delay": { "for": "1s" } },
        { "id": "go", "dependsOn": ["puase"], "delay": { "for": "1s" } },
        {\t"id": "call", "http": { "service": "sample", "method": "GET", "path": "/" } }
      ]
    }
    """
  static let right = """
    { "name": "hello-lab", "version": 1, "steps": [
      { "id": "a", "delay": { "for": "1s" } },
      { "id": "b", "dependsOn": ["a"], "http": { "service": "samples", "method": "PUT", "path": "/${input.id}" },
        "compensation": { "http": { "service": "samples", "method": "DELETE", "path": "/${input.id}" } } },
      { "id": "c", "dependsOn": ["a"], "signal": { "name": "go" }, "timeout": "1m" },
      { "id": "d", "dependsOn": ["b", "c"], "delay": { "for": "1s" }, "pivot": true }
    ] }
    """

  @Test("shows each finding with its line and a caret, and counts them")
  func findings() async throws {
    let result = await TestTool(input: [Self.wrong]).run("check", "-", "--services", "samples, storage")
    #expect(result.status == .failure)
    // A finding is one line, as editors and CI read it.
    try Golden.expect(result.output, is: "check", width: 160)
  }

  @Test("accepts a valid workflow and draws it")
  func graph() async throws {
    let result = await TestTool(input: [Self.right]).run("check", "--graph", "-")
    #expect(result.status == .success)
    try Golden.expect(result.output, is: "check-graph")
  }

  @Test("draws what undoes a step: a signal, or a saga of its own")
  func undos() async {
    let text = """
      { "name": "take-in", "version": 1, "timeout": "1d", "steps": [
        { "id": "scan", "signal": { "name": "scanned" }, "timeout": "1h",
          "compensation": { "signal": { "name": "taken-out" } } },
        { "id": "load", "http": { "service": "robot", "method": "PUT", "path": "/loads/1" },
          "compensation": { "workflow": { "name": "unload" } } } ] }
      """
    let result = await TestTool(input: [text]).run("check", "--graph", "-")
    #expect(result.status == .success, "\(result.output)")
    #expect(result.output.contains("waits for signal scanned; undone by signal taken-out, for which it"))
    #expect(result.output.contains("PUT robot; undone by child saga of unload"))
  }

  @Test("draws steps over Kafka, and accepts any service name for them")
  func kafka() async throws {
    let text = """
      { "name": "thaw", "version": 1, "steps": [
        { "id": "a", "kafka": { "service": "samples", "command": "create" },
          "compensation": { "kafka": { "service": "samples", "command": "delete" } } } ] }
      """
    let result = await TestTool(input: [text]).run("check", "--graph", "-", "--services", "storage")
    #expect(result.status == .success)
    #expect(result.output.contains("●  a  samples.create over Kafka; undone by samples.delete over Kafka\n"))
  }

  @Test("--strict treats warnings as errors")
  func strict() async {
    let warned = Self.right.replacing("\"steps\"", with: "\"inputSchema\": {\"minLenght\": 1}, \"steps\"")
    let lenient = await TestTool(input: [warned]).run("check", "-")
    #expect(lenient.status == .success)
    #expect(lenient.output.contains("warning"))
    #expect(await TestTool(input: [warned]).run("check", "--strict", "-").status == .failure)
  }

  @Test("--json prints the findings as JSON")
  func json() async throws {
    let result = await TestTool(input: [Self.wrong]).run("check", "--json", "-")
    let report = try JSON(parsing: result.output)
    #expect(report[0]?["valid"] == false)
    #expect(report[0]?["findings"]?[0]?["code"]?.stringValue != nil)
    #expect(result.status == .failure)
  }

  @Test("a file that does not exist is an error with the reason", arguments: ["/nowhere/x.json", "/"])
  func missing(_ file: String) async {
    let result = await TestTool().run("check", file)
    #expect(result.status == .failure)
    #expect(result.complaint.hasPrefix("saga: can't read \(file): "))
    #expect(result.complaint.contains(CLIErrorCode.fileUnreadable))
  }
}

@Suite("The caret under a place", .timeLimit(.minutes(15)), .inTurn)
struct CaretTests {
  @Test("is under the place, with tabs and in long lines too")
  func place() {
    #expect(Caret.lines(under: 2, of: "\tab", number: 7, style: .plain) == ["    7 |  ab", "      |   ^"])
    let long = String(repeating: "x", count: 300) + "!" + String(repeating: "y", count: 300)
    let lines = Caret.lines(under: 300, of: long, number: 1, style: .plain)
    #expect(lines[0].count <= 80)
    let caret = lines[1].count - 1
    #expect(Array(lines[0])[caret] == "!")
    #expect(Caret.lines(under: 9, of: "ab", number: nil, style: .plain).count == 2)
  }
}

@Suite("saga check --explore", .timeLimit(.minutes(15)), .inTurn)
struct ExploreTests {
  /// A workflow whose first undo forgets what it is not sure of.
  private static func workflow(_ more: String = "") -> String {
    """
    { "name": "keep-tube", "version": 3, \(more) "timeout": "1h", "steps": [
      { "id": "allocate", "http": { "service": "storage", "method": "PUT", "path": "/a/${input.barcode}" },
        "compensation": { "appliesTo": ["succeeded"],
          "http": { "service": "storage", "method": "DELETE", "path": "/a/${input.barcode}" } } },
      { "id": "mail", "http": { "service": "mail", "method": "POST", "path": "/m" }, "compensation": "none" },
      { "id": "store", "http": { "service": "storage", "method": "PUT", "path": "/s/${input.barcode}" },
        "compensation": { "http": { "service": "storage", "method": "DELETE", "path": "/s/${input.barcode}" } } }
    ] }
    """
  }
  private static let invariant = #""invariants": ["compensated => undone(allocate)", "completed => succeeded(store)"],"#

  @Test("draws how every failure comes out, in 80 columns")
  func drawing() async throws {
    let result = await TestTool(input: [Self.workflow(Self.invariant)]).run("check", "--explore", "--pairs", "-")
    #expect(result.status == .failure)
    try Golden.expect(result.output, is: "check-explore")
  }

  @Test("The README shows what the command prints for the shipped workflow")
  func readme() async throws {
    let readme = String(decoding: try Repository.bytes("README.md"), as: UTF8.self)
    let excerpt = try #require(readme.components(separatedBy: "```\nstoreSample\n").dropFirst().first)
    let shown = "storeSample\n" + (excerpt.components(separatedBy: "```").first ?? "")
    let file = Repository.root.appendingPathComponent("workflows/sample-processing.json").path
    let result = await TestTool().run("check", "--explore", file)
    #expect(result.status == .success)
    #expect(result.output.contains(shown))
  }

  @Test("fails only when an invariant is broken")
  func status() async {
    #expect(await TestTool(input: [Self.workflow()]).run("check", "--explore", "-").status == .success)
    let broken = await TestTool(input: [Self.workflow(Self.invariant)]).run("check", "--explore", "-")
    #expect(broken.status == .failure)
    #expect(broken.output.contains("Broken in 3 of "))
    #expect(broken.output.contains("by: allocate: times out after it happened"))
    #expect(await TestTool(input: [Self.workflow(Self.invariant)]).run("check", "-").status == .success)
  }

  @Test("--json prints the exploration for programs")
  func json() async throws {
    let result = await TestTool(input: [Self.workflow(Self.invariant)]).run("check", "--explore", "--json", "-")
    let exploration = try #require(try JSON(parsing: result.output)[0]?["exploration"])
    #expect(exploration["answers"]?["input"] == ["barcode": "barcode-1"])
    #expect(exploration["invariants"]?[0]?["holds"] == false)
    #expect(exploration["invariants"]?[0]?["brokenBy"]?.arrayValue?.count == 3)
    #expect(exploration["invariants"]?[1]?["holds"] == true)
    #expect(exploration["neverUndone"] == [["step": "mail", "why": "saysNone"]])
    let run = try #require(exploration["runs"]?[2])
    #expect(run["faults"]?[0]?["fault"] == "timesOutHappened")
    #expect(run["end"] == "compensated")
    #expect(run["inEffect"] == ["allocate"])
    #expect(run["breaks"] == ["compensated => undone(allocate)"])
  }

  @Test("takes an input and answers, and says what is wrong with them")
  func given() async throws {
    let folder = try TestFolder.new("explore")
    func write(_ text: String, _ name: String) throws -> String {
      let file = folder.appendingPathComponent(name)
      try text.write(to: file, atomically: true, encoding: .utf8)
      return file.path
    }
    let schema = #""inputSchema": { "required": ["barcode"] },"#
    let file = try write(Self.workflow(schema), "w.json")
    let good = try write(#"{ "barcode": "TS-1" }"#, "good.json")
    let bad = try write(#"{ "name": "TS-1" }"#, "bad.json")
    let list = try write("[]", "list.json")
    let tool = TestTool()
    let fine = await tool.run("check", "--explore", "--json", "--input", good, file)
    #expect(try JSON(parsing: fine.output)[0]?["exploration"]?["answers"]?["input"] == ["barcode": "TS-1"])
    let refused = await TestTool().run("check", "--explore", "--input", bad, file)
    #expect(refused.status == .failure)
    #expect(refused.output.contains("[input.invalid]"))
    #expect(refused.output.hasSuffix("1 file checked: 1 error, 0 warnings\n"))
    let answers = await TestTool().run("check", "--explore", "--answers", list, file)
    #expect(answers.status == .failure)
    #expect(answers.complaint.contains("rehearsal.badAnswers"))
  }

  @Test(
    "Options of the exploration belong to it",
    arguments: [["--pairs"], ["--no-tombstones"], ["--input", "x.json"], ["--answers", "x.json"]])
  func options(words: [String]) async {
    let result = await TestTool(input: [Self.workflow()]).run(["check"] + words + ["-"])
    #expect(result.status == .usage)
    #expect(result.complaint.contains("belongs to --explore"))
  }

  @Test("--input is for one workflow")
  func oneFile() async {
    let result = await TestTool().run("check", "--explore", "--input", "x.json", "a.json", "b.json")
    #expect(result.status == .usage)
  }
}
