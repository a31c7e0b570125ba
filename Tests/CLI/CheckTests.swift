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
