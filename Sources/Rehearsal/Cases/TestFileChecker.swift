import JSON
import SagaCore
import Values
import Workflows

/// The result of checking a test file.
package struct TestFileCheck: Sendable {
  /// Nil when there is an error.
  package let tests: TestFile?
  /// In the order of the file.
  package let findings: [Finding]
  /// The number of further findings.
  package let omitted: Int
  /// The path of the workflow, as the file writes it; nil when it has none.
  package let workflow: String?

  package var errors: [Finding] { findings.filter { $0.severity == .error } }
}

/// The workflow that a test file names.
package enum WorkflowSource: Sendable {
  case definition(WorkflowDefinition)
  /// Why it can't be used: one sentence without its end.
  case unusable(String)
}

/// Reads a test file and reports all its mistakes.
package enum TestFileChecker {
  /// - Parameters:
  ///   - bytes: the file.
  ///   - file: its name, for the findings.
  ///   - workflow: loads the workflow from the path that the file writes.
  package static func check(
    _ bytes: [UInt8], file: String? = nil, workflow: @escaping (String) -> WorkflowSource
  ) -> TestFileCheck {
    let opened: OpenedFile
    do throws(UnreadableFile) {
      opened = try OpenedFile(bytes, file: file, atMost: TestFile.maxBytes, code: RehearsalErrorCode.testsInvalid)
    } catch {
      return TestFileCheck(tests: nil, findings: [error.finding], omitted: 0, workflow: nil)
    }
    let (document, report) = (opened.document, opened.report)
    let reader = TestFileReader(document: document, report: report, load: workflow)
    let (tests, path) = reader.tests()
    return TestFileCheck(
      tests: report.hasErrors ? nil : tests, findings: report.inOrder(), omitted: report.omitted, workflow: path)
  }
}

/// Reads the whole file.
private struct TestFileReader {
  let document: JSONDocument
  let report: Report
  let load: (String) -> WorkflowSource

  func tests() -> (tests: TestFile?, workflow: String?) {
    let what = "a test file"
    guard
      let reader = ObjectReader(
        document.root, at: .root, what: what, keys: ["$schema", "description", "workflow", "defaults", "cases"],
        meant: TestWords.file, report: report)
    else { return (nil, nil) }
    _ = reader.text("$schema")
    _ = reader.text("description")
    let (definition, path) = workflow(in: reader)
    let cases = cases(in: reader, definition)
    guard let definition, let cases else { return (nil, path) }
    return (TestFile(workflow: definition, cases: cases), path)
  }

  private func workflow(in reader: ObjectReader) -> (definition: WorkflowDefinition?, path: String?) {
    guard reader.has("workflow") else {
      reader.missing("workflow", of: "a test file")
      return (nil, nil)
    }
    guard let path = reader.text("workflow") else { return (nil, nil) }
    switch load(path) {
    case .definition(let definition): return (definition, path)
    case .unusable(let why):
      report.error(
        RehearsalErrorCode.testsWorkflow, "the workflow \"\(path)\" can't be used: \(why)",
        at: reader.pointer(to: "workflow"))
      return (nil, path)
    }
  }

  private func cases(in reader: ObjectReader, _ definition: WorkflowDefinition?) -> [TestCase]? {
    let defaults = CaseReader(definition: definition, report: report).defaults(in: reader)
    guard let json = reader.members["cases"] else {
      reader.missing("cases", of: "a test file")
      return nil
    }
    guard case .array(let values) = json else {
      reader.wrongType("cases", "a list of cases", json)
      return nil
    }
    let pointer = reader.pointer(to: "cases")
    guard (1...TestFile.maxCases).contains(values.count) else {
      report.error(
        RehearsalErrorCode.testsInvalid, "\"cases\" has 1 to \(TestFile.maxCases) cases, not \(values.count)",
        at: pointer)
      return nil
    }
    var names: Set<String> = []
    var cases: [TestCase] = []
    let caseReader = CaseReader(definition: definition, report: report)
    for (index, value) in values.enumerated() {
      let place = pointer.appending(index)
      let line = document.place(of: place)?.line ?? 1
      guard let read = caseReader.read(value, at: place, line: line, defaults: defaults) else { continue }
      if !names.insert(read.name).inserted {
        report.error(
          RehearsalErrorCode.testsInvalid, "two cases have the name \"\(read.name)\"", at: place.appending("name"))
      }
      cases.append(read)
    }
    return cases
  }
}

