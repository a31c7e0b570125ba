import Foundation
import JSON
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import saga

@Suite("Seal keys, and forgetting, on the command line", .timeLimit(.minutes(15)), .inTurn)
struct SealCommandTests {
  private let path: String

  init() throws { path = try TestFolder.new("seal-keys").appendingPathComponent("seal-keys.json").path }

  private func run(_ words: String...) async -> TestTool.Result {
    await TestTool().run(["seal-key", words[0], "--seal-keys", path] + words.dropFirst())
  }

  @Test("A key makes its file, a second one becomes the current one, and the first one can be removed")
  func life() async throws {
    #expect(await run("list").status == .failure)
    let first = await run("create")
    #expect(first.status == .success && first.output == "Key k-2026-03-01 is the current one in \(path).\n")
    #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
    let secret = try #require(try SealKeyFile(path: path).read().bytes.firstRange(of: Array("\"key\"".utf8)))
    #expect(!secret.isEmpty)
    let second = await run("create", "--json")
    #expect(try JSON(parsing: Array(second.output.utf8))["id"] == "k-2026-03-01.2")
    #expect(await run("remove", "k-2026-03-01.2").complaint.contains("current"))
    #expect(await run("remove", "k-9").status == .failure)
    #expect(await run("remove", "k-2026-03-01").status == .success)
    let listed = await run("list")
    #expect(listed.output.contains("k-2026-03-01.2  current") && !listed.output.contains("older"))
    let keys = try JSON(parsing: [UInt8](Data(contentsOf: URL(fileURLWithPath: path))))["keys"]?.arrayValue ?? []
    let text = try #require(keys.first?["key"]?.stringValue)
    #expect(keys.count == 1 && Base64URL.decode(text)?.count == 32)
    #expect(!listed.output.contains(text) && !second.output.contains(text))
  }

  @Test("A file that other users can read is refused")
  func rights() async throws {
    _ = await run("create")
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
    #expect(await run("list").complaint.contains("chmod"))
    #expect(await TestTool().run("serve", "--seal-keys", path).complaint.contains("chmod"))
  }

  @Test("forget sends its reason, and wants one")
  func forget() async throws {
    let tool = TestTool(answers: [.json(try Golden.saga("completed"))])
    let id = ClientCommandTests.id
    let result = await tool.run(["forget", id, "--reason", "consent withdrawn", "--user", "anna"])
    #expect(result.status == .success, "\(result.complaint)")
    #expect(tool.requests[0].url.hasSuffix("/v1/sagas/\(id)/forget"))
    #expect(tool.requests[0].request.json == ["reason": "consent withdrawn"])
    #expect(tool.requests[0].request.header("Idempotency-Key")?.isEmpty == false)
    let without = await TestTool().run("forget", id)
    #expect(without.status == .usage && without.complaint.contains("wants --reason TEXT"))
  }
}
