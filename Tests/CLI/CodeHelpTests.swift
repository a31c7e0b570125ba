import JSON
import TestSupport
import Testing

@testable import saga

@Suite("Pages of error codes and schemas", .timeLimit(.minutes(15)), .inTurn)
struct CodeHelpTests {
  @Test("saga help CODE prints the code's page in 80 columns", arguments: CodeHelp.codes)
  func page(code: String) async throws {
    let result = await TestTool().run("help", code)
    #expect(result.status == .success)
    #expect(result.output.hasPrefix("\(code)\n"))
    for heading in ["What happened", "Why", "What to do"] { #expect(result.output.contains("\n\(heading)\n")) }
    for line in result.output.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
  }

  @Test("The page of a code that the engine answers ends with its HTTP status")
  func status() async {
    #expect(await TestTool().run("help", "saga.paused").output.hasSuffix("\nHTTP status\n\n409: The saga is paused\n"))
    #expect(await !TestTool().run("help", "cli.usage").output.contains("HTTP status"))
  }

  @Test("A misspelt code is refused with the near one")
  func misspelt() async {
    let result = await TestTool().run("help", "store.unavailabel")
    #expect(result.status == .usage)
    #expect(result.complaint.contains("there is no error code \"store.unavailabel\""))
    #expect(result.complaint.contains("saga help store.unavailable"))
  }

  @Test("saga schema prints the schema of workflows, and each other by its name")
  func schemas() async throws {
    let workflow = try JSON(parsing: await TestTool().run("schema").output)
    #expect(workflow["properties"]?["steps"] != nil)
    #expect(try JSON(parsing: await TestTool().run("schema", "workflow").output) == workflow)
    for name in SchemaNames.all.keys {
      #expect(try JSON(parsing: await TestTool().run("schema", name).output)["$schema"] != nil, "\(name)")
    }
    let names = await TestTool().run("schema", "--list").output.split(separator: "\n")
    #expect(names.contains("events/stepFailed.v1") && names.contains("stream"))
    let unknown = await TestTool().run("schema", "workflw")
    #expect(unknown.status == .usage)
    #expect(unknown.complaint.contains("did you mean workflow?"))
  }
}
