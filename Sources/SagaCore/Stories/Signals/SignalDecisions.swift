import JSON
import Workflows

// The effects of a signal, and the use of kept signals by a step that begins to wait.

extension Decider {
  /// A step, or its undo, that takes signals of one name.
  struct SignalWait {
    let step: Int
    let state: StepState
    let phase: StepPhase
    let signal: SignalAction

    /// Whether it waits now.
    var isWaiting: Bool {
      switch phase {
      case .forward: state.isWaitingItself
      case .undo: state.undoWait != nil
      }
    }
  }

  /// The steps and the undos of the workflow that take signals of this name, in the file's order.
  private func signalWaits(named name: String) -> [SignalWait] {
    definition.steps.flatMap { step -> [SignalWait] in
      var waits: [SignalWait] = []
      if case .signal(let signal) = step.action, signal.name.hasSameScalars(as: name) {
        waits += self.waits(of: step, .forward, signal, among: state.sets.waiting)
      }
      if let signal = step.undoSignal, signal.name.hasSameScalars(as: name) {
        waits += self.waits(of: step, .undo, signal, among: state.sets.undoing)
      }
      return waits
    }
  }

  private func waits(
    of step: Step, _ phase: StepPhase, _ signal: SignalAction, among places: Places
  ) -> [SignalWait] {
    // The step itself is there for its items that have not begun.
    let items = step.forEach == nil ? [] : places.items.filter { ItemPlace.step(of: $0) == step.index }
    return (items + [step.index]).map {
      SignalWait(step: $0, state: state.steps[$0], phase: phase, signal: signal)
    }
  }

  /// Returns those of them that wait or will wait. A step that is being rewound waits again. So does a step that an
  /// operator retried while the saga is paused.
  func stepsToCome(for name: String) -> [SignalWait] {
    signalWaits(named: name).filter { wait in
      switch wait.phase {
      case .forward: state.turnBack == nil && isToCome(wait)
      case .undo: isUndoToCome(wait)
      }
    }
  }

  private func isToCome(_ wait: SignalWait) -> Bool {
    switch wait.state.status {
    case .pending, .waiting, .backingOff: true
    case .running: state.isRewinding(wait.state.id) || hasItemsToBegin(wait.step)
    case .succeeded, .failed, .skipped, .undoing, .undone, .undoFailed: state.isRewinding(wait.state.id)
    }
  }

  /// Returns whether an undo waits for its signal, or may wait for it later. While the saga goes forward, each step may
  /// be undone later, until a pivot is passed.
  private func isUndoToCome(_ wait: SignalWait) -> Bool {
    let isGoingBack = state.turnBack != nil || state.isRewinding(wait.state.id)
    switch wait.state.stage {
    case .undoWaiting, .undoBackingOff: return true
    case .undoing, .undone, .undoFailed, .skipped: return false
    case .succeeded, .failed: return (isGoingBack || !isPivotPassed) && !isUndoSettled(wait.step)
    // Attempts in flight settle first, and then they are undone.
    case .running, .open: return isGoingBack || !isPivotPassed
    case .pending, .queued, .backingOff, .waiting, .polling: return state.turnBack == nil && !isPivotPassed
    }
  }

  /// Returns whether a step has items that have not begun, or that begin again.
  private func hasItemsToBegin(_ step: Int) -> Bool {
    guard let items = state.steps.items(of: step) else { return false }
    return items.begun < items.count || items.queued > 0
  }

  /// Returns the steps that have not yet judged a kept signal, in the file's order. A waiting step has not accepted it.
  func candidates(for kept: ReceivedSignal) -> [String] {
    var ids: [String] = []
    // A step and its undo may take signals of one name.
    for wait in stepsToCome(for: kept.name)
    where !wait.isWaiting && wait.signal.takes(senderWith: kept.roles) && ids.last != wait.state.id {
      ids.append(wait.state.id)
    }
    return ids
  }

