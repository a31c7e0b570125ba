import JSON
import SagaCore
import Values
import Workflows

/// Compares the names in a test file with the workflow.
struct CaseNames {
  /// Nil when the workflow can't be used. Then nothing is compared.
  let definition: WorkflowDefinition?
  let report: Report

  /// Reports a step that the workflow doesn't have.
  /// - Returns: the step.
  @discardableResult
  func requireStep(_ id: String, at pointer: JSONPointer, _ spot: Report.Spot = .value) -> Step? {
    guard let definition else { return nil }
    if let step = definition.step(id) { return step }
    // One item of a step with `forEach`: STEP[KEY].
    if let item = ItemID(id), let step = definition.step(item.step), step.forEach != nil { return step }
    report.error(
      RehearsalErrorCode.testsUnknownName, "the workflow \(definition.name) has no step \"\(id)\"", at: pointer, spot,
      near: NearNames.nearest(to: id, among: definition.steps.map(\.id)))
    return nil
  }

  /// Reports a step that sends no calls in this phase.
  /// - Returns: the action that is called.
  @discardableResult
  func requireCall(
    of id: String, _ phase: StepPhase, at pointer: JSONPointer, _ spot: Report.Spot = .value
  ) -> Action? {
    guard let step = requireStep(id, at: pointer, spot) else { return nil }
    switch phase {
    case .forward:
      if step.action.isAttempted { return step.action }
      let advice =
        switch step.action {
        case .signal: "it waits for a signal: write it into \"signals\""
        case .delay: "it waits for a time, which the test skips"
        case .group: "it is a group, and its members call services"
        case .fail, .http, .kafka, .task, .workflow: "it fails by itself"
        }
      report.error(
        RehearsalErrorCode.testsUnknownName, "the step \"\(id)\" calls no service, so it gets no answer: \(advice)",
        at: pointer, spot)
      return nil
    case .undo:
      guard let undo = step.undo else {
        report.error(
          RehearsalErrorCode.testsUnknownName, "the step \"\(id)\" has no compensation", at: pointer, spot)
        return nil
      }
      guard undo.action.isSignal else { return undo.action }
      report.error(
        RehearsalErrorCode.testsUnknownName,
        "the undo of the step \"\(id)\" calls no service, so it gets no answer: it waits for a signal: write it into "
          + "\"signals\"", at: pointer, spot)
      return nil
    }
  }

  /// Reports a signal for which the workflow doesn't wait.
  func requireSignal(_ name: String, at pointer: JSONPointer) {
    guard let definition else { return }
    let names = definition.steps.flatMap { step in
      var names = [step.undoSignal?.name].compactMap(\.self)
      if case .signal(let signal) = step.action { names.append(signal.name) }
      return names
    }
    guard !names.contains(name) else { return }
    report.error(
      RehearsalErrorCode.testsUnknownName, "the workflow \(definition.name) waits for no signal \"\(name)\"",
      at: pointer,
      near: NearNames.nearest(to: name, among: names))
  }
}
