import JSON
import Values
import Workflows

// A step with `workflow` starts another saga, its child, and waits until the child has ended. The start is an attempt.
// The end of the child comes as a report. The step's undo asks the child to turn back, and its attempt lasts until the
// child has ended again.
//
// An undo with `workflow` starts a child, too, and waits for its end. A completed child has undone the step. Of a
// compensated child nothing remains, so the attempt has failed, and the next one starts another child under another key.
// What an abandoned child did remains, so the undo fails, and no attempt follows by itself. The same holds for a child that
// has not ended in time. A retry asks that child again. The child of an undo is never undone itself.

/// The saga that started a child, and the step for which it did.
public struct ParentLink: Sendable, Hashable {
  /// The most sagas above a saga. A workflow that starts itself ends there.
  public static let deepest = 8

  public let saga: UniqueID
  /// The id of the step, or of the item.
  public let step: String
  /// The idempotency key of the step's round. It gives the child its id.
  public let key: String
  /// The number of sagas above the child: 1 for the child of a saga without a parent.
  public let depth: Int

  public init(saga: UniqueID, step: String, key: String, depth: Int) {
    self.saga = saga
    self.step = step
    self.key = key
    self.depth = depth
  }

  /// The round of the step; nil when the key has another form.
  public var round: Int? { IdempotencyKey.Parts(key)?.round }
  /// Whether the child does the step or undoes it.
  public var phase: StepPhase { IdempotencyKey.Parts(key)?.phase ?? .forward }

  static func read(_ data: EventReader) throws(UnreadableEvent) -> ParentLink {
    guard let saga = UniqueID(try data.string("saga")) else { throw data.unreadable("saga") }
    return ParentLink(
      saga: saga, step: try data.string("step"), key: try data.string("key"), depth: try data.int("depth"))
  }

  var json: JSON {
    ["saga": .string(saga.description), "step": .string(step), "key": .string(key), "depth": .int(depth)]
  }
}

/// The child that a step has started.
public struct ChildLink: Sendable, Hashable {
  public let saga: UniqueID
  public let workflow: String
  public let version: Int

  public init(saga: UniqueID, workflow: String, version: Int) {
    self.saga = saga
    self.workflow = workflow
    self.version = version
  }

  static func read(_ data: EventReader) throws(UnreadableEvent) -> ChildLink {
    guard let saga = UniqueID(try data.string("child")) else { throw data.unreadable("child") }
    return ChildLink(saga: saga, workflow: try data.string("workflow"), version: try data.int("version"))
  }

  func add(to data: inout JSONObject) {
    data["child"] = .string(saga.description)
    data["workflow"] = .string(workflow)
    data["version"] = .int(version)
  }
}

/// What a parent learns about the child of one of its steps.
public struct ChildReport: Sendable, Hashable {
  /// The id of the step, or of the item.
  public let step: String
  public let round: Int
  /// Whether the child does the step or undoes it.
  public let phase: StepPhase
  public let content: Content

  public enum Content: Sendable, Hashable {
    /// The child is there: it was started now, or by an earlier attempt.
    case started(ChildLink)
    case ended(ChildEnd)
  }

  public init(step: String, round: Int, phase: StepPhase = .forward, _ content: Content) {
    self.step = step
    self.round = round
    self.phase = phase
    self.content = content
  }

  /// Returns the report on the end of a child; nil for a saga without a parent, and for one that has not ended.
  public init?(endOf child: SagaState, definition: WorkflowDefinition?) {
    guard let parent = child.start.parent, let round = parent.round, let end = ChildEnd(child, definition) else {
      return nil
    }
    self.init(step: parent.step, round: round, phase: parent.phase, .ended(end))
  }
}

/// The end of a child, as its parent learns it.
public struct ChildEnd: Sendable, Hashable {
  public let child: UniqueID
  public let workflow: String
  public let status: SagaStatus
  /// The output of a completed child. The answer can't be read when it is too large to store.
  public private(set) var output: StepOutput
  /// Why the child turned back; nil when it did not.
  let code: String?
  let message: String?
  /// Whether nothing of the child is undone any more.
  let isPivotPassed: Bool

