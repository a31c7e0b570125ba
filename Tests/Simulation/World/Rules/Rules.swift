import JSON
import SagaCore
import Values
import WorkflowEngine

/// Holds one run against the rules: what is stored, what the participants' books show, and what people were answered.
struct Rules {
  struct SagaRecord {
    let id: UniqueID
    let name: String
    let workflow: WorkflowPlan
    let flags: [Bool]
    /// The keys of the items of each step with `forEach`.
    let items: [String: [String]]
    let facts: [Fact]
  }
  let sagas: [SagaRecord]
  let calls: [Books.Call]
  let effects: [String: Books.Effect]
  let answers: [Answer]
  /// When the engine got the store's answer to a question for a turn, by saga and version.
  let turnsKnown: [String: Timestamp]
  let now: Timestamp

  func check() -> [Violation] {
    var violations: [Violation] = []
    var accounts: [UniqueID: Account] = [:]
    for saga in sagas {
      var account = Account(name: saga.name, workflow: saga.workflow, flags: saga.flags, items: saga.items)
      for fact in saga.facts { account.take(fact) }
      account.standsStill(at: now)
      violations += account.violations
      accounts[saga.id] = account
      violations += books(saga, account)
      violations += answers(saga, account)
    }
    return violations + children(accounts) + starts() + TurnRules(sagas, turnsKnown: turnsKnown).check()
  }

  // MARK: The participants' books

  private func books(_ saga: SagaRecord, _ account: Account) -> [Violation] {
    var violations: [Violation] = []
    func violates(_ rule: String, _ what: String) { violations.append(Violation(rule, saga.name, what)) }
    var seen: Set<String> = []
    var undoBegan: [String: Timestamp] = [:]
    for call in calls where call.saga == saga.id {
      if let look = call.look {
        // The timetable has the look: in one life of the engine it is made once, unless an event moves the timetable.
        let what = "look \(call.attempt) of \(call.step), round \(call.round)"
        if !call.isCounted { violates("1 append then act", "\(what) was made before the timetable was stored") }
        if !seen.insert("\(call.key) in \(look)").inserted {
          violates("13 every look is in the timetable", "\(what) was made twice in \(look)")
        }
        continue
      }
      let what = "\(call.phase.rawValue) of \(call.step), round \(call.round), attempt \(call.attempt)"
      if !call.isCounted { violates("1 append then act", "\(what) was sent before it was stored") }
      if !seen.insert("\(call.key)#\(call.attempt)").inserted {
        violates("13 every attempt is counted", "\(what) was sent twice")
      }
      let forwardKey = "\(saga.id)/\(ItemName.path(of: call.step))/\(call.round)"
      if !isKey(call, forwardKey, saga.workflow) { violates("2 keys", "\(what) has the key \(call.key)") }
      if call.phase == .undo {
        undoBegan[forwardKey] = undoBegan[forwardKey] ?? call.at
      } else if undoBegan[forwardKey] != nil {
        violates("2 rounds", "\(what) was sent after the undo of its round")
      }
      let isStored = saga.facts.contains { fact in
        fact.type == "attemptStarted" && fact.step == call.step && fact.text("phase") == call.phase.rawValue
          && fact.number("round") == call.round && fact.number("attempt") == call.attempt
      }
      if !isStored { violates("13 every attempt is counted", "\(what) is not in the history") }
    }
    for (key, effect) in effects.sorted(by: { $0.key < $1.key }) where effect.saga == saga.id {
      guard let step = account.step(effect.step), let round = step.rounds[effect.round] else {
        if effect.stands { violates("what stands is known", "\(key) has happened, and the history doesn't know it") }
        continue
      }
      violations += standing(key, effect, step, round, account)
    }
    for step in account.steps where step.plan.isAttempted && step.plan.poll == nil && step.plan.forEach == nil {
      for (number, round) in step.rounds where round.outcome == "succeeded" && !round.isOperatorsWord {
        if effects["\(saga.id)/\(ItemName.path(of: step.plan.id))/\(number)"]?.doneAt == nil {
          violates("3 an outcome is honest", "\(step.plan.id) round \(number) succeeded, and nothing happened")
        }
      }
    }
    return violations
  }

  /// Whether a call has the key of its step, or of its item, in its round.
  private func isKey(_ call: Books.Call, _ forwardKey: String, _ workflow: WorkflowPlan) -> Bool {
    if call.phase == .undo { return call.key == forwardKey + "/undo" }
    // Each look of a poll asks under a key of its own.
    return workflow.step(call.step)?.poll == nil ? call.key == forwardKey : call.key.hasPrefix(forwardKey + "/look/")
  }

