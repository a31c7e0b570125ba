import JSON
import JSONSchema

/// Checks the children that a workflow starts, where the workflows of several files are known.
public struct ChildCheck {
  /// The newest version of each workflow.
  private let known: [String: WorkflowDefinition]

  /// - Parameter definitions: all workflows that are checked together.
  public init(_ definitions: [WorkflowDefinition]) {
    known = Dictionary(
      definitions.map { ($0.name, $0) }, uniquingKeysWith: { $0.version >= $1.version ? $0 : $1 })
  }

  /// Returns the findings in a workflow's children, in the order of the file.
  /// - Parameters:
  ///   - bytes: the file of the workflow.
  ///   - file: its name, for the findings.
  public func findings(in definition: WorkflowDefinition, _ bytes: [UInt8], file: String?) -> [Finding] {
    let opened: OpenedFile
    do throws(UnreadableFile) {
      opened = try OpenedFile(
        bytes, file: file, atMost: WorkflowChecker.maxBytes, tooLarge: WorkflowErrorCode.tooLarge, codes: .workflow)
    } catch {
      return [error.finding]
    }
    for step in definition.steps {
      if let child = step.undoWorkflow {
        check(child, at: step.pointer.appending("compensation").appending("workflow"), opened.report)
      }
      guard case .workflow(let child) = step.action else { continue }
      let pointer = step.pointer.appending("workflow")
      if !Self.hasCondition(step, in: definition), let ring = ring(from: child.name, to: definition.name) {
        opened.report.warning(
          WorkflowErrorCode.startsItself,
          "\(definition.name) starts itself: \(([definition.name] + ring).joined(separator: " → ")); a saga has at most 8 "
            + "sagas above it", at: pointer.appending("name"))
      }
      check(child, at: pointer, opened.report)
    }
    return opened.report.inOrder()
  }

  /// Checks an input without `${…}` against the schema of the child.
  private func check(_ child: WorkflowAction, at pointer: JSONPointer, _ report: Report) {
    guard let target = known[child.name], child.version ?? target.version == target.version,
      let schema = target.inputSchema?.compiled, child.input?.expressions.isEmpty ?? true
    else { return }
    do {
      let verdict = try schema.validate(child.input?.source ?? [:])
      for violation in verdict.violations {
        report.error(
          WorkflowErrorCode.childInput,
          "\(target.name) version \(target.version) doesn't take this input: \(violation.message)",
          at: child.input == nil ? pointer : pointer.appending("input").appending(violation.instance))
      }
    } catch {
      // The check of the input exceeds its budget. The start of the child decides.
      return
    }
  }

  /// Returns the way from a workflow to another one over steps that have no condition; nil when there is none.
  private func ring(from start: String, to end: String) -> [String]? {
    var ways: [[String]] = [[start]]
    var seen: Set<String> = [start]
    while let way = ways.first {
      ways.removeFirst()
      if way.last == end { return way }
      guard let last = way.last, let definition = known[last] else { continue }
      for step in definition.steps {
        guard case .workflow(let child) = step.action, !Self.hasCondition(step, in: definition),
          seen.insert(child.name).inserted
        else { continue }
        ways.append(way + [child.name])
      }
    }
    return nil
  }

  /// Returns whether a step, or a group around it, has a condition.
  private static func hasCondition(_ step: Step, in definition: WorkflowDefinition) -> Bool {
    var current: Step? = step
    while let one = current {
      if one.when != nil { return true }
      current = one.group.flatMap(definition.step)
    }
    return false
  }
}

extension CheckResult {
  /// Returns the result with further findings of the same file.
  public func adding(_ more: [Finding]) -> CheckResult {
    if more.isEmpty { return self }
    return CheckResult(definition: definition, findings: findings + more, omitted: omitted)
  }
}
