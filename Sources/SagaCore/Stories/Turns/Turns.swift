import JSON
import Values
import Workflows

// Turns. A step, a group or a saga with `concurrency` asks for the turn of a key before it begins. The engine's table
// answers when the turn comes. The turn is held until the asker has settled; an end of the saga releases every turn.
//
// A step holds its turn over all its attempts, and while the saga is stuck on it: what happened is not decided, so only
// an operator can say that the instrument is free. A group, and a step with `forEach`, hold theirs until all inside it
// have settled. When the saga turns back meanwhile, the turn is kept until the undos are done. An undo that begins
// without a turn asks for one. A saga holds its turn from the start to the end; a completed child that its parent undoes
// asks for it again. What is inside a group, or a saga, that holds a turn of the same key needs none of its own.

/// A turn of a key: asked for, and later taken.
public struct Turn: Sendable, Hashable {
  /// The step or the group that asked; nil for the saga itself.
  public let step: String?
  /// Whether the turn was asked for to do the step or to undo it.
  public let phase: StepPhase
  public let key: String
  /// The number of turns of the key that may be held at the same time, as the asker's workflow says.
  public let limit: Int
  /// Turns are given in the order of these times.
  public let askedAt: Timestamp
  /// The start of the wait, without the time of pauses.
  var waitsSince: Timestamp
  /// Nil while it waits.
  public internal(set) var takenAt: Timestamp?

  init(step: String?, phase: StepPhase, key: String, limit: Int, askedAt: Timestamp) {
    self.step = step
    self.phase = phase
    self.key = key
    self.limit = limit
    self.askedAt = askedAt
    waitsSince = askedAt
  }

  public var isTaken: Bool { takenAt != nil }

  /// The name under which a state keeps the turn of a saga itself.
  static let saga = ""
}

/// The engine's table says that a turn has come.
public struct TurnOffer: Sendable, Hashable {
  /// The step or the group that asked; nil for the saga itself.
  public let step: String?
  public let key: String

  public init(step: String?, key: String) {
    self.step = step
    self.key = key
  }
}

extension SagaState {
  /// The turns that the saga holds or waits for, in the order in which it asked. None once the saga has ended.
  public var turns: [Turn] {
    turnsByOwner.isEmpty
      ? [] : turnsByOwner.values.sorted { ($0.askedAt, $0.step ?? Turn.saga) < ($1.askedAt, $1.step ?? Turn.saga) }
  }

  /// Whether the saga holds a turn or waits for one.
  public var hasTurns: Bool { !turnsByOwner.isEmpty }

  /// Returns the turn of a step or a group; nil when it has not asked.
  public func turn(of step: String) -> Turn? { turnsByOwner[step] }

  /// The turn of the saga itself; nil when its workflow has no `concurrency`, and after the end.
  public var ownTurn: Turn? { turnsByOwner[Turn.saga] }

  /// Whether the saga waits for its own turn. No step begins, and its timeout does not run.
  public var waitsForOwnTurn: Bool { ownTurn.map { !$0.isTaken } ?? false }

  /// Whether an undo waits for its turn. No timeout ends that wait.
  var waitsToUndo: Bool { turnsByOwner.values.contains { !$0.isTaken && $0.phase == .undo } }

  /// The turns that could be taken now: those that wait while the saga is not paused, as offers.
  public var awaitedTurns: [TurnOffer] {
    isPaused ? [] : turns.filter { !$0.isTaken }.map { TurnOffer(step: $0.step, key: $0.key) }
  }
}

// MARK: Going forward

extension Decider {
  /// Asks for the turn of the saga itself: right after its start, and when a completed child opens again to be undone.
  /// - Throws: `Refusal` when the key has no text: then the saga neither starts nor opens again.
  mutating func askForOwnTurn(to phase: StepPhase = .forward) throws(Refusal) {
    guard let concurrency = definition.concurrency else { return }
    let document = state.document(reading: .none)
    do throws(ConcurrencyError) {
      let key = try measured { meter throws(ConcurrencyError) in try concurrency.text(in: document, meter: meter) }
      emit(TurnAsked(step: nil, phase: phase, key: key, limit: concurrency.limit))
    } catch {
      let what = phase == .forward ? "start" : "be undone"
      throw Refusal(WorkflowErrorCode.concurrencyBadKey, "The saga can't \(what): \(error.message)")
    }
  }

  /// Returns whether a step may begin, because it holds its turn or needs none. Asks for the turn otherwise.
  mutating func mayBegin(_ step: Int) -> Bool {
    guard ItemPlace(step) == nil, let concurrency = definition.steps[step].concurrency else { return true }
    let now = state.steps[step]
    let held = state.turn(of: now.id)
    // The key of an attempt that is made again is the same, unless an operator gave the step another input. A step that has
    // waited begins with the turn for which it waited, also when the saga has moved to a version with another key.
    if let held, held.isTaken, now.input == nil || now.isQueued { return true }
    let document = state.document(for: now, reading: concurrency.reads)
    do throws(ConcurrencyError) {
      let key = try measured { meter throws(ConcurrencyError) in try concurrency.text(in: document, meter: meter) }
      if holdsAround(step, key) { return true }
      if let held {
        if held.key == key { return held.isTaken }
        emit(TurnReleased(step: now.id, key: held.key))
      }
      emit(
        TurnAsked(
          step: now.id, phase: .forward, key: key, limit: concurrency.limit,
          until: definition.steps[step].turnTimeout.map { self.now + $0 }))
    } catch {
      fail(step, StepFailure(code: error.code, message: error.message))
    }
    return false
  }

