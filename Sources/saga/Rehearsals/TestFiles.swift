import Foundation
import JSON
import Rehearsal
import Workflows

/// The test files that a command line names, read and checked.
struct TestFiles {
  /// The end of a test file's name.
  static let ending = ".tests.json"
  /// The most test files of one command.
  private static let most = 10_000

  struct File {
    let path: String
    let bytes: [UInt8]
    let check: TestFileCheck
    /// The path of the workflow from the current folder; nil when the file has none.
    let workflowPath: String?
  }

  let files: [File]

  /// - Parameter paths: test files, workflows whose tests are in the folder `tests` beside them, and folders.
  init(_ paths: [String], _ invocation: Invocation) throws {
    var found: [String] = []
    for path in paths {
      for file in try Self.files(at: path, invocation) where !found.contains(file) { found.append(file) }
    }
    guard found.count <= Self.most else {
      throw CLIError(
        CLIErrorCode.inputInvalid, "\(found.count) test files are more than the \(Self.most) of one command")
    }
    files = try found.map { path in
      let bytes = try invocation.bytes(of: path)
      let check = TestFileChecker.check(bytes, file: path) { Self.workflow(Self.beside(path, $0)) }
      return File(
        path: path, bytes: bytes, check: check, workflowPath: check.workflow.map { Self.beside(path, $0) })
    }
  }

  private static func files(at path: String, _ invocation: Invocation) throws -> [String] {
    if path == "-" {
      throw invocation.usage("test reads no standard input: a test file finds its workflow by its own place")
    }
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      return try files(inFolder: path)
    }
    if path.hasSuffix(ending) { return [path] }
    // A workflow has its tests in the folder beside it. A file that is not JSON is a test file with a mistake.
    let bytes = try invocation.bytes(of: path)
    guard let json = try? JSON(parsing: bytes), json["steps"]?.arrayValue != nil else { return [path] }
    let name = (path as NSString).lastPathComponent
    let tests = beside(path, "tests/\((name as NSString).deletingPathExtension)\(ending)")
    guard FileManager.default.fileExists(atPath: tests) else {
      throw CLIError(
        CLIErrorCode.fileUnreadable, "\(path) is a workflow, and its tests \(tests) don't exist",
        advice: ["see docs/testing-workflows.md"])
    }
    return [tests]
  }

  /// Returns the test files of a folder and of the folders inside it, in order.
  private static func files(inFolder path: String) throws -> [String] {
    let inside: [String]
    do {
      inside = try FileManager.default.subpathsOfDirectory(atPath: path)
    } catch {
      throw CLIError(CLIErrorCode.fileUnreadable, "can't read \(path): \(error.localizedDescription)")
    }
    let found = inside.filter { $0.hasSuffix(ending) }.sorted()
    guard !found.isEmpty else {
      throw CLIError(
        CLIErrorCode.fileUnreadable, "\(path) has no test file: no name there ends in \(ending)",
        advice: ["see docs/testing-workflows.md"])
    }
    let folder = path.hasSuffix("/") ? path : path + "/"
    return found.map { folder + $0 }
  }

  /// Returns the path of a file that another file names.
  static func beside(_ path: String, _ name: String) -> String {
    if name.hasPrefix("/") { return name }
    let folder = (path as NSString).deletingLastPathComponent
    let joined = folder.isEmpty ? name : "\(folder)/\(name)"
    // `a/tests/../b.json` is `a/b.json`.
    var parts: [Substring] = []
    for part in joined.split(separator: "/", omittingEmptySubsequences: false) {
      if part == "..", let last = parts.last, last != "..", !last.isEmpty {
        parts.removeLast()
      } else if part != "." {
        parts.append(part)
      }
    }
    return parts.joined(separator: "/")
  }

  private static func workflow(_ path: String) -> WorkflowSource {
    guard let data = FileManager.default.contents(atPath: path) else { return .unusable("there is no file \(path)") }
    let result = WorkflowChecker.check([UInt8](data), file: path)
    if let definition = result.definition { return .definition(definition) }
    return .unusable(
      "\(path) has \(FileReport.count(result.errors.count + result.omitted, "mistake")), see `saga check \(path)`")
  }
}
