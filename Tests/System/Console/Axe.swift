import Foundation
import JSON
import Testing

/// axe-core, an independent checker of accessibility. It runs in the page, and needs nothing from elsewhere.
struct Axe: Sendable {
  private let script: String

  /// Reads it from its package.
  /// - Returns: nil when PyPI can't be reached; in continuous integration that is a failure.
  static func fromPyPI() async throws -> Axe? {
    guard let python = try await PythonEnvironment.folder(of: "axe-core-python") else { return nil }
    let libraries = python.appending(path: "lib")
    let file = try #require(
      try FileManager.default.contentsOfDirectory(atPath: libraries.path)
        .map { libraries.appending(path: "\($0)/site-packages/axe_core_python/axe.min.js") }
        .first { FileManager.default.fileExists(atPath: $0.path) }, "the package has no axe.min.js")
    return Axe(script: try String(contentsOf: file, encoding: .utf8))
  }

  /// What breaks WCAG 2.1 A and AA, or good practice. Each fault names the rule and the first elements.
  func faults(of page: ChromiumPage) async throws -> [String] {
    if try await page.run("typeof axe === 'undefined'") == true { try await page.run(script + "; 0") }
    let faults = try await page.run(
      """
      axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] })
        .then((result) => {
          if (result.passes.length < 10) return [`only ${result.passes.length} rules were applied`];
          return result.violations.map((one) => `${one.id}: ${one.help}; ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join('; ')}`);
        })
      """)
    return faults.arrayValue?.compactMap(\.stringValue) ?? ["axe gave no answer: \(faults.text())"]
  }
}
