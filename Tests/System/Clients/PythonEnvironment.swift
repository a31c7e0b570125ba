import Foundation
import TestSupport
import Testing

/// Packages from PyPI that tests use, each in an environment of its own.
enum PythonEnvironment {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  /// The folder of the scripts, and of a file of needs for each package.
  static let scripts = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Python")

  /// The folder of a Python environment with a package in it, kept in `.build` until its needs change.
  /// - Returns: nil when PyPI can't be reached; in continuous integration that is a failure.
  static func folder(of name: String) async throws -> URL? {
    let needs = scripts.appending(path: "\(name).requirements.txt")
    let text = try String(contentsOf: needs, encoding: .utf8)
    let folder = root.appending(path: ".build/python/\(name)")
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
        "\(name) could not be installed, so that nothing was tested with it: is PyPI out of reach? \(installed.said)"
      if Site.isCI { Issue.record(what) } else { Issue.record(what, severity: .warning) }
      return nil
    }
    try text.write(to: mark, atomically: true, encoding: .utf8)
    return folder
  }

  /// Runs a program to its end.
  /// - Parameter python: the environment whose programs it finds.
  static func run(
    _ program: URL, _ words: [String], in folder: URL? = nil, python: URL? = nil, modules: [String] = []
  ) async throws -> (status: Int32, said: String) {
    var variables = ["PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": modules.joined(separator: ":")]
    if let python {
      variables["PATH"] = "\(python.path)/bin:\(ProcessInfo.processInfo.environment["PATH"] ?? "")"
    }
    let result = try await TestProcess.run(program.path, words, in: folder, variables: variables)
    return (result.status, String(decoding: result.bytes, as: UTF8.self))
  }
}
