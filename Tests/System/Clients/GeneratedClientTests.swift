import Foundation
import JSON
import TestSupport
import Testing

/// The description of the API is good enough for programs that make clients from it: two generators from PyPI make
/// one each, which is imported whole and used against an engine.
@Suite("Clients that are generated from the API's description", .timeLimit(.minutes(15)), .inTurn)
struct GeneratedClientTests {
  struct Generator: Sendable, CustomTestStringConvertible {
    let name: String
    /// The words of its command line. FILE is replaced by the description, FOLDER by the folder of the client.
    let words: [String]

    var testDescription: String { name }
  }

  static let generators = [
    Generator(
      name: "openapi-python-client",
      words: [
        "openapi-python-client", "generate", "--path", "FILE", "--meta", "none", "--output-path", "FOLDER/saga_client",
      ]),
    Generator(
      name: "pyopenapi-gen",
      words: [
        "pyopenapi-gen", "gen", "FILE", "--project-root", "FOLDER", "--output-package", "saga_client",
        "--no-postprocess",
      ]),
  ]

  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  private static let scripts = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Python")

  @Test(
    "A generated client starts, reads, signals and operates a saga, and gets refusals", arguments: generators
  )
  func uses(_ generator: Generator) async throws {
    guard let python = try await Self.environment(for: generator) else { return }
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
    let file = root.appending(path: "docs/schema/openapi.json")
    let words = generator.words.map {
      $0.replacing("FILE", with: file.path).replacing("FOLDER", with: folder.path)
    }
    let made = try await run(python.appending(path: "bin/\(words[0])"), Array(words.dropFirst()), python: python)
    try #require(made.status == 0, "\(made.said)")
    // A warning means that an operation or a schema was left out.
    #expect(!made.said.lowercased().contains("warning") && !made.said.contains("Unable"), "\(made.said)")
    let script = scripts.appending(path: "use_\(generator.name.replacing("-", with: "_")).py")
    let used = try await run(
      python.appending(path: "bin/python"), [script.path, engine.url], python: python,
      modules: [folder.path, scripts.path])
    #expect(used.status == 0 && used.said.hasSuffix("used\n"), "\(used.said)")
  }

  /// The folder of a Python environment with the generator in it, kept in `.build` until its needs change.
  /// - Returns: nil when PyPI can't be reached; in continuous integration that is a failure.
  private static func environment(for generator: Generator) async throws -> URL? {
    let needs = scripts.appending(path: "\(generator.name).requirements.txt")
    let text = try String(contentsOf: needs, encoding: .utf8)
    let folder = root.appending(path: ".build/python/\(generator.name)")
    let mark = folder.appending(path: "needs.txt")
    if (try? String(contentsOf: mark, encoding: .utf8)) == text { return folder }
    try? FileManager.default.removeItem(at: folder)
    try FileManager.default.createDirectory(
      at: folder.deletingLastPathComponent(), withIntermediateDirectories: true)
    let made = try await run(URL(fileURLWithPath: "/usr/bin/env"), ["python3", "-m", "venv", folder.path])
    try #require(made.status == 0, "No Python environment; run scripts/install-needs test. \(made.said)")
    let installed = try await run(
      folder.appending(path: "bin/pip"),
      ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", needs.path])
    guard installed.status == 0 else {
      let what: Comment =
        "\(generator.name) could not be installed, so that no client was generated: is PyPI out of reach? \(installed.said)"
      if Site.isCI { Issue.record(what) } else { Issue.record(what, severity: .warning) }
      return nil
    }
    try text.write(to: mark, atomically: true, encoding: .utf8)
    return folder
  }

  private static func run(
    _ program: URL, _ words: [String], python: URL? = nil, modules: [String] = []
  ) async throws -> (status: Int32, said: String) {
    var variables = ["PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": modules.joined(separator: ":")]
    if let python {
      variables["PATH"] = "\(python.path)/bin:\(ProcessInfo.processInfo.environment["PATH"] ?? "")"
    }
    let result = try await TestProcess.run(program.path, words, variables: variables)
    return (result.status, String(decoding: result.bytes, as: UTF8.self))
  }
}