  /// - Returns: nil for a saga that has not ended.
  init?(_ saga: SagaState, _ definition: WorkflowDefinition?) {
    guard let end = saga.end else { return nil }
    child = saga.id
    workflow = saga.start.workflow
    status = end.status
    output = StepOutput(end.output ?? .null)
    code = saga.turnBack?.value.code
    message = saga.turnBack?.value.message
    isPivotPassed = definition.map { saga.isPivotPassed(by: $0) } ?? saga.pivotPassed
  }

  /// Creates the end of a child that a rehearsal answers for.
  /// - Parameter outcome: a failure means that the child turned back, an unknown outcome that it was abandoned.
  /// - Returns: nil for a call that was not sent.
  package init?(of link: ChildLink, _ outcome: StepOutcome) {
    (child, workflow, isPivotPassed) = (link.saga, link.workflow, false)
    switch outcome {
    case .succeeded(let value): (status, output, code, message) = (.completed, StepOutput(value), nil, nil)
    case .succeededUnread(let problem):
      (status, output, code, message) = (.completed, StepOutput(problem: problem), nil, nil)
    case .answered(let answer): (status, output, code, message) = (.completed, answer.output, nil, nil)
    case .failed(let failure): (status, output, code, message) = (.compensated, .null, failure.code, failure.message)
    case .unknown(let failure): (status, output, code, message) = (.abandoned, .null, failure.code, failure.message)
    case .notSent: return nil
    }
  }

  /// Returns the same end with an output that can't be read; nil when it has none already.
  package func withoutOutput(because failure: StepFailure) -> ChildEnd? {
    guard output.problem == nil else { return nil }
    var end = self
    end.output = StepOutput(problem: failure)
    return end
  }

  /// The failure when nothing of the child remains. It has the code for which the child turned back.
  fileprivate var undone: StepFailure {
    StepFailure(
      code: code ?? EngineErrorCode.childUndone,
      message: "The child saga \(child) (\(workflow)) was compensated" + (message.map { ": \($0)" } ?? "."))
  }

  fileprivate var abandoned: StepFailure {
    StepFailure(
      code: EngineErrorCode.childAbandoned,
      message: "The child saga \(child) (\(workflow)) was abandoned as it is, so what it did remains.")
  }

  fileprivate var final: StepFailure {
    StepFailure(
      code: EngineErrorCode.childPivotPassed,
      message: "The child saga \(child) (\(workflow)) has passed its point of no return, so it can't be undone.")
  }
}

extension StepState {
  /// The child for which the step waits; nil for every other step.
  public var awaitedChild: ChildLink? {
    if case .waiting(let wait) = stage, wait.signal == nil { child } else { nil }
  }

  /// The child for which the undo of the step waits; nil for every other undo.
  public var awaitedUndoChild: ChildLink? {
    if case .undoWaiting(let wait) = stage, wait.signal == nil { undoChild } else { nil }
  }

  /// Notes that the child of the undo has ended, if the undo waits for one. An event that ends the wait calls it first.
  /// - Parameter isUnknown: whether the child was abandoned, or goes on. Then the next attempt asks the same child.
  mutating func noteEndOfUndoChild(isUnknown: Bool) {
    if awaitedUndoChild != nil, !isUnknown { undoChildrenEnded += 1 }
  }
}

extension SagaState {
  /// The most children that `children` returns.
  package static let mostChildren = 200

  /// The children of steps and of their undos, and those of items under way: at most `mostChildren`.
  package var children: [ChildLink] {
    func links(_ step: StepState) -> [ChildLink] { [step.child, step.undoChild].compactMap(\.self) }
    var all = steps.flatMap(links)
    for item in sets.underWay.items where all.count < Self.mostChildren { all += links(steps[item]) }
    return Array(all.prefix(Self.mostChildren))
  }

  /// The children for which steps, items and undos wait.
  package var awaitedChildren: [ChildLink] {
    sets.waiting.compactMap { steps[$0].awaitedChild } + sets.undoing.compactMap { steps[$0].awaitedUndoChild }
  }
}

extension Decider {
  // MARK: The parent

  /// Begins the attempt that starts a child.
  mutating func startChild(_ step: Int) {
    if let failure = tooDeep { fail(step, failure) } else { startAttempt(step) }
  }

  /// Why the saga can't start a child; nil when it can.
  private var tooDeep: StepFailure? {
    guard let parent = state.start.parent, parent.depth >= ParentLink.deepest else { return nil }
    return StepFailure(
      code: EngineErrorCode.childTooDeep,
      message:
        "\(parent.depth) sagas are above this one, the most that there may be: a workflow that starts itself, "
        + "at once or by others, would go on without an end.")
  }

