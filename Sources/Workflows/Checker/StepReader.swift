import JSON
import Values

/// The workflow's default values for its steps.
struct Defaults {
  var timeout: Duration?
  var retry = RetryRules.builtIn

  /// The values that a single policy leaves out.
  var policy: RetryPolicy {
    if let single = retry.policies.first, single.on == nil { single } else { retry.fallback }
  }

  /// The same values for an undo. An undo has more attempts, and the steps' defaults never end it early.
  var undoPolicy: RetryPolicy {
    let step = policy
    return RetryPolicy(
      maxAttempts: Undo.defaultMaxAttempts, initialInterval: step.initialInterval,
      backoffCoefficient: step.backoffCoefficient, maxInterval: step.maxInterval, jitter: step.jitter)
  }
}

/// Reads one step.
struct StepReader {
  let defaults: Defaults
  let services: KnownServices
  let report: Report

  static let keys =
    [
      "id", "description", "dependsOn", "when", "timeout", "expected", "retry", "compensation", "pivot", "onFailure",
    ] + ActionReader.kinds
  static let later = ["forEach", "concurrency"] + ActionReader.laterKinds

  func step(_ json: JSON, index: Int, at pointer: JSONPointer) -> StepDraft {
    var draft = StepDraft(index: index, pointer: pointer)
    guard
      let reader = ObjectReader(
        json, at: pointer, what: "a step", keys: Self.keys, later: Self.later, meant: Meant.step, report: report)
    else { return draft }
    draft.id = reader.name("id", of: "a step", rule: .identifier)
    draft.description = reader.text("description")
    draft.dependsOn = reader.texts("dependsOn")
    draft.hasForEach = reader.has("forEach")

    var actions = ActionReader(role: .action, services: services, report: report)
    draft.action = actions.action(in: reader, of: "a step", kinds: ActionReader.kinds)
    draft.when = actions.condition("when", in: reader, role: .when)
    draft.mayBeSkipped = reader.has("when")
    draft.uses = actions.uses

    let isCall = ActionReader.callKinds.contains(where: reader.has)
    draft.timeout = reader.duration("timeout") ?? (isCall ? defaults.timeout ?? Step.defaultAttemptTimeout : nil)
    draft.expected = reader.duration("expected")
    draft.retry = defaults.retry
    if let retry = reader.members["retry"] {
      draft.retry = RetryReader(report: report).rules(retry, at: reader.pointer(to: "retry"), base: defaults.policy)
    }
    if !isCall, ActionReader.kinds.contains(where: reader.has) { adviseOnWait(reader) }
    if reader.has("delay") || reader.has("fail"), !isCall, !reader.has("signal") { draft.timeout = nil }

    draft.pivot = reader.bool("pivot") ?? false
    draft.onFailure = reader.word("onFailure", of: OnFailure.self) ?? .compensate
    if let compensation = reader.members["compensation"] {
      draft.compensation = self.compensation(compensation, of: &draft, at: reader.pointer(to: "compensation"))
      if draft.pivot, case .undo = draft.compensation {
        report.warning(
          WorkflowErrorCode.noEffect, "a pivot is never undone: its compensation has no effect",
          at: reader.pointer(to: "compensation"), .name)
      }
    }
    return draft
  }

  /// Warns of settings that have no effect on what the engine does by itself. It is never attempted again, only its own
  /// length limits a delay, and a failure on purpose takes no time and leaves nothing to undo.
  private func adviseOnWait(_ reader: ObjectReader) {
    let kind = reader.has("signal") ? "signal" : reader.has("delay") ? "delay" : "fail"
    let idle =
      switch kind {
      case "signal": ["retry"]
      case "delay": ["retry", "timeout"]
      default: ["retry", "timeout", "expected", "compensation", "pivot"]
      }
    for name in idle where reader.has(name) {
      report.warning(
        WorkflowErrorCode.noEffect, "\"\(name)\" has no effect on a \(kind)", at: reader.pointer(to: name), .name)
    }
  }

  private func compensation(_ json: JSON, of draft: inout StepDraft, at pointer: JSONPointer) -> Compensation {
    if case .string(let text) = json {
      if text == "none" { return .none }
      report.error(
        WorkflowErrorCode.badValue,
        "\"compensation\" is \"none\" or an object with what undoes the step, not \"\(text)\"",
        at: pointer, near: NearNames.nearest(to: text, among: ["none"]))
      return .unspecified
    }
    let what = "a compensation"
    guard
      let reader = ObjectReader(
        json, at: pointer, what: what,
        keys: ActionReader.callKinds + ["timeout", "expected", "retry", "appliesTo", "onFailure"],
        later: ["signal", "delay", "fail", "forEach", "concurrency"] + ActionReader.laterKinds,
        meant: Meant.compensation,
        report: report)
    else { return .unspecified }
    let appliesTo = outcomes(reader)
    var actions = ActionReader(role: .undo(appliesTo), services: services, report: report)
    let isCall = ActionReader.callKinds.contains(where: reader.has)
    let hasLater = ["signal", "delay", "fail"].contains(where: reader.has)
    let action =
      hasLater && !isCall ? nil : actions.action(in: reader, of: what, kinds: ActionReader.callKinds)
    draft.uses += actions.uses

    let timeout = reader.duration("timeout") ?? defaults.timeout ?? Step.defaultAttemptTimeout
    let expected = reader.duration("expected")
    var retry = RetryRules(policies: [], fallback: defaults.undoPolicy)
    if let json = reader.members["retry"] {
      retry = RetryReader(report: report).rules(json, at: reader.pointer(to: "retry"), base: defaults.undoPolicy)
    }
    let onFailure = reader.word("onFailure", of: OnUndoFailure.self) ?? .stuck
    guard let action else { return .unspecified }
    return .undo(
      Undo(
        action: action, timeout: timeout, expected: expected, retry: retry, appliesTo: appliesTo, onFailure: onFailure))
  }

  private func outcomes(_ reader: ObjectReader) -> Set<Outcome> {
    guard let texts = reader.texts("appliesTo", atLeast: 1) else { return Undo.defaultAppliesTo }
    return Set(
      texts.compactMap { text, pointer in
        ObjectReader.word(text, of: Outcome.self, named: "appliesTo", at: pointer, report: report)
      })
  }
}
