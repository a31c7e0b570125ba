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
      "id", "description", "dependsOn", "when", "poll", "concurrency", "timeout", "remind", "expected", "retry",
      "compensation",
      "pivot", "onFailure", "forEach",
    ] + ActionReader.kinds
  static let groupKeys = ["id", "description", "dependsOn", "when", "concurrency", "timeout", "expected", "steps"]
  /// The most groups inside each other.
  static let mostLevels = 8

  /// Reads a list of steps, and the members of its groups, each group before its members.
  /// - Parameters:
  ///   - drafts: the steps that were read before. The list's own steps are added to them.
  ///   - group: the index of the group that has the list; nil for the workflow itself.
  ///   - level: the number of groups around the list.
  func steps(_ values: [JSON], at pointer: JSONPointer, into drafts: inout [StepDraft], group: Int?, level: Int) {
    var previous: Int?
    for (position, value) in values.enumerated() {
      let index = drafts.count
      let place = pointer.appending(position)
      let draft = StepDraft(index: index, pointer: place, group: group, previous: previous)
      if let group { drafts[group].members.append(index) }
      if value["steps"] != nil {
        self.group(value, draft, into: &drafts, level: level)
      } else {
        drafts.append(step(value, draft))
      }
      previous = index
    }
  }

  private func group(_ json: JSON, _ empty: StepDraft, into drafts: inout [StepDraft], level: Int) {
    var draft = empty
    defer { if drafts.count == draft.index { drafts.append(draft) } }
    guard
      let reader = ObjectReader(
        json, at: draft.pointer, what: "a group", keys: Self.groupKeys, meant: Meant.group, report: report)
    else { return }
    draft.id = reader.name("id", of: "a group", rule: .identifier)
    draft.description = reader.text("description")
    draft.dependsOn = reader.texts("dependsOn")
    draft.action = .group
    var actions = ActionReader(role: .when, services: services, report: report)
    draft.when = actions.condition("when", in: reader, role: .when)
    draft.mayBeSkipped = reader.has("when")
    draft.concurrency = actions.concurrency(in: reader, role: .turn)
    draft.uses = actions.uses
    draft.timeout = reader.duration("timeout")
    draft.expected = reader.duration("expected")
    let place = reader.pointer(to: "steps")
    guard case .array(let values)? = reader.members["steps"] else {
      if let json = reader.members["steps"] { reader.wrongType("steps", "a list", json) }
      return
    }
    if values.isEmpty {
      report.error(WorkflowErrorCode.badValue, "\"steps\" is empty: a group has at least one", at: place)
    }
    guard level < Self.mostLevels else {
      report.error(
        WorkflowErrorCode.badValue, "groups are at most \(Self.mostLevels) deep inside each other", at: place)
      return
    }
    drafts.append(draft)
    steps(values, at: place, into: &drafts, group: draft.index, level: level + 1)
  }

  private func step(_ json: JSON, _ empty: StepDraft) -> StepDraft {
    var draft = empty
    guard
      let reader = ObjectReader(
        json, at: draft.pointer, what: "a step", keys: Self.keys, meant: Meant.step, report: report)
    else { return draft }
    draft.id = reader.name("id", of: "a step", rule: .identifier)
    draft.description = reader.text("description")
    draft.dependsOn = reader.texts("dependsOn")
    draft.hasForEach = reader.has("forEach")

    var actions = ActionReader(role: .action, services: services, report: report)
    draft.action = actions.action(in: reader, of: "a step", kinds: ActionReader.kinds)
    draft.when = actions.condition("when", in: reader, role: .when)
    draft.mayBeSkipped = reader.has("when")
    let attemptTimeout = defaults.timeout ?? Step.defaultAttemptTimeout
    draft.poll = actions.poll(in: reader, lookTimeout: attemptTimeout)
    draft.forEach = actions.forEach(in: reader)
    draft.concurrency = actions.concurrency(in: reader, role: .turn)
    draft.uses = actions.uses

    let isCall = ActionReader.callKinds.contains(where: reader.has)
    let isAttempted = ActionReader.attemptKinds.contains(where: reader.has)
    draft.timeout = reader.duration("timeout") ?? (isCall && !reader.has("poll") ? attemptTimeout : nil)
    draft.remind = remind(in: reader, within: reader.has("timeout") ? reader.duration("timeout") : nil)
    draft.expected = reader.duration("expected")
    draft.retry = defaults.retry
    if let retry = reader.members["retry"] {
      draft.retry = RetryReader(report: report).rules(retry, at: reader.pointer(to: "retry"), base: defaults.policy)
    }
    if !isCall { actions.checkHeartbeat(of: reader, within: draft.timeout) }
    if !isAttempted, !reader.has("workflow"), ActionReader.kinds.contains(where: reader.has) { adviseOnWait(reader) }
    if isAttempted, reader.has("remind") {
      report.warning(
        WorkflowErrorCode.noEffect,
        "\"remind\" has no effect on a \(isCall ? "call" : "task"): people are reminded of a signal",
        at: reader.pointer(to: "remind"), .name)
    }
    if reader.has("delay") || reader.has("fail"), !isAttempted, !reader.has("signal") { draft.timeout = nil }
    if reader.has("fail"), !isAttempted, !reader.has("signal"), !reader.has("delay") { draft.concurrency = nil }
    if reader.has("workflow"), !isAttempted {
      draft.timeout = nil
      draft.remind = nil
    }

    draft.pivot = reader.bool("pivot") ?? false
    draft.onFailure = reader.word("onFailure", of: OnFailure.self, synonyms: Self.failureWords) ?? .compensate
    if case .workflow(let child)? = draft.action {
      draft.compensation = compensation(ofChild: child, in: reader)
    } else if let compensation = reader.members["compensation"] {
      draft.compensation = self.compensation(compensation, of: &draft, at: reader.pointer(to: "compensation"))
    }
    if draft.pivot, reader.has("compensation"), case .undo = draft.compensation {
      report.warning(
        WorkflowErrorCode.noEffect, "a pivot is never undone: its compensation has no effect",
        at: reader.pointer(to: "compensation"), .name)
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
      case "delay": ["retry", "timeout", "remind"]
      default: ["retry", "timeout", "remind", "expected", "compensation", "pivot", "concurrency"]
      }
    for name in idle where reader.has(name) {
      report.warning(
        WorkflowErrorCode.noEffect, "\"\(name)\" has no effect on a \(kind)", at: reader.pointer(to: name), .name)
    }
  }

  /// - Parameter timeout: the timeout of the wait that the file sets; nil when it sets none.
  func remind(in step: ObjectReader, within timeout: Duration?) -> Remind? {
    guard let json = step.members["remind"] else { return nil }
    guard
      let reader = ObjectReader(
        json, at: step.pointer(to: "remind"), what: "\"remind\"", keys: ["after", "every"], meant: Meant.remind,
        report: report)
    else { return nil }
    if !reader.has("after") { reader.missing("after", of: "\"remind\"") }
    let after = reader.duration("after")
    let every = reader.duration("every")
    if let every, every < Remind.shortestEvery {
      report.rule(
        WorkflowErrorCode.badValue,
        "\"every\" is at least \(DurationText.format(Remind.shortestEvery)), because each reminder is sent to people",
        at: reader.pointer(to: "every"))
    }
    if let after, let timeout, after >= timeout {
      report.warning(
        WorkflowErrorCode.noEffect,
        "the wait ends after \(DurationText.format(timeout)), before the first reminder: write less into \"after\"",
        at: reader.pointer(to: "after"))
    }
    return after.map { Remind(after: $0, every: every) }
  }

  /// Reads a compensation that is a string. A wrong one counts as "none", because its error says already what is wrong.
  func word(_ json: JSON, at pointer: JSONPointer) -> Compensation {
    let text = json.stringValue ?? ""
    if text == "none" { return .none }
    report.error(
      WorkflowErrorCode.badValue,
      "\"compensation\" is \"none\" or an object with what undoes the step, not \"\(text)\"",
      at: pointer, near: NearNames.nearest(to: text, among: ["none"]))
    return .none
  }

  /// Words of other engines for what follows a failure.
  private static let failureWords: [String: OnFailure] = [
    "ignore": .continue, "skip": .continue, "proceed": .continue, "fail": .compensate, "rollback": .compensate,
    "undo": .compensate, "abort": .compensate, "cancel": .compensate, "stop": .stuck, "wait": .stuck, "pause": .stuck,
    "manual": .stuck, "hold": .stuck, "block": .stuck,
  ]
}
