import JSON
import Persistence
import SagaCore
import Values

// A row is made from the saga's state. So only the core's fold defines the effect of an event. A new kind of event
// needs nothing here, unless lists are to show something new.
extension SagaRow {
  /// - Parameters:
  ///   - state: the fold of the events so far.
  ///   - shard: the shard of its stream.
  ///   - moment: the time of the last event.
  ///   - words: the words of its start by which a search finds it.
  init(_ state: SagaState, shard: Int, at moment: Timestamp, startWords words: [String]) {
    let steps = state.steps.map { StepRow($0, isEnded: state.end != nil) }
    let trouble = Trouble(state)
    let need = SagaNeed(state)
    self.init(
      id: state.id, shard: shard, lastEvent: state.version, workflow: state.start.workflow,
      version: state.definition.version, status: state.status.rawValue, isPaused: state.isPaused,
      startedAt: state.startedAt,
      updatedAt: moment, endedAt: state.end?.at, deadline: state.deadline, overdueAt: state.overdueAt,
      key: state.start.idempotencyKey, parent: state.start.parent?.saga.description,
      tags: state.start.tags, title: state.start.title, labels: state.start.labels, failedStep: trouble?.step,
      failureCode: trouble?.code,
      failureMessage: trouble?.message, causeStep: state.turnBack?.value.step, causeCode: state.turnBack?.value.code,
      need: need, late: SagaNeed(late: state, else: need), waitingFor: state.waitingFor,
      attempts: state.steps.map { max($0.forward.count, $0.undo.count) }.max() ?? 0, steps: steps,
      words: Self.words(words, trouble))
  }

  /// Returns the words by which a saga is found from its start on, at most `SagaWords.limit`: its id, tags and key,
  /// then the words of its title and labels, then those of its input.
  ///
  /// The values of an input take turns, one word each, so that a long remark leaves room for a barcode after it. So do
  /// the title and the labels, which get at most half of the words.
  static func startWords(_ start: SagaStart) -> [String] {
    var words = [start.id.description]
    for text in start.tags + [start.idempotencyKey].compactMap({ $0 }) { words += SagaWords.of(text) }
    let shown = [start.title].compactMap { $0 } + start.labels.map(\.value)
    take(shown.map(SagaWords.of), into: &words, upTo: min(words.count + SagaWords.limit / 2, SagaWords.limit))
    var values: [[String]] = []
    collect(start.input, into: &values)
    take(values, into: &words, upTo: SagaWords.limit)
    return words
  }

  /// Adds words of the values in turns, one of each value, until there are `limit`.
  private static func take(_ values: [[String]], into words: inout [String], upTo limit: Int) {
    // A title is often made of the input's values. A word that comes again takes no room.
    var known = Set(words)
    var turn = 0
    while words.count < limit, values.contains(where: { turn < $0.count }) {
      for value in values where turn < value.count && words.count < limit {
        if known.insert(value[turn]).inserted { words.append(value[turn]) }
      }
      turn += 1
    }
  }

  /// Collects the words of each text and number, up to the largest possible number of words.
  private static func collect(_ value: JSON, into values: inout [[String]]) {
    if values.count >= SagaWords.limit { return }
    switch value {
    case .string(let text): values.append(SagaWords.of(text))
    case .array(let elements): for element in elements { collect(element, into: &values) }
    case .object(let members): for (_, member) in members { collect(member, into: &values) }
    case .number(let number): values.append(SagaWords.of(number.text))
    case .null, .bool: break
    }
  }

  private static func words(_ start: [String], _ trouble: Trouble?) -> [String] {
    var seen: Set<String> = []
    // A quarter of the words is reserved for the error, so that a long input cannot displace the error's words.
    let recent = trouble.map { SagaWords.of($0.code) + SagaWords.of($0.message) } ?? []
    return (recent.prefix(SagaWords.limit / 4) + start).filter { seen.insert($0).inserted }.prefix(SagaWords.limit)
      .sorted()
  }
}

/// The failure on which a saga is stuck, or because of which it compensates.
package struct Trouble {
  package let step: String?
  package let code: String
  package let message: String

  package init?(_ state: SagaState) {
    if let step = state.blockedSteps.first,
      let failure = step.status == .undoFailed ? step.undoFailure : step.failure
    {
      (self.step, code, message) = (step.id, failure.code, failure.message)
    } else if let turnBack = state.turnBack?.value {
      (step, code, message) = (turnBack.step, turnBack.code, turnBack.message)
    } else {
      return nil
    }
  }
}

