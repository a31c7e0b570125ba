import JSON
import Values
import Workflows

// The start of compensation, and the order of the undos. Each undo is an attempt like any other (`Attempts.swift`).

/// The reason for the start of compensation, or for a request to start it.
public struct TurnBack: Sendable, Hashable {
  public enum Cause: String, Sendable, Hashable, CaseIterable {
    case stepFailed, timeout, cancelled, compensate
    /// The saga is a child, and its parent undoes it.
    case parent
  }
  public let cause: Cause
  /// The step that failed, for `stepFailed`.
  public let step: String?
  public let code: String
  public let message: String
  /// The person who started compensation, for `cancelled` and `compensate`.
  public let by: String?
  public let reason: String?
  /// The way that the request came, as in `OperatorAct`.
  public let from: String?
  /// The id of the message that started compensation, if a message did. The same message again is a repeat.
  public let commandID: String?

  public init(
    cause: Cause, step: String? = nil, code: String, message: String, by: String? = nil, reason: String? = nil,
    from: String? = nil, commandID: String? = nil
  ) {
    self.cause = cause
    self.step = step
    self.code = code
    self.message = message
    self.by = by
    self.reason = reason
    self.from = from
    self.commandID = commandID
  }

  init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      cause: try data.word("cause"), step: data.optionalString("step"), code: try data.string("code"),
      message: try data.string("message"), by: data.optionalString("by"), reason: data.optionalString("reason"),
      from: data.optionalString("from"), commandID: data.optionalString("commandId"))
  }

  var json: JSON {
    var members: JSONObject = ["cause": .word(cause), "code": .string(code), "message": .string(message)]
    members["step"] = step.map(JSON.string)
    members["by"] = by.map(JSON.string)
    members["reason"] = reason.map(JSON.string)
    members["from"] = from.map(JSON.string)
    members["commandId"] = commandID.map(JSON.string)
    return .object(members)
  }

  /// The person who started compensation; nil for a step's failure and the timeout.
  var operated: (verb: OperatorVerb.Name, act: OperatorAct)? {
    let verb: OperatorVerb.Name
    switch cause {
    case .cancelled: verb = .cancel
    case .compensate: verb = .compensate
    case .stepFailed, .timeout, .parent: return nil
    }
    return (verb, OperatorAct(by: by ?? "", reason: reason ?? "", from: from, commandID: commandID))
  }

  /// The operator's reason, or else the error.
  fileprivate var because: String { reason ?? "\(code): \(message)" }

  fileprivate static func audited(_ data: JSON) -> AuditedAct? {
    let reason = data["reason"] ?? .null
    let isCompensate = reason["cause"]?.stringValue == Cause.compensate.rawValue
    return .verb(isCompensate ? .compensate : .cancel, reason)
  }
}

extension Decider {
  /// Starts compensation at once. While a pivot is undecided, it records the request. Behind a passed pivot the request
  /// lapses.
  mutating func request(_ reason: TurnBack) {
    if isPivotUndecided || isPivotPassed { emit(TurnBackRequested(reason)) } else { startTurningBack(reason) }
  }

  /// Applies a step's failure, or a request that waited for a pivot.
  mutating func decideTurningBack() {
    guard state.turnBack == nil else { return }
    if let requested = state.requestedTurnBack {
      if isPivotPassed {
        emit(TurnBackLapsed())
      } else if !isPivotUndecided {
        startTurningBack(requested.value)
      }
    } else if let failed = state.sets.turningBack.first.map({ state.steps[$0] }) {
      request(
        TurnBack(
          cause: .stepFailed, step: failed.id, code: failed.failure?.code ?? "",
          message: failed.failure?.message ?? ""))
      if state.requestedTurnBack != nil, isPivotPassed { emit(TurnBackLapsed()) }
    }
  }

  private mutating func startTurningBack(_ reason: TurnBack) {
    emit(TurnedBack(reason))
    endForward(
      state.sets.waiting.union(state.sets.backingOff).union(state.sets.open).union(state.sets.running),
      because: "The saga turned back while this step waited.")
  }

  /// Ends waits and planned attempts, because the steps are to be undone.
  mutating func endForward(_ steps: Places, because message: String) {
    for index in steps {
      let step = state.steps[index]
      switch step.stage {
      case .queued, .waiting, .open:
        let failure = StepFailure(code: EngineErrorCode.waitEnded, message: message)
        // The undo of the step finds out what its child has done.
        let outcome: RoundOutcome = step.awaitedChild == nil ? .none : .unknown
        emit(StepFailed(step: step.id, outcome: outcome, failure: failure, consequence: .settles))
      case .polling:
        let failure = StepFailure(code: EngineErrorCode.waitEnded, message: message)
        let outcome: RoundOutcome = mayHavePolled(index) ? .unknown : .none
        emit(StepFailed(step: step.id, outcome: outcome, failure: failure, consequence: .settles))
      case .running:
        // A worker has a task that it took until it answers, or until its lease ends.
        guard isOnlyOffered(index) else { continue }
        let failure = StepFailure(code: EngineErrorCode.waitEnded, message: message)
        emit(StepFailed(step: step.id, outcome: step.outcome, failure: failure, consequence: .settles))
      case .backingOff:
        guard let failure = step.failure else { continue }
        emit(StepFailed(step: step.id, outcome: step.outcome, failure: failure, consequence: .settles))
      case .pending, .succeeded, .failed, .skipped, .undoing, .undoBackingOff, .undoWaiting, .undone, .undoFailed:
        break
      }
    }
  }

