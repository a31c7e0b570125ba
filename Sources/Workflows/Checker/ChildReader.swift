import JSON
import Values

extension ActionReader {
  static let workflowKeys = ["name", "version", "input", "key"]

  /// Reads a `workflow` action.
  mutating func workflow(_ json: JSON, at pointer: JSONPointer) -> WorkflowAction? {
    let what = "a workflow action"
    guard
      let reader = ObjectReader(
        json, at: pointer, what: what, keys: Self.workflowKeys, meant: Meant.child, report: report)
    else { return nil }
    let name = reader.name("name", of: what)
    let version = reader.integer("version", in: 1...Int.max, meaning: "a whole number from 1")
    let input = reader.members["input"].flatMap { template($0, at: reader.pointer(to: "input")) }
    let key = text("key", in: reader)
    if let key, key.expressions.isEmpty {
      report.rule(
        WorkflowErrorCode.badValue,
        "\"key\" is the same for every child, and one key starts one saga: write a ${…}, as ${input.barcode}",
        at: reader.pointer(to: "key"))
    }
    return name.map { WorkflowAction(name: $0, version: version, input: input, key: key) }
  }
}

extension StepReader {
  /// The members of a step that have no effect on a child: its own workflow has them.
  private static let childHasOwn = ["timeout", "retry", "remind"]

  /// Returns how a child is undone. Without `compensation` in the file, the child turns back.
  func compensation(ofChild action: WorkflowAction, in step: ObjectReader) -> Compensation {
    for name in Self.childHasOwn where step.has(name) {
      report.warning(
        WorkflowErrorCode.noEffect,
        "\"\(name)\" has no effect on a workflow action: the child's own workflow has it", at: step.pointer(to: name),
        .name)
    }
    let undone = Undo(
      action: .workflow(action.undo), retry: RetryRules(policies: [], fallback: defaults.undoPolicy))
    guard let json = step.members["compensation"] else {
      return step.members["pivot"] == .bool(true) ? .unspecified : .undo(undone)
    }
    let pointer = step.pointer(to: "compensation")
    if case .string = json { return word(json, at: pointer) }
    guard
      let reader = ObjectReader(
        json, at: pointer, what: "the compensation of a child", keys: ["expected", "retry", "onFailure"],
        meant: Meant.childCompensation, report: report)
    else { return .unspecified }
    var retry = undone.retry
    if let json = reader.members["retry"] {
      retry = RetryReader(report: report).rules(json, at: reader.pointer(to: "retry"), base: defaults.undoPolicy)
    }
    return .undo(
      Undo(
        action: undone.action, expected: reader.duration("expected"), retry: retry,
        onFailure: reader.word("onFailure", of: OnUndoFailure.self) ?? .stuck))
  }
}
