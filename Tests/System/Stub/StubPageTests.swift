import Foundation
import HTTP
import JSON
import TestSupport
import Testing

/// `docs/stub.md` is carried out as it is written, on free ports, with the real engine on its embedded store.
@Suite("The page of the stub", .timeLimit(.minutes(15)), .inTurn)
struct StubPageTests {
  private static func blocks(_ language: String) throws -> [String] {
    try Repository.blocks(language, of: "docs/stub.md")
  }

  @Test("The rules, the workflow and the commands of the page do what the page says")
  func page() async throws {
    let site = try await Site(.sqlite)
    let files = try Self.blocks("json")
    try #require(files.count == 2)
    try FileManager.default.createDirectory(
      at: site.folder.appendingPathComponent("workflows"), withIntermediateDirectories: true)
    try Data(files[0].utf8).write(to: site.folder.appendingPathComponent("rules.json"))
    try Data(files[1].utf8).write(to: site.folder.appendingPathComponent("workflows/store-tube.json"))
    let stub = try await SagaProcess.listening(["stub", "rules.json", "--port", "0"], in: site.folder)
    let engine = try await SagaProcess.listening(
      ["serve", "--port", "0", "--service", "rack=\(stub.url),tombstones"], in: site.folder)

    var said: [String] = []
    var answers: [Site.Answer] = []
    for block in try Self.blocks("sh") where block != "saga stub rules.json" && !block.hasPrefix("saga serve") {
      if block.hasPrefix("curl") {
        for line in block.split(separator: "\n") { answers.append(try await curl(String(line), site, stub)) }
      } else {
        said.append(try await run(block, in: site.folder, engine))
      }
    }
    try #require(said.count == 2 && answers.count == 3)
    #expect(said[0].contains("rules.json: 5 rules, no mistakes") && said[0].contains("0 errors, 0 warnings"))
    #expect(said[1].contains("✓ completed") && said[1].contains("compensated") && said[1].contains("RACK_FULL"))

    // Each rule did its work as often as the page says.
    func happened(_ name: String) -> JSON? {
      answers[0].body["rules"]?.arrayValue?.first { $0["name"] == .string(name) }?["happened"]
    }
    #expect(happened("register") == 2 && happened("unregister") == 1 && happened("place") == 1)
    #expect(happened("rack full") == 0 && happened("take out") == 0)
    let placings = answers[0].body["calls"]?.arrayValue?.filter { $0["rule"] == "place" } ?? []
    #expect(placings.map { $0["result"] } == ["failed", "happened", "repeated"])
    #expect(placings.map { $0["dropped"] ?? false } == [false, true, false])
    #expect(Set(placings.map { $0["key"] }).count == 1)

    #expect(answers[1].status == 404 && answers[1].body["code"] == "stub.nothingToUndo")
    #expect(answers[2].status == 409 && answers[2].body["code"] == "stub.undoneBefore")
    #expect(await engine.stop() == 0)
    #expect(await stub.stop() == 0)
    await site.close()
  }

  /// Makes the request of a curl command of the page.
  private func curl(_ command: String, _ site: Site, _ stub: SagaProcess) async throws -> Site.Answer {
    let target = try #require(command.firstMatch(of: #/http://127\.0\.0\.1:8091(\S+)/#)).output.1
    let method = command.firstMatch(of: #/-X (\w+)/#).map { String($0.output.1) } ?? "GET"
    let body = try command.firstMatch(of: #/--json '([^']*)'/#).map { try JSON(parsing: String($0.output.1)) }
    var headers: [String: String] = [:]
    for match in command.matches(of: #/-H '([^:]+): ([^']+)'/#) {
      headers[String(match.output.1)] = String(match.output.2)
    }
    return try await site.call(method, "\(stub.url)\(target)", body: body, headers: headers)
  }

  /// Runs a block in a shell that finds the program as `saga`.
  private func run(_ block: String, in folder: URL, _ engine: SagaProcess) async throws -> String {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    let result = try await TestProcess.run(
      "/bin/sh", ["-c", block], in: folder,
      variables: [
        "SAGA_SERVER": engine.url, "SAGA_USER": "anna",
        "PATH": "\(URL(fileURLWithPath: TestProgram.path("saga")).deletingLastPathComponent().path):\(path)",
      ])
    return String(decoding: result.bytes, as: UTF8.self)
  }
}
