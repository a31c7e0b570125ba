import Foundation
import JSON
import TestSupport
import Testing

/// The description of the API is good enough for programs that make clients from it: three generators from PyPI make
/// one each, which is imported whole and used against an engine. `docs/clients.md` shows two of them, and its commands
/// and programs are the ones that run here.
@Suite("Clients that are generated from the API's description", .timeLimit(.minutes(15)), .inTurn)
struct GeneratedClientTests {
  struct Generator: Sendable, CustomTestStringConvertible {
    /// Its name on PyPI, which the files in `Python` have, too.
    let name: String
    /// The number of its section in `docs/clients.md`; nil when the page does not show it.
    let section: Int?
    /// Its command line in the folder of the client, where `openapi.json` is.
    let command: String

    var testDescription: String { name }
  }

  static let generators = [
    Generator(
      name: "openapi-python-client", section: 0,
      command: "openapi-python-client generate --path openapi.json --meta none --output-path saga_client"),
    Generator(
      name: "datamodel-code-generator", section: 1,
      command: "datamodel-codegen --input openapi.json --input-file-type openapi --collapse-root-models "
        + "--formatters builtin --output saga_models.py"),
    Generator(
      name: "pyopenapi-gen", section: nil,
      command: "pyopenapi-gen gen openapi.json --project-root . --output-package saga_client --no-postprocess"),
  ]

  private static let scripts = PythonEnvironment.scripts

  @Test(
    "A generated client reads every answer, starts, lists, signals and operates a saga, and gets refusals",
    arguments: generators)
  func uses(_ generator: Generator) async throws {
    guard let python = try await PythonEnvironment.folder(of: generator.name) else { return }
    let site = try await Site(.sqlite)
    let engine = try await SagaProcess.listening(
      ["serve", "--store", site.engineStore, "--port", "0"], in: site.folder)
    let result: Result<Void, any Error>
    do {
      result = .success(try await Self.use(generator, python, site, engine))
    } catch {
      result = .failure(error)
    }
    _ = await engine.stop()
    await site.close()
    try result.get()
  }

  private static func use(
    _ generator: Generator, _ python: URL, _ site: Site, _ engine: SagaProcess
  ) async throws {
    let folder = site.folder.appending(path: "generated")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let description = try await site.call("GET", "\(engine.url)/openapi.json")
    try Data(description.body.bytes()).write(to: folder.appending(path: "openapi.json"))
    let words = generator.command.split(separator: " ").map(String.init)
    let made = try await run(
      python.appending(path: "bin/\(words[0])"), Array(words.dropFirst()), in: folder, python: python)
    try #require(made.status == 0, "\(made.said)")
    // A warning means that an operation or a schema was left out.
    #expect(!made.said.lowercased().contains("warning") && !made.said.contains("Unable"), "\(made.said)")
    let script = scripts.appending(path: "use_\(generator.name.replacing("-", with: "_")).py")
    let used = try await run(
      python.appending(path: "bin/python"), [script.path, engine.url], in: folder, python: python,
      modules: [folder.path, scripts.path])
    #expect(used.status == 0 && used.said.hasSuffix("used\n"), "\(used.said)")
    guard let section = generator.section else { return }
    // The second program starts a saga of the workflow that the first one registers.
    let programs = try Repository.blocks("python", of: "docs/clients.md")
    try #require(programs.count == 2)
    let workflow: JSON = [
      "name": "release-plate", "version": 1, "timeout": "1h",
      "steps": [["id": "approve", "timeout": "30m", "signal": ["name": "approval"]]],
    ]
    _ = try await site.call("POST", "\(engine.url)/v1/workflows", body: workflow)
    let program = programs[section].replacing("http://localhost:8080", with: engine.url)
    let shown = try await run(
      python.appending(path: "bin/python"), ["-c", program], in: folder, python: python, modules: [folder.path])
    let last = ["ORD-2026-0417 completed\n", "saga.ended ORD-2026-0418 compensated\n"][section]
    #expect(shown.status == 0 && shown.said.contains(" running\n") && shown.said.hasSuffix(last), "\(shown.said)")
  }

  @Test("docs/clients.md shows the commands that run here, and the versions that they are", arguments: generators)
  func page(_ generator: Generator) throws {
    guard let section = generator.section else { return }
    let block = try Repository.blocks("sh", of: "docs/clients.md")[section + 1]
    let lines = block.split(separator: "\n").map(String.init)
    #expect(lines.last == generator.command)
    let needs = try String(
      contentsOf: Self.scripts.appending(path: "\(generator.name).requirements.txt"), encoding: .utf8)
    let version = try #require(needs.split(separator: "\n").first { $0.hasPrefix("\(generator.name)==") })
    #expect(lines.contains("pip install \(version)"))
  }

  private static func run(
    _ program: URL, _ words: [String], in folder: URL? = nil, python: URL? = nil, modules: [String] = []
  ) async throws -> (status: Int32, said: String) {
    try await PythonEnvironment.run(program, words, in: folder, python: python, modules: modules)
  }
}
