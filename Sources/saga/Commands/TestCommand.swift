import Foundation
import JSON
import Rehearsal
import SagaCore
import Values
import Workflows

let testCommand = CommandSpec(
  "test", summary: "run the tests of workflows, without a laboratory",
  about: [
    "Plays the cases of test files with the engine's own rules, in skipped time. A case says what the participants answer, "
      + "which signals and operators come and where the engine crashes. It also says what must come of it: the end, the "
      + "status of steps, the order of undos, the calls. docs/testing-workflows.md is the guide.",
    "PATH is a test file (NAME.tests.json), a workflow with its tests in the folder tests beside it, or a folder. Exit "
      + "status 1 when a case fails or a file has mistakes.",
  ],
  operands: [OperandSpec("PATH", .oneOrMore, help: "a test file, a workflow, or a folder")],
  options: [
    OptionSpec("coverage", help: "list the steps, conditions, failures and undos that no case reaches"),
    OptionSpec("junit", value: "FILE", help: "also write the results as JUnit's XML, for CI"),
    OptionSpec("filter", value: "TEXT", help: "only the cases whose names contain this"),
    OptionSpec("json", help: "print the results as JSON, for programs"),
  ],
  examples: [
    .init(says: "Run all tests of a folder", line: "saga test workflows/"),
    .init(says: "See what the tests leave out", line: "saga test --coverage workflows/sample-processing.json"),
    .init(says: "In CI", line: "saga test --junit results.xml workflows/"),
  ]
) { invocation in
  try await TestRun(invocation).run()
}

/// One call of `saga test`.
private struct TestRun {
  let invocation: Invocation

  /// The results of one file.
  struct FileResult {
    let file: TestFiles.File
    let results: [CaseResult]

    var failed: Int { results.count { !$0.isPassed } }
  }

  init(_ invocation: Invocation) { self.invocation = invocation }

  func run() async throws -> ExitStatus {
    let files = try TestFiles(invocation.arguments.operands, invocation).files
    let filter = invocation.arguments.value("filter")?.lowercased()
    var results: [FileResult] = []
    for file in files {
      let tests = file.check.tests
      let cases = (tests?.cases ?? []).filter { test in filter.map { test.name.lowercased().contains($0) } ?? true }
      let played = await computed { cases.compactMap { tests?.play($0) } }
      results.append(FileResult(file: file, results: played))
    }
    if let filter, results.allSatisfy(\.results.isEmpty), files.allSatisfy({ $0.check.errors.isEmpty }) {
      throw invocation.usage("no case has \"\(filter)\" in its name")
    }
    let coverages = invocation.arguments.has("coverage") ? Self.coverages(of: results) : []
    if invocation.json {
      invocation.terminal.line(Self.json(results, coverages).text(.pretty))
    } else {
      draw(results, coverages)
    }
    if let path = invocation.arguments.value("junit") { try write(Self.junit(results).xml, to: path) }
    let isGood = results.allSatisfy { $0.failed == 0 && $0.file.check.errors.isEmpty }
    return isGood ? .success : .failure
  }

  private func write(_ text: String, to path: String) throws {
    do {
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    } catch {
      throw CLIError(CLIErrorCode.fileUnwritable, "can't write \(path): \(error.localizedDescription)")
    }
  }

  // MARK: Coverage

  /// The coverage of each workflow by all its files, in the order of the files.
  private static func coverages(of results: [FileResult]) -> [(name: String, coverage: Coverage)] {
    var order: [String] = []
    var found: [String: (name: String, coverage: Coverage)] = [:]
    for result in results {
      guard let workflow = result.file.check.tests?.workflow, let path = result.file.workflowPath else { continue }
      if found[path] == nil {
        order.append(path)
        found[path] = (shown(workflow), Coverage(of: workflow))
      }
      for run in result.results.compactMap(\.run) { found[path]?.coverage.note(run) }
    }
    return order.compactMap { found[$0] }
  }

  private static func shown(_ workflow: WorkflowDefinition) -> String { "\(workflow.name) v\(workflow.version)" }

  // MARK: Output