  /// Why the undo of a step can't start its child; nil when it can, and when it starts none.
  func tooDeep(toUndo step: Int) -> StepFailure? { rules(of: step).undoWorkflow == nil ? nil : tooDeep }

  mutating func take(_ report: ChildReport) {
    // A report on an earlier round says nothing about the current one.
    guard state.end == nil, let step = state.index(of: report.step), state.steps[step].round == report.round else {
      return
    }
    switch (report.phase, report.content) {
    case (.undo, .started(let child)):
      guard state.steps[step].inFlight?.phase == .undo, rules(of: step).undoWorkflow != nil else { return }
      emit(
        ChildStarted(
          step: report.step, child: child, phase: .undo, until: undo(of: step)?.timeout.map { now + $0 }))
    case (.undo, .ended(let end)): takeEnd(end, ofUndoOf: step)
    case (.forward, .started(let child)):
      guard state.steps[step].inFlight?.phase == .forward else { return }
      emit(ChildStarted(step: report.step, child: child))
      if !isGoingForward(state.steps[step]) {
        var waiting = Places(count: state.steps.count)
        waiting.insert(step)
        endForward(waiting, because: "The saga turned back while this step started its child.")
      }
    case (.forward, .ended(let end)): take(end, of: step)
    }
  }

  /// A report can come twice, and late: the child of an earlier attempt may have ended.
  private mutating func takeEnd(_ end: ChildEnd, ofUndoOf step: Int) {
    let now = state.steps[step]
    guard now.awaitedUndoChild?.saga == end.child, let undo = undo(of: step) else { return }
    switch end.status {
    case .completed: emit(UndoSucceeded(step: now.id, how: .answered))
    case .compensated:
      var failure = end.undone
      failure.isRetryable = true
      retryUndo(step, undo, attempt: now.undo.count, after: failure, isUnknown: false)
    case .abandoned: failUndo(step, end.abandoned, isUnknown: true)
    case .running, .compensating, .stuck: break
    }
  }

  /// A report can come twice, and late: the child may have turned back since it had completed.
  private mutating func take(_ end: ChildEnd, of step: Int) {
    let now = state.steps[step]
    if let child = now.awaitedChild {
      guard child.saga == end.child else { return }
      switch end.status {
      case .completed: succeed(step, output: end.output)
      case .compensated: fail(step, end.undone, outcome: .failed)
      case .abandoned: fail(step, end.abandoned, outcome: .unknown)
      case .running, .compensating, .stuck: break
      }
    } else if case .undoing(let attempt) = now.stage {
      let outcome: StepOutcome
      switch end.status {
      case .compensated: outcome = .succeeded(.null)
      case .abandoned: outcome = .failed(end.abandoned)
      case .completed where end.isPivotPassed: outcome = .failed(end.final)
      // The attempt has asked the child to turn back, or will.
      case .completed, .running, .compensating, .stuck: return
      }
      settle(step, phase: .undo, attempt: attempt.number, outcome: outcome)
    }
  }

  /// Returns whether the attempt of a step outlives a restart: the engine asks the child again.
  func isOfChild(_ step: Int, _ phase: StepPhase) -> Bool {
    switch phase {
    case .forward: rules(of: step).action.isWorkflow
    case .undo: undo(of: step)?.action.isWorkflow ?? false
    }
  }

  // MARK: The child

  /// Turns a child back because its parent undoes it. A completed child is opened again.
  mutating func turnBackForParent() throws(Refusal) {
    let isOver = state.end.map { $0.status != .completed } ?? false
    if isOver || state.turnBack != nil { return }
    if isPivotPassed {
      throw Refusal(
        EngineErrorCode.childPivotPassed,
        "The child saga \(state.id) (\(state.start.workflow)) has passed its point of no return, so it can't be undone."
      )
    }
    let reason = TurnBack(
      cause: .parent, code: EngineErrorCode.childUndone,
      message: "The saga that started this one undoes it" + (state.start.parent.map { ": \($0.saga)." } ?? "."))
    if state.end != nil {
      emit(SagaReopened(reason))
      try askForOwnTurn(to: .undo)
    } else if state.requestedTurnBack == nil {
      request(reason)
    }
  }
}