  /// Starts every undo that is due and that nothing precedes. Ends the saga when no undo is left.
  mutating func turnBack() {
    // Attempts in flight settle first: until then the engine doesn't know what there is to undo.
    guard state.sets.running.isEmpty else { return }
    if startDueUndos(among: definition.allSteps).isEmpty { emit(SagaCompensated()) }
  }

  /// Starts the undos of these steps that are due and that nothing precedes.
  /// - Returns: the steps of them whose undo is not settled.
  mutating func startDueUndos(among steps: StepSet) -> StepSet {
    // A step that is ordered after a step of a rewind belongs to the rewind.
    var unsettled = steps
    for step in steps where isUndoSettled(step) { unsettled.remove(step) }
    var changed = true
    while changed {
      changed = false
      for step in unsettled {
        if isSpent { return unsettled }
        guard definition.transitiveDependents[step].isDisjoint(with: unsettled) else { continue }
        if hasItems(step) {
          guard mayUndo(step) else { continue }
          if startItemUndos(step) { changed = true }
          if isUndoSettled(step) { unsettled.remove(step) }
          continue
        }
        guard let undo = pendingUndo(of: step) else { continue }
        if case .undoBackingOff(let until) = state.steps[step].stage, until > now { continue }
        guard mayUndo(step) else { continue }
        startUndo(step, undo)
        if isUndoSettled(step) { unsettled.remove(step) }
        changed = true
      }
    }
    return unsettled
  }

  mutating func startUndo(_ step: Int, _ undo: Undo) {
    let now = state.steps[step]
    // An undo that can't be rendered fails. It is never skipped.
    if let failure = problem(with: undo.action, of: now) ?? tooDeep(toUndo: step) {
      failUndo(step, failure)
      return
    }
    switch undo.action {
    case .signal(let signal): waitForConfirmation(step, signal, undo)
    case .task(let task): offer(step, task, phase: .undo, for: undo.timeout ?? Undo.defaultWaitTimeout)
    case .http, .kafka, .workflow, .delay, .fail, .group:
      emit(
        AttemptStarted(
          step: now.id, phase: .undo, round: now.round, attempt: now.undo.count + 1,
          deadline: self.now + (undo.timeout ?? CallRendering.defaultTimeout)))
    }
  }

  /// Fails the undo of a step for good.
  /// - Parameter isUnknown: whether what the undo did may remain.
  mutating func failUndo(_ step: Int, _ failure: StepFailure, isUnknown: Bool = false) {
    emit(
      UndoFailed(
        step: id(step), failure: failure, blocks: undo(of: step).map { $0.onFailure == .stuck } ?? true,
        isUnknown: isUnknown))
  }

  func undo(of step: Int) -> Undo? { definition.steps[ItemPlace.step(of: step)].undo }

  /// Returns the compensation for which a step still needs an attempt, if any.
  func pendingUndo(of step: Int) -> Undo? {
    guard let undo = undo(of: step) else { return nil }
    switch state.steps[step].stage {
    case .succeeded, .failed: return applies(undo, to: step) ? undo : nil
    case .undoBackingOff: return undo
    case .pending, .queued, .running, .backingOff, .waiting, .polling, .open, .skipped, .undoing, .undoWaiting, .undone,
      .undoFailed:
      return nil
    }
  }

  private func applies(_ undo: Undo, to step: Int) -> Bool {
    switch state.steps[step].outcome {
    case .none: false
    case .succeeded: undo.appliesTo.contains(.succeeded)
    case .unknown: undo.appliesTo.contains(.unknown)
    case .failed: undo.appliesTo.contains(.failed)
    }
  }

  /// Returns whether a compensating saga has finished with a step.
  func isUndoSettled(_ step: Int) -> Bool {
    switch state.steps[step].stage {
    case .pending, .skipped, .undone: true
    case .undoFailed(let blocks): !blocks
    case .queued, .running, .backingOff, .waiting, .polling, .open, .undoing, .undoBackingOff, .undoWaiting: false
    case .succeeded, .failed:
      hasItems(step) ? areItemUndosSettled(step) : undo(of: step).map { !applies($0, to: step) } ?? true
    }
  }
}

// MARK: Events

/// A request to start compensation came while a pivot was undecided. It is decided when the pivot settles.
public struct TurnBackRequested: SagaEventContent {
  public static let typeName = "turnBackRequested"
  public let reason: TurnBack
  public var operated: (verb: OperatorVerb.Name, act: OperatorAct)? { reason.operated }

