import JSON
import Persistence
import SagaCore
import WorkflowEngine

/// The sentences of notices that no `Explanation` has: on operations, and on sagas that this version cannot read.
enum NoticeWords {
  /// Returns the subject of a notice about a saga: `Tube TS-100042 (saga 019c… of sample-processing)`, or
  /// `Saga 019c… of sample-processing` without a title.
  static func subject(_ saga: SagaAsOf, _ stored: StoredEvent) -> String {
    let words = "\(stored.stream)" + (saga.workflow.map { " of \($0)" } ?? "")
    return saga.start?.title.map { "\($0.clippedToLine()) (saga \(words))" } ?? "Saga \(words)"
  }

  /// Returns the meaning of an event, for a saga whose events cannot all be read.
  static func unread(_ type: NoticeType, _ event: String, _ data: JSON, _ subject: String) -> String {
    switch type {
    case .sagaStuck:
      let phase: StepPhase = event == "undoFailed" ? .undo : .forward
      guard event == "undoFailed" || event == "stepFailed", let step = data["step"]?.stringValue,
        let failure = data["failure"]
      else { break }
      let failed = Explanation.Words.failed(
        step, phase, failure["message"]?.stringValue ?? "", failure["code"]?.stringValue)
      return "\(subject) is stuck because \(failed)."
    case .sagaAbandoned:
      return "\(subject) was abandoned " + Explanation.Words.act(data["by"]?.stringValue, data["reason"]?.stringValue)
        + "."
    case .sagaOverdue, .sagaReminder, .sagaCompleted, .sagaCompensated, .sagaOutputIncomplete, .approvalNeeded,
      .operationFinished, .test:
      break
    }
    return "\(subject) \(claim(type)). This version cannot read its history; `saga events` shows what happened."
  }

  private static func claim(_ type: NoticeType) -> String {
    switch type {
    case .sagaStuck: "is stuck"
    case .sagaOverdue: "is overdue"
    case .sagaReminder: "waits for a signal"
    case .sagaCompleted: "is completed"
    case .sagaAbandoned: "was abandoned"
    case .sagaCompensated: "is compensated"
    case .sagaOutputIncomplete: "is completed, but a part of its output is null"
    case .approvalNeeded, .operationFinished, .test: "needs an operator"
    }
  }

  static func operation(_ type: NoticeType, _ data: JSON, id: String) -> String {
    let verb = data["verb"]?.stringValue ?? "change"
    let sagas = data["sagas"]?.intValue.map { "\($0) saga\($0 == 1 ? "" : "s")" } ?? "many sagas"
    if type == .approvalNeeded {
      let by = (data["by"]?.stringValue ?? "Someone").clippedToLine()
      return "\(by) wants to \(verb) \(sagas)\(Explanation.Words.quoted(data["reason"]?.stringValue)). "
        + "A second person must approve operation \(id)."
    }
    let counts = ["done", "refused"].compactMap { name in data[name]?.intValue.map { "\($0) \(name)" } }
    let shown = counts.isEmpty ? "" : ": \(counts.joined(separator: ", "))"
    return "Operation \(id)\(data["verb"] == nil ? "" : " (\(verb))") is finished\(shown)."
  }
}
