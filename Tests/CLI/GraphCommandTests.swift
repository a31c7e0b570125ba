import Foundation
import JSON
import TestSupport
import Testing

@testable import saga

@Suite("saga graph", .timeLimit(.minutes(15)), .inTurn)
struct GraphCommandTests {
  @Test("prints Mermaid unless another format is wanted")
  func formats() async {
    let mermaid = await TestTool(input: [CheckTests.right]).run("graph", "-")
    #expect(mermaid.status == .success)
    #expect(mermaid.output.hasPrefix("---\ntitle: \"hello-lab v1\"\n---\nflowchart LR\n  s0(\"a<br/>delay\")\n"))
    let svg = await TestTool(input: [CheckTests.right]).run("graph", "-", "--format", "svg")
    #expect(svg.output.hasPrefix("<svg xmlns="))
    #expect(svg.output.hasSuffix("</svg>\n"))
  }

  @Test("draws every shipped workflow")
  func shipped() async throws {
    for file in try Repository.names(in: "workflows", ending: ".json") {
      let path = Repository.root.appendingPathComponent("workflows/\(file)").path
      #expect(await TestTool().run("graph", path).status == .success, "\(file)")
      #expect(await TestTool().run("graph", path, "--format", "svg").status == .success, "\(file)")
    }
  }

  @Test("--output replaces the file")
  func output() async throws {
    let file = try TestFolder.new("graph").appendingPathComponent("a.svg")
    try "old".write(to: file, atomically: true, encoding: .utf8)
    let result = await TestTool(input: [CheckTests.right]).run("graph", "-", "--format", "svg", "--output", file.path)
    #expect(result.output == "\(file.path): 4 steps of hello-lab v1\n")
    #expect(try String(contentsOf: file, encoding: .utf8).hasPrefix("<svg xmlns="))
    let nowhere = await TestTool(input: [CheckTests.right]).run("graph", "-", "--output", "/nowhere/a.mmd")
    #expect(nowhere.status == .failure)
    #expect(nowhere.complaint.contains("code cli.fileUnwritable"))
  }

  @Test("does not draw a file with errors, and prints them")
  func errors() async {
    let result = await TestTool(input: [CheckTests.wrong]).run("graph", "-")
    #expect(result.status == .failure)
    #expect(result.output.isEmpty)
    #expect(result.complaint.contains("there is no step \"puase\" (did you mean \"pause\"?) [workflow.unknownStep]"))
    #expect(result.complaint.hasSuffix("<stdin>: 1 error\n"))
  }

  @Test("refuses an unknown format with the one that was meant")
  func unknownFormat() async {
    let result = await TestTool(input: [CheckTests.right]).run("graph", "-", "--format", "mermade")
    #expect(result.status == .usage)
    #expect(result.complaint.contains("--format is mermaid or svg, not \"mermade\"; did you mean mermaid?"))
  }
}