  /// Returns whether a group around a step, or the saga, holds a turn of this key. Then the step needs none of its own.
  private func holdsAround(_ step: Int, _ key: String) -> Bool {
    var group = definition.groups[step]
    while let one = group {
      if let turn = state.turn(of: id(one)), turn.isTaken, turn.key == key { return true }
      group = definition.groups[one]
    }
    return state.ownTurn.map { $0.isTaken && $0.key == key } ?? false
  }

  /// Whether the steps may begin, as far as the turn of the saga itself decides.
  var holdsOwnTurn: Bool { !state.waitsForOwnTurn }

  /// Takes the turns that have come. A turn for which the saga does not wait any more stays free. While the saga is
  /// paused, it takes none.
  mutating func take(_ offers: [TurnOffer]) {
    guard state.end == nil, !state.isPaused else { return }
    for offer in offers {
      let waiting: Turn? = offer.step.map { state.turn(of: $0) } ?? state.ownTurn
      guard let turn = waiting, !turn.isTaken, turn.key == offer.key else { continue }
      emit(TurnTaken(step: turn.step, phase: turn.phase, key: turn.key))
    }
  }

  /// Fails the steps that have waited for their turn until the end of their time.
  mutating func endDueTurns() {
    guard state.turnBack == nil else { return }
    for step in state.sets.queued {
      guard case .queued(let until?) = state.steps[step].stage, until <= now,
        until <= state.deadline || isPivotPassed, let turn = state.turn(of: id(step)), !turn.isTaken
      else { continue }
      fail(
        step,
        StepFailure(
          code: EngineErrorCode.concurrencyTimeout,
          message: "The turn of “\(turn.key)” did not come by \(until), the step's timeout."))
    }
  }

  // MARK: Undo

  /// Returns whether the undo of a step may begin, because the turns of the saga, of the step and of the groups around it
  /// are held, or none is needed. Asks for the outermost missing turn otherwise.
  mutating func mayUndo(_ step: Int) -> Bool {
    guard holdsOwnTurn else { return false }
    var owners = [step]
    while let group = definition.groups[owners[owners.count - 1]] { owners.append(group) }
    for owner in owners.reversed() {
      guard let concurrency = definition.steps[owner].concurrency else { continue }
      if let turn = state.turn(of: id(owner)) {
        guard turn.isTaken else { return false }
        continue
      }
      // What began without a turn, as by an operator's word, needs none for its undo.
      guard let key = state.steps[owner].turnKey else { continue }
      emit(TurnAsked(step: id(owner), phase: .undo, key: key, limit: concurrency.limit))
      return false
    }
    return true
  }

  // MARK: Release

  /// Releases the turns of all that has settled, and those for which a step waits no longer.
  mutating func releaseTurns() {
    guard state.end == nil, state.hasTurns else { return }
    for turn in state.turns {
      guard let id = turn.step, let step = state.index(of: id) else { continue }
      let isGivenUp = !turn.isTaken && turn.phase == .forward && !state.steps[step].isQueued
      if isGivenUp || isDone(with: step) { emit(TurnReleased(step: id, key: turn.key)) }
    }
  }

  /// Returns whether a step, its items and its members have settled, and nothing of them is to be undone now.
  private func isDone(with step: Int) -> Bool {
    let isGoingBack = state.turnBack != nil || state.isRewinding(id(step))
    switch state.steps[step].stage {
    case .queued, .running, .backingOff, .waiting, .polling, .open, .undoing, .undoBackingOff, .undoWaiting,
      .undoFailed(blocks: true):
      return false
    case .failed(.blocks), .failed(.turnsBack): guard isGoingBack, isUndoSettled(step) else { return false }
    case .succeeded, .failed(.goesOn), .failed(.settles): if isGoingBack, !isUndoSettled(step) { return false }
    case .pending, .skipped, .undone, .undoFailed(blocks: false): break
    }
    if let items = state.steps.items(of: step), items.underWay > 0 { return false }
    return definition.members[step].allSatisfy { isDone(with: $0) }
  }
}

extension Step {
  /// The longest wait for the turn: the timeout of what waits as a whole. Nil when only the saga's timeout, and that of the
  /// groups around it, limits the wait. The timeout of a call is that of one attempt, so it limits no wait.
  fileprivate var turnTimeout: Duration? {
    if forEach != nil { return nil }
    return switch action {
    case .group, .signal, .task: timeout
    case .http: poll == nil ? nil : timeout
    case .kafka, .workflow, .delay, .fail: nil
    }
  }
}
