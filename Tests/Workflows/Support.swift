import JSON
import Testing

@testable import Workflows

/// A finding as tests compare it: code, pointer, line, column, and near name.
struct Found: Equatable, CustomStringConvertible {
  let code: String
  let pointer: String
  let line: Int
  let column: Int
  let near: String?

  init(_ code: String, _ pointer: String, _ line: Int, _ column: Int, near: String? = nil) {
    self.code = code
    self.pointer = pointer
    self.line = line
    self.column = column
    self.near = near
  }

  init(_ finding: Finding) {
    self.init(
      finding.code, finding.pointer.description, finding.place?.line ?? 0, finding.place?.column ?? 0,
      near: finding.nearName)
  }

  var description: String {
    "Found(\"\(code)\", \"\(pointer)\", \(line), \(column)\(near.map { ", near: \"\($0)\"" } ?? ""))"
  }
}

/// A workflow that is right, with lines put in, so that a test shows only what it is about.
enum Sample {
  /// - Parameters:
  ///   - steps: the text of the list of steps, from line 2, column 11 on.
  ///   - more: more members of the workflow, each followed by a comma; they are in line 1.
  static func workflow(_ steps: String, more: String = "") -> String {
    "{ \"name\": \"w\", \"version\": 1, \(more)\n\"steps\": \(steps)\n}"
  }

  /// A step that reads and changes nothing.
  static func get(_ id: String, _ more: String = "") -> String {
    "{ \"id\": \"\(id)\", \"http\": { \"service\": \"s\", \"method\": \"GET\", \"path\": \"/x\" }\(more) }"
  }
}

func check(_ text: String, services: Set<String>? = nil, kafkaServices: Set<String>? = nil) -> CheckResult {
  WorkflowChecker.check(Array(text.utf8), file: "w.json", services: services, kafkaServices: kafkaServices)
}

func errors(_ text: String, services: Set<String>? = nil, kafkaServices: Set<String>? = nil) -> [Found] {
  check(text, services: services, kafkaServices: kafkaServices).errors.map { Found($0) }
}

func warnings(_ text: String) -> [Found] { check(text).warnings.map { Found($0) } }

func definition(_ text: String) throws -> WorkflowDefinition {
  let result = check(text)
  return try #require(result.definition, "\(result.findings)")
}