  mutating func takeSignal(_ given: SignalGiven, formerIDs: [String]) throws(Refusal) {
    // 1. The same signal again changes nothing, whatever the saga's status is by now.
    if state.known(given, formerIDs: formerIDs) != nil { return }
    let former = state.named(given, formerIDs).first
    let reused = former.map { former in
      Refusal(
        EngineErrorCode.commandReused,
        "“\(former.id ?? "")” has named another signal “\(given.name)”, with another body, that \(former.by) sent at "
          + "\(former.at). A new signal needs a new key.")
    }
    if state.end != nil {
      throw reused
        ?? Refusal(EngineErrorCode.sagaEnded, "The saga is \(state.status.rawValue): it has ended and can't change.")
    }
    // 2. A signal that the workflow doesn't know is refused.
    let waits = signalWaits(named: given.name)
    guard !waits.isEmpty else {
      let names = definition.steps.flatMap { step in
        var names = [step.undoSignal?.name].compactMap(\.self)
        if case .signal(let signal) = step.action { names.insert(signal.name, at: 0) }
        return names
      }
      let known = names.isEmpty ? "It waits for no signal." : "It knows \(names.joined(separator: ", "))."
      throw Refusal(EngineErrorCode.signalUnknown, "The workflow has no signal “\(given.name)”. \(known)")
    }
    // A refusal for the sender's roles is not recorded: who may not send the signal changes nothing of the saga, also
    // when its step has taken one or the id was used before.
    guard waits.contains(where: { $0.signal.takes(senderWith: given.roles) }) else {
      throw roleMissing(for: given, waits)
    }
    guard state.signals.count < SignalLimits.all else {
      throw Refusal(
        EngineErrorCode.signalLimit,
        "The saga has received \(SignalLimits.all) signals, the most that a saga takes. This one is not recorded.")
    }
    if let reused {
      refuse(given, reused)
      return
    }
    let all = stepsToCome(for: given.name)
    let coming = all.filter { $0.signal.takes(senderWith: given.roles) }
    let missing = coming.count < all.count ? roleMissing(for: given, all) : nil
    if let missing, coming.isEmpty { throw missing }
    if state.turnBack != nil, coming.isEmpty, !waits.contains(where: { $0.phase == .undo }) {
      refuse(
        given,
        Refusal(EngineErrorCode.signalTooLate, "The saga has turned back and waits for no signal any more."))
      return
    }
    // 3. The first waiting step that accepts it takes it.
    let waiting = coming.filter(\.isWaiting)
    var refused: (step: String, refusal: Refusal)?
    for wait in waiting {
      let verdict = verdict(of: wait.signal, of: wait.step, wait.phase, on: given.body)
      guard verdict.accepts else {
        if refused == nil, let refusal = verdict.refusal { refused = (wait.state.id, refusal) }
        continue
      }
      emit(SignalReceived(signal: given, step: wait.state.id))
      end(wait.step, wait.phase, by: given.body)
      return
    }
    // 4. It is kept for a step that will wait, unless it is already known that none takes it.
    let later = coming.filter { wait in
      guard !wait.isWaiting else { return false }
      guard let refusal = schemaRefusal(of: given.body, by: wait.signal) else { return true }
      refused = refused ?? (wait.state.id, refusal)
      return false
    }
    if waiting.isEmpty ? !later.isEmpty : later.contains(where: { mayAccept($0, given.body) }) {
      try requireRoom(for: given)
      emit(SignalReceived(signal: given, step: nil))
      return
    }
    // 5. No step takes it. That is recorded.
    if let missing, waiting.isEmpty { throw missing }
    if let refused {
      refuse(given, refused.refusal, step: refused.step)
    } else if let wait = waiting.first {
      refuse(
        given,
        Refusal(
          EngineErrorCode.signalRefused,
          "The \(wait.phase == .undo ? "undo of step" : "step") \(wait.state.id) doesn't accept this body; it goes on waiting."
        ),
        step: wait.state.id)
    } else {
      refuse(given, tooLate(given.name, waits))
    }
  }

  /// Returns the refusal of a signal whose sender has none of the roles of the steps that would take it.
  private func roleMissing(for given: SignalGiven, _ waits: [SignalWait]) -> Refusal {
    var wanted: [String] = []
    for wait in waits where !wait.signal.takes(senderWith: given.roles) {
      let roles = wait.signal.roles.map { "“\($0)”" }.joined(separator: " or ")
      let line = "\(wait.phase == .undo ? "the undo of " : "")\(ItemID.step(of: wait.state.id)) takes it from \(roles)"
      if !wanted.contains(line) { wanted.append(line) }
    }
    let has = given.roles.flatMap { $0.isEmpty ? nil : $0.map { "“\($0)”" }.joined(separator: ", ") } ?? "none"
    return Refusal(
      EngineErrorCode.signalRoleMissing,
      "The signal “\(given.name)” needs a laboratory role: \(wanted.joined(separator: "; ")). \(given.by) has \(has).")
  }

  private func tooLate(_ name: String, _ waits: [SignalWait]) -> Refusal {
    let ends = waits.map { wait in
      switch wait.phase {
      case .forward: "\(wait.state.id) is \(wait.state.status.rawValue)"
      case .undo: "the undo of \(wait.state.id) is \(Self.word(ofUndo: wait.state.status))"
      }
    }.joined(separator: ", ")
    let stuck = waits.first { $0.state.isBlocked }.map {
      " The saga is stuck on \($0.state.id): once an operator has had it retried, send the signal under a new key."
    }
    return Refusal(
      EngineErrorCode.signalTooLate, "No step waits for the signal “\(name)” any more: \(ends).\(stuck ?? "")")
  }

  /// Returns what has become of an undo that does not wait any more.
  private static func word(ofUndo status: StepStatus) -> String {
    switch status {
    case .undone: "done"
    case .undoFailed: "failed"
    case .pending, .running, .backingOff, .waiting, .succeeded, .failed, .skipped, .undoing: "not to come"
    }
  }