/// What an author probably means by a member that an object of a test file doesn't have.
enum TestWords {
  static let file: [String: Meant] = [
    "file": .word("workflow"), "definition": .word("workflow"), "tests": .word("cases"), "test": .word("cases"),
    "input": .says("write it into \"defaults\", for all cases, or into a case"),
    "answers": .says("write them into \"defaults\", for all cases, or into a case"),
    "undo": .says("write it into \"defaults\", for all cases, or into a case"),
    "expect": .says("each case has its own \"expect\""),
  ]

  static let testCase: [String: Meant] = [
    "title": .word("name"), "id": .word("name"), "given": .word("input"), "mocks": .word("answers"),
    "responses": .word("answers"), "replies": .word("answers"), "compensation": .word("undo"),
    "compensations": .word("undo"), "undos": .word("undo"), "then": .word("expect"), "expected": .word("expect"),
    "expects": .word("expect"), "signal": .word("signals"), "operator": .word("operators"), "acts": .word("operators"),
    "crash": .word("crashes"), "idempotencyKey": .word("key"), "startedAt": .word("startAt"), "now": .word("startAt"),
    "status": .says("write it inside \"expect\""),
  ]

  static let answer: [String: Meant] = [
    "statusCode": .word("status"), "code": .says("write it inside \"fail\""),
    "message": .says("write it inside \"fail\""), "error": .word("fail"), "failure": .word("fail"),
    "result": .word("output"), "delay": .word("after"), "takes": .word("after"), "times": .word("after"),
    "response": .word("status"), "timesOut": .word("timeout"),
  ]

  static let failure: [String: Meant] = [
    "error": .word("code"), "reason": .word("message"), "detail": .word("message"), "retry": .word("retryable"),
  ]

  static let signal: [String: Meant] = [
    "signal": .word("name"), "data": .word("body"), "payload": .word("body"), "time": .word("at"),
    "from": .word("by"), "user": .word("by"), "actor": .word("by"), "expect": .word("refused"),
    "id": .word("key"),
  ]

  static let act: [String: Meant] = [
    "after": .word("at"), "time": .word("at"), "action": .word("verb"), "user": .word("actor"),
    "operator": .word("actor"), "resolution": .word("outcome"), "why": .word("reason"), "id": .word("step"),
  ]

  static let crash: [String: Meant] = [
    "after": .word("at"), "time": .word("at"), "point": .word("when"), "for": .word("downtime"),
  ]

  static let expectation: [String: Meant] = [
    "state": .word("status"), "result": .word("output"), "code": .word("error"), "failed": .word("failedStep"),
    "step": .word("failedStep"), "calls": .word("sent"), "undo": .word("undone"), "compensated": .word("undone"),
    "duration": .word("takes"), "time": .word("takes"), "left": .word("remains"), "inEffect": .word("remains"),
  ]

  static let step: [String: Meant] = [
    "state": .word("status"), "tries": .word("attempts"), "code": .word("error"), "undoTries": .word("undoAttempts"),
  ]

  static let call: [String: Meant] = [
    "id": .word("step"), "url": .word("path"), "idempotencyKey": .word("key"), "params": .word("query"),
    "phase": .says("\"undo\": true is a call that undoes the step"), "contains": .word("bodyIncludes"),
    "bodyContains": .word("bodyIncludes"), "payload": .word("body"),
  ]
}