extension SagaNeed {
  /// What stops or delays a saga, whether or not it is overdue; nil when nothing does.
  package init?(_ state: SagaState) {
    if state.end != nil { return nil }
    // Until a person releases it, nothing else of it matters.
    if let pause = state.pause, state.isHeld {
      self.init(kind: .held, code: EngineErrorCode.sagaHeld, since: pause.at)
      return
    }
    // Of several steps, the one that stopped first: another that fails later changes nothing.
    if let blocker = state.blockers.min(by: { $0.since < $1.since }) {
      self.init(blocker)
    } else if let pause = state.pause {
      self.init(kind: .paused, since: pause.at)
    } else if let step = state.stepsUnderWay.first(where: { $0.failingCode != nil }) {
      let phase = step.phaseNow
      self.init(
        kind: .retrying, step: ItemID.step(of: step.id), phase: phase.rawValue, code: step.failingCode,
        since: step.underWaySince ?? (phase == .undo ? step.undo : step.forward).startedAt ?? state.startedAt)
    } else {
      return nil
    }
  }

  package init(_ blocker: Blocker) {
    self.init(
      kind: .stuck, step: ItemID.step(of: blocker.step), phase: blocker.phase.rawValue, code: blocker.failure.code,
      outcomeIsUnknown: blocker.outcomeIsUnknown, isItem: ItemID(blocker.step) != nil, since: blocker.since)
  }

  package init?(late state: SagaState) { self.init(late: state, else: SagaNeed(state)) }

  /// What delays a saga from the time on at which it is overdue. Nil when it can't be overdue, and when something else
  /// comes first.
  package init?(late state: SagaState, else need: SagaNeed?) {
    guard let since = state.overdueAt else { return nil }
    switch need?.kind {
    case .stuck, .held, .paused, .overdue: return nil
    case .retrying, nil: break
    }
    let steps = state.stepsUnderWay
    let step = steps.first { $0.overdue != nil } ?? steps.first { $0.failingCode != nil } ?? steps.first
    self.init(
      kind: .overdue, step: step.map { ItemID.step(of: $0.id) }, phase: step?.phaseNow.rawValue,
      code: step?.failingCode, since: since)
  }
}

extension StepState {
  fileprivate var phaseNow: StepPhase { status == .undoing ? .undo : .forward }

  /// The code of the failure after which the step, or its undo, is tried again. Nil when nothing has failed.
  fileprivate var failingCode: String? {
    switch status {
    case .backingOff: failure?.code
    // The first attempt of a round, or of a retry by an operator, has not failed.
    case .running: forward.spent > 1 ? failure?.code : nil
    case .undoing: inFlight == nil || undo.spent > 1 ? undoFailure?.code : nil
    // A poll repeats a look that failed.
    case .waiting: polling == nil ? nil : failure?.code
    case .pending, .succeeded, .failed, .skipped, .undone, .undoFailed: nil
    }
  }
}

extension SagaState {
  /// The time from which it is overdue, unless something happens before. While the saga is paused, its clock stops.
  fileprivate var overdueAt: Timestamp? {
    if end != nil { return nil }
    let ownDeadline = isPaused || waitsForOwnTurn ? nil : deadline
    return ([overdueSince, ownDeadline] + stepsUnderWay.map(\.overdue?.since)).compactMap { $0 }.min()
  }

  /// The names of signals, `delay`, `poll`, `task` for a worker, `child`, or `answer` for a participant's answer.
  fileprivate var waitingFor: [String] {
    if end != nil { return [] }
    var what = stepsUnderWay.filter { $0.status == .waiting }.map { step in
      step.isQueued
        ? "turn"
        : step.wait?.signal ?? (step.awaitedChild != nil ? "child" : step.polling == nil ? "delay" : "poll")
    }
    what += stepsUnderWay.compactMap { $0.undoWait?.signal }
    if turns.contains(where: { !$0.isTaken }) { what.append("turn") }
    if !awaitedChildren.isEmpty { what.append("child") }
    if stepsInFlight.contains(where: \.isOnlyOffered) { what.append("task") }
    if hasAttemptInFlight { what.append("answer") }
    var seen: Set<String> = []
    return what.filter { seen.insert($0).inserted }
  }
}

extension StepRow {
  /// - Parameter isEnded: true when the saga has ended. Then it has no current step.
  fileprivate init(_ step: StepState, isEnded: Bool) {
    let isAt: Bool
    var attempts = step.forward.count
    var error: String?
    switch step.status {
    case .pending, .succeeded, .skipped: isAt = false
    case .running, .waiting:
      isAt = true
      // A poll repeats a look that failed.
      if step.polling != nil { error = step.failure?.code }
    case .backingOff:
      isAt = true
      error = step.failure?.code
    case .failed:
      isAt = step.isBlocked
      error = step.failure?.code
    case .undoing:
      isAt = true
      attempts = step.undo.count
      error = step.undoFailure?.code
    case .undone:
      isAt = false
      attempts = step.undo.count
    case .undoFailed:
      isAt = true
      attempts = step.undo.count
      error = step.undoFailure?.code
    }
    self.init(
      id: step.id, status: step.status.rawValue, attempts: attempts, error: error, isAt: isAt && !isEnded)
  }
}