  private func draw(_ results: [FileResult], _ coverages: [(name: String, coverage: Coverage)]) {
    let style = invocation.style
    for result in results {
      let file = result.file
      let source = String(decoding: file.bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
      var lines = file.check.findings.flatMap { FindingText(style: style).lines(of: $0, in: source) }
      if file.check.omitted > 0 { lines.append("\(file.path): and \(file.check.omitted) more") }
      if !result.results.isEmpty {
        let workflow = file.check.tests.map { Self.shown($0.workflow) } ?? ""
        lines.append(style.bold(file.path) + (file.path.count + workflow.count < 78 ? "  \(workflow)" : ""))
        lines += result.results.flatMap { CaseLines(style: style).lines(of: $0) }
      }
      invocation.terminal.write(lines.map { $0 + "\n" }.joined())
    }
    for (name, coverage) in coverages {
      invocation.terminal.write(
        CoverageLines(style: style).lines(of: coverage, workflow: name).map { $0 + "\n" }.joined())
    }
    let all = results.reduce(0) { $0 + $1.results.count }
    let failed = results.reduce(0) { $0 + $1.failed }
    let mistakes = results.reduce(0) { $0 + $1.file.check.errors.count }
    var counts = "\(FileReport.count(all, "case")): \(all - failed) passed, \(failed) failed"
    if mistakes > 0 { counts += "; \(FileReport.count(mistakes, "mistake")) in the files" }
    invocation.terminal.line(failed + mistakes > 0 ? style.colour(counts, .red) : counts)
  }

  private static func json(_ results: [FileResult], _ coverages: [(name: String, coverage: Coverage)]) -> JSON {
    let failed = results.reduce(0) { $0 + $1.failed }
    var members: JSONObject = [
      "passed": .int(results.reduce(0) { $0 + $1.results.count } - failed), "failed": .int(failed),
      "files": .array(results.map(json)),
    ]
    if !coverages.isEmpty {
      members["coverage"] = .array(
        coverages.map { name, coverage in
          [
            "workflow": .string(name), "paths": .int(coverage.points.count),
            "reached": .int(coverage.points.count - coverage.missed.count),
            "missed": .array(coverage.missed.map { ["step": .string($0.step), "path": .string($0.words)] }),
          ]
        })
    }
    return .object(members)
  }

  private static func json(_ result: FileResult) -> JSON {
    var members: JSONObject = ["file": .string(result.file.path)]
    if let workflow = result.file.check.tests?.workflow {
      members["workflow"] = .string(workflow.name)
      members["version"] = .int(workflow.version)
    }
    members["findings"] = .array(result.file.check.findings.map(\.json))
    if result.file.check.omitted > 0 { members["more"] = .int(result.file.check.omitted) }
    members["cases"] = .array(result.results.map(json))
    return .object(members)
  }

  private static func json(_ result: CaseResult) -> JSON {
    var members: JSONObject = [
      "name": .string(result.test.name), "line": .int(result.test.line), "passed": .bool(result.isPassed),
    ]
    if let run = result.run {
      members["status"] = .string(run.status.rawValue)
      members["takesMs"] = .int(run.duration.wholeMilliseconds)
    }
    guard !result.isPassed else { return .object(members) }
    members["differences"] = .array(
      result.differences.map { difference in
        var members: JSONObject = ["what": .string(difference.what)]
        members["expected"] = difference.expected.map(JSON.string)
        members["seen"] = .string(difference.seen)
        if !difference.details.isEmpty { members["details"] = .array(difference.details.map(JSON.string)) }
        return .object(members)
      })
    if let run = result.run { members["history"] = .array(RunStory(run).lines.map(\.json)) }
    return .object(members)
  }

  private static func junit(_ results: [FileResult]) -> JUnitReport {
    JUnitReport(
      results.map { result in
        let name = result.file.check.tests.map { shown($0.workflow) } ?? result.file.path
        var suite = JUnitReport.Suite(name: name, file: result.file.path)
        // A file with mistakes has no cases. It must not look like a file whose cases have passed.
        suite.cases = result.file.check.errors.map { finding in
          JUnitReport.Case(
            name: "the test file", line: finding.place?.line ?? 1, takes: .zero,
            failure: (finding.message, finding.description))
        }
        suite.cases += result.results.map { played in
          let failure = played.differences.first.map { first in
            (
              message: "\(first.what): \(first.expected.map { "expected \($0), " } ?? "")seen \(first.seen)",
              text: CaseLines(style: .plain).lines(of: played).joined(separator: "\n")
            )
          }
          return JUnitReport.Case(
            name: played.test.name, line: played.test.line, takes: played.run?.duration ?? .zero, failure: failure)
        }
        return suite
      })
  }
}