  /// Ends the wait of a step, or of its undo, by a signal that it has taken.
  private mutating func end(_ step: Int, _ phase: StepPhase, by body: JSON) {
    switch phase {
    case .forward: succeed(step, output: StepOutput(body))
    case .undo: emit(UndoSucceeded(step: id(step), how: .answered))
    }
  }

  private func requireRoom(for given: SignalGiven) throws(Refusal) {
    let kept = state.signals.filter(\.isKept)
    let bytes = kept.reduce(given.body.bytes(.canonical).count) { $0 + $1.bytes }
    guard kept.count < SignalLimits.kept, bytes <= SignalLimits.keptBytes else {
      throw Refusal(
        EngineErrorCode.signalLimit,
        "The saga keeps \(kept.count) signals that no step has taken yet. \(SignalLimits.kept) signals, of "
          + "\(SignalLimits.keptBytes) bytes together, are the most. This one is not recorded: send it again later.")
    }
  }

  private mutating func refuse(_ given: SignalGiven, _ refusal: Refusal, step: String? = nil) {
    let bytes = given.body.bytes(.canonical).count
    emit(
      SignalRefused(
        SignalRefusal(
          name: given.name, id: given.id, digest: state.digest(of: given.body), bytes: bytes,
          body: bytes <= SignalRefusal.longestBody ? given.body : nil, by: given.by, from: given.from,
          code: refusal.code, message: refusal.message, step: step)))
  }

  /// Lets a step, or an undo, that has begun to wait check the kept signals of its name, in the order in which they came.
  mutating func useKeptSignal(for step: Int, _ signal: SignalAction) {
    let phase: StepPhase = state.steps[step].undoWait == nil ? .forward : .undo
    for kept in state.signals where kept.isKept && kept.name == signal.name {
      let body = state.opener.opened(kept.body ?? .null)
      if signal.takes(senderWith: kept.roles), verdict(of: signal, of: step, phase, on: body).accepts {
        emit(KeptSignalTaken(name: signal.name, step: id(step), received: kept.version))
        end(step, phase, by: body)
        return
      }
      // A step that waits already has not accepted it.
      let others = stepsToCome(for: signal.name).filter { !$0.isWaiting }
      if !others.contains(where: { $0.signal.takes(senderWith: kept.roles) && mayAccept($0, body) }) {
        emit(KeptSignalRefused(name: signal.name, step: id(step), received: kept.version))
      }
    }
  }

  /// Returns the refusal of a body by the schema of a signal; nil when the body meets the schema.
  private mutating func schemaRefusal(of body: JSON, by signal: SignalAction) -> Refusal? {
    guard let schema = signal.schema else { return nil }
    let (refusal, steps) = schema.refusal(of: body, by: .signal(signal.name))
    count(steps)
    return refusal
  }

  /// Returns the result of a step's `schema` and `accept` for a body. `refusal` has the reason of the schema. It also has
  /// the reason why a condition can't be decided, and so accepts nothing: it exceeds its budget, or it reads an answer
  /// that can't be read.
  /// - Parameter step: the index of the step or of the item that waits.
  private mutating func verdict(
    of signal: SignalAction, of step: Int, _ phase: StepPhase, on body: JSON
  ) -> (accepts: Bool, refusal: Refusal?) {
    if let refusal = schemaRefusal(of: body, by: signal) { return (false, refusal) }
    guard let condition = signal.accept else { return (true, nil) }
    let known =
      ItemPlace(step) == nil && phase == .forward
      ? state.document(reading: condition.reads) : state.document(for: state.steps[step], reading: condition.reads)
    guard case .object(var members) = known else { return (false, nil) }
    members["signal"] = body
    let document = JSON.object(members)
    func undecided(_ code: String, _ message: String) -> (accepts: Bool, refusal: Refusal?) {
      (false, Refusal(code, "The condition of the signal “\(signal.name)” can't be decided: \(message)"))
    }
    if let error = condition.obstacle(in: document) { return undecided(error.code, error.message) }
    do {
      return (try measured { meter throws(ExpressionError) in try condition.holds(in: document, meter: meter) }, nil)
    } catch {
      return undecided(error.code, "\(error.message).")
    }
  }

  /// Returns whether a step that doesn't wait yet may accept a body. Only a condition on steps can still change its
  /// result.
  private mutating func mayAccept(_ wait: SignalWait, _ body: JSON) -> Bool {
    let signal = wait.signal
    if schemaRefusal(of: body, by: signal) != nil { return false }
    guard let condition = signal.accept else { return true }
    let isSettled = condition.referencedQueries.allSatisfy { query in
      switch query.leadingTokens.first {
      case .name("signal"), .name("input"), .name("saga"): true
      case .name, .index, nil: false
      }
    }
    return !isSettled || verdict(of: signal, of: wait.step, wait.phase, on: body).accepts
  }
}