  /// Returns violations where the effect of a key differs from the history.
  private func standing(
    _ key: String, _ effect: Books.Effect, _ step: Account.Step, _ round: Account.Round, _ account: Account
  ) -> [Violation] {
    // A person's statement counts as true, also when it is false.
    if round.isOperatorsWord { return [] }
    func violation(_ rule: String, _ what: String) -> [Violation] {
      [Violation(rule, account.name, "\(key): \(what)")]
    }
    if !effect.stands {
      if effect.undoneAt != nil, !round.undoBegan { return violation("4 turning back", "was undone by nobody") }
      return []
    }
    if round.isUndone {
      // The word of the person who confirms an undo counts, and so does the end of the child that undoes the step.
      if step.plan.undo?.isCall == false { return [] }
      return violation("compensated means undone", "stands, and the history says undone")
    }
    if round.outcome == "failed" || round.outcome == "none" {
      let isLate = step.isInFlight
      return isLate ? [] : violation("3 an outcome is honest", "has happened, and the history says \(round.outcome)")
    }
    let applies = step.plan.undo?.applies(to: round.outcome) ?? false
    if account.end == "sagaCompensated", applies, !round.isGivenUp {
      return violation("compensated means undone", "stands in a compensated saga")
    }
    if effect.round < step.round, applies, !round.isGivenUp {
      return violation("2 rounds", "stands, and a new round has begun")
    }
    return []
  }

  // MARK: What people were answered

  private func answers(_ saga: SagaRecord, _ account: Account) -> [Violation] {
    var violations: [Violation] = []
    for answer in answers where answer.saga == saga.id {
      func violates(_ rule: String, _ what: String) {
        violations.append(Violation(rule, saga.name, "\(answer): \(what)"))
      }
      switch (answer.request, answer.result) {
      case (.act, .done):
        if !isStored(answer.by, saga) { violates("14 an answer is true", "it is not in the history") }
      case (.act(_, nil), .refused):
        if isStored(answer.by, saga) { violates("14 an answer is true", "it is in the history") }
      case (.signal(_, let identity), .done):
        if !account.signals.contains(where: { $0.identity == identity && $0.by == answer.by }) {
          violates("12 a confirmed signal is stored", "it is not in the history")
        }
      case (.signal(_, let identity), .refused(let code)):
        // One that was sent twice may be refused the second time.
        let times = answers.count { if case .signal(_, identity) = $0.request { true } else { false } }
        // One that was kept may be refused by the step that begins to wait, or dropped when the saga turns back. No step
        // may take it then.
        let stored = account.signals.first { $0.identity == identity }
        if times == 1, let stored, stored.isUsed || !["signal.dropped", "signal.refused"].contains(code) {
          violates("12 a refused signal has no effect", "it is in the history")
        }
      case (.act, _), (.signal, _), (.start, _), (.startWithOtherInput, _): break
      }
    }
    return violations
  }

  private func isStored(_ by: String, _ saga: SagaRecord) -> Bool {
    saga.facts.contains { fact in fact.text("by") == by || fact.data["reason"]?["by"]?.stringValue == by }
  }

  /// Starting twice is starting once.
  private func starts() -> [Violation] {
    var violations: [Violation] = []
    var ids: [String: Set<UniqueID>] = [:]
    for answer in answers {
      switch (answer.request, answer.result) {
      case (.start(_, let key?), .done(let id?, _)): ids[key, default: []].insert(id)
      case (.start, .refused(let code)):
        violations.append(Violation("9 starting", nil, "\(answer.by) was refused: \(code)"))
      case (.startWithOtherInput, .done):
        violations.append(Violation("9 starting twice", nil, "\(answer.by) used its key for other input"))
      default: break
      }
    }
    for (key, ids) in ids where ids.count > 1 {
      violations.append(Violation("9 starting twice", nil, "\(key) started \(ids.count) sagas"))
    }
    let keys = sagas.compactMap { $0.facts.first?.data["saga"]?["idempotencyKey"]?.stringValue }
    for (key, count) in Dictionary(keys.map { ($0, 1) }, uniquingKeysWith: +) where count > 1 {
      violations.append(Violation("9 starting twice", nil, "\(count) sagas are stored under \(key)"))
    }
    return violations
  }
}