  public init(_ reason: TurnBack) { self.reason = reason }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(try TurnBack(data.nested("reason")))
  }

  public func write(to data: inout JSONObject) { data["reason"] = reason.json }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    saga.requestedTurnBack = Dated(at: at, value: reason)
  }

  public var timeline: [TimelineNote] { [.mark("turn back requested", by: reason.by, reason: reason.because)] }

  public static func audited(_ data: JSON) -> AuditedAct? { TurnBack.audited(data) }
}

/// A pivot was passed, so the request lapsed. From then on nothing is undone.
public struct TurnBackLapsed: SagaEventContent {
  public static let typeName = "turnBackLapsed"

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self { Self() }

  public func write(to data: inout JSONObject) {}

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    saga.requestedTurnBack = nil
    // A request lapses only because a pivot was passed. A history of an older version may lack the event that says so.
    saga.passPivot()
  }

  public var timeline: [TimelineNote] { [.mark("turn back lapsed")] }
}

/// The saga stops going forward, and its steps are undone.
public struct TurnedBack: SagaEventContent {
  public static let typeName = "turnedBack"
  public let reason: TurnBack
  public var operated: (verb: OperatorVerb.Name, act: OperatorAct)? { reason.operated }

  public init(_ reason: TurnBack) { self.reason = reason }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(try TurnBack(data.nested("reason")))
  }

  public func write(to data: inout JSONObject) { data["reason"] = reason.json }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    guard saga.turnBack == nil else { throw HistoryError("A saga turns back once.") }
    guard !saga.pivotPassed else { throw HistoryError("A saga that passed its pivot can't turn back.") }
    saga.turnBack = Dated(at: at, value: reason)
    for step in saga.steps.owners { saga.steps.change(step) { $0.clearQueue() } }
    saga.requestedTurnBack = nil
    saga.rewind = nil
  }

  public var timeline: [TimelineNote] { [.mark("turned back", by: reason.by, reason: reason.because)] }

  public static func audited(_ data: JSON) -> AuditedAct? { TurnBack.audited(data) }
}

/// The way in which a compensation ended.
public enum UndoSuccess: String, Sendable, Hashable, CaseIterable {
  /// The participant or the worker answered, a signal confirmed it, or the child of the undo completed.
  case answered
  /// The participant no longer had anything under that name (404, 410).
  case alreadyGone
}

/// What the step did is undone.
public struct UndoSucceeded: SagaEventContent {
  public static let typeName = "undoSucceeded"
  public let step: String
  public let how: UndoSuccess
  /// The answer to the undo; nil over Kafka, and in events of earlier versions.
  public var answer: CallAnswer?
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(step: try data.string("step"), how: try data.word("how"), answer: try data.answer())
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["how"] = .word(how)
    data["answer"] = answer?.json
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      guard step.status == .undoing else { return false }
      step.noteAnsweredTask(code: nil)
      step.finishUndo(how: how.rawValue, at: at)
      return true
    }
  }

  public var timeline: [TimelineNote] { [.close(step: step, outcome: "succeeded")] }
}

extension StepState {
  mutating func finishUndo(how: String, at time: Timestamp) {
    stage = .undone(how: how)
    undoFailure = nil
    undoUnknown = false
    undoEndedAt = time
  }
}

/// The compensation failed, and the engine does not try again.
public struct UndoFailed: SagaEventContent {
  public static let typeName = "undoFailed"
  public let step: String
  public let failure: StepFailure
  /// Whether the saga is stuck here. False when the compensation is optional (`onFailure: continue`).
  public let blocks: Bool
  /// Whether what the undo did may remain: its child was abandoned, or has not ended in time.
  public var isUnknown = false
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      step: try data.string("step"), failure: try data.failure(), blocks: try data.bool("blocks"),
      isUnknown: data.flag("unknown"))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data.write(failure)
    data["blocks"] = .bool(blocks)
    data["unknown"] = isUnknown ? true : nil
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      guard [.undoing, .succeeded, .failed].contains(step.status) else { return false }
      step.noteAnsweredTask(code: failure.code)
      step.noteEndOfUndoChild(isUnknown: isUnknown)
      step.stage = .undoFailed(blocks: blocks)
      step.undoFailure = failure.alone
      step.undoUnknown = isUnknown
      step.undoEndedAt = at
      return true
    }
  }

  public var timeline: [TimelineNote] {
    [.close(step: step, outcome: "failed", code: failure.code)] + (blocks ? [.mark("stuck on \(step)")] : [])
  }
}

/// Every step that was to be undone is undone.
public struct SagaCompensated: SagaEventContent {
  public static let typeName = "sagaCompensated"

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self { Self() }

  public func write(to data: inout JSONObject) {}

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    guard saga.turnBack != nil else { throw HistoryError("A saga is compensated only after it turned back.") }
    saga.end = SagaEnd(status: .compensated, at: at)
  }

  public var timeline: [TimelineNote] { [.finish("compensated")] }
}
