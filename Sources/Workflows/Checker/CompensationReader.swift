import JSON
import Values

// Reads what undoes a step. `ChildReader` reads the compensation of a step that starts a child.
extension StepReader {
  private static let undoKeys =
    ActionReader.undoKinds + ["timeout", "remind", "expected", "retry", "appliesTo", "onFailure"]

  func compensation(_ json: JSON, of draft: inout StepDraft, at pointer: JSONPointer) -> Compensation {
    if case .string = json { return word(json, at: pointer) }
    let what = "a compensation"
    guard
      let reader = ObjectReader(
        json, at: pointer, what: what, keys: Self.undoKeys, meant: Meant.compensation, report: report)
    else { return .none }
    let appliesTo = outcomes(reader)
    var actions = ActionReader(role: .undo(appliesTo), services: services, report: report)
    let isCompensation = ActionReader.undoKinds.contains(where: reader.has)
    // An action that can not undo anything is an unknown member already.
    let hasOther = (ActionReader.kinds + ["steps"]).contains(where: reader.has)
    let action =
      isCompensation || !hasOther ? actions.action(in: reader, of: what, kinds: ActionReader.undoKinds) : nil
    draft.uses += actions.uses

    let given = reader.duration("timeout")
    let remind = remind(in: reader, within: given)
    let expected = reader.duration("expected")
    var retry = RetryRules(policies: [], fallback: defaults.undoPolicy)
    if let json = reader.members["retry"] {
      retry = RetryReader(report: report).rules(json, at: reader.pointer(to: "retry"), base: defaults.undoPolicy)
    }
    let onFailure = reader.word("onFailure", of: OnUndoFailure.self) ?? .stuck
    guard let action else { return .none }
    if action.isTask { actions.checkHeartbeat(of: reader, within: given) }
    advise(on: action, in: reader)
    return .undo(
      Undo(
        action: action, timeout: given ?? timeout(of: action), remind: action.isSignal ? remind : nil,
        expected: expected, retry: retry, appliesTo: appliesTo, onFailure: onFailure))
  }

  /// Returns the timeout of an undo when the file sets none; nil when only a child's own timeout limits it.
  private func timeout(of action: Action) -> Duration? {
    switch action {
    case .task, .signal: Undo.defaultWaitTimeout
    case .workflow: nil
    case .http, .kafka, .delay, .fail, .group: defaults.timeout ?? Step.defaultAttemptTimeout
    }
  }

  /// Warns of settings that have no effect on the action.
  private func advise(on action: Action, in reader: ObjectReader) {
    func warn(_ name: String, _ why: String) {
      guard reader.has(name) else { return }
      report.warning(
        WorkflowErrorCode.noEffect, "\"\(name)\" has no effect on an undo by \(why)", at: reader.pointer(to: name),
        .name)
    }
    if action.isSignal {
      warn("retry", "a signal: an operator retries the wait")
    } else {
      warn("remind", "\(action.kind): people are reminded of a signal")
    }
  }

  /// Words of other engines for the outcome of a step.
  private static let outcomeWords: [String: Outcome] = [
    "success": .succeeded, "successful": .succeeded, "completed": .succeeded, "done": .succeeded, "failure": .failed,
    "error": .failed, "timeout": .unknown,
  ]

  private func outcomes(_ reader: ObjectReader) -> Set<Outcome> {
    guard let texts = reader.texts("appliesTo", atLeast: 1) else { return Undo.defaultAppliesTo }
    return Set(
      texts.compactMap { text, pointer in
        ObjectReader.word(
          text, of: Outcome.self, named: "appliesTo", synonyms: Self.outcomeWords, at: pointer, report: report)
      })
  }
}
