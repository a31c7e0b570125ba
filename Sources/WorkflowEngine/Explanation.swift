import JSON
public import SagaCore
public import Values
public import Workflows

/// Says why a saga is in its current state, and what an operator can do next.
///
/// One pure function makes it from the saga's state, its workflow and the time. REST shows it as `why`. The command line,
/// the console and the notices show its sentence and its options, and have no words of their own for them.
///
/// The sentence names no time that `since` or `until` has, so that each reader shows these in its own way.
public struct Explanation: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// An attempt is under way, or the next step begins soon.
    case running
    /// A step waits for its next attempt.
    case retrying
    /// A step waits for a signal, or for a worker.
    case waiting
    /// A step asks again and again until an answer ends its poll.
    case polling
    /// The saga, a step or an undo waits for its turn of a key.
    case queued
    /// A step waits for its delay to end.
    case delayed
    /// A step waits for its child saga.
    case awaitingChild
    /// The saga undoes its steps.
    case compensating
    /// The saga undoes some steps, and then begins again at one of them.
    case rewinding
    case paused, stuck
    case completed, compensated, abandoned
  }

  /// One thing that an operator can do next.
  public struct Option: Sendable, Hashable {
    /// The name of a verb, or `signal`.
    public let verb: String
    /// The step that the verb names; nil for a verb on the whole saga.
    public let step: String?
    /// The signal's name, for `signal`.
    public let signal: String?
    /// What the operator has found out, for `resolve`.
    public let outcome: String?
    /// One sentence: what this does, or when to choose it.
    public let purpose: String
    /// The command line that does it. The operator fills in the reason, or the signal's body.
    public let command: String
  }

  public let kind: Kind
  /// The step that the explanation is about; nil when it is about the whole saga.
  public let step: String?
  /// Whether it is about the step or about its undo; nil without a step.
  public let phase: StepPhase?
  /// The code of the failure that the sentence names.
  public let code: String?
  /// `failed` or `unknown` for a step that failed going forward; otherwise nil.
  public let outcome: RoundOutcome?
  /// The time at which this began.
  public let since: Timestamp?
  /// The time at which this ends by itself; nil when it needs a signal or an operator, and while the saga is paused.
  public let until: Timestamp?
  /// The options that help, the nearest first. Empty for a saga that has ended, and for one that needs nothing.
  public let next: [Option]
  private let claim: String
  private let details: [String]

  /// Explains a saga.
  /// - Parameters:
  ///   - definition: the saga's workflow; nil when it is not known. Without it, `next` is empty.
  ///   - now: the time that decides whether the saga is overdue.
  ///   - allowed: the verbs that the saga takes, when the caller has them already.
  ///   - turns: the places of the saga's turns; without them the sentence does not say who holds the turn.
  ///   - step: the step to explain, if the saga is stuck at several, or waits for several signals.
  ///   - lastAsked: when a worker last asked each queue, since the engine started; nil when that is not known.
  ///   - children: how the children of the saga are, as far as that is known.
  public init(
    _ state: SagaState, _ definition: WorkflowDefinition?, now: Timestamp, allowed: [AllowedVerb]? = nil,
    turns: [TurnPlace] = [], about step: String? = nil, lastAsked: [String: Timestamp]? = nil,
    children: [UniqueID: ChildNow] = [:]
  ) {
    let explainer = Explainer(
      state: state, definition: definition, now: now, turns: turns, preferred: step, lastAsked: lastAsked,
      children: children)
    let reason = explainer.reason
    kind = reason.kind
    self.step = reason.step
    phase = reason.phase
    code = reason.code
    outcome = reason.outcome
    since = reason.since
    until = state.isPaused ? nil : reason.until
    claim = reason.claim
    details = reason.details + explainer.asides
    next = explainer.options(allowed ?? definition.map { Verbs.allowed(state, $0) } ?? [])
  }

  /// Says it in one sentence, or a few: `The saga is stuck because …`.
  public var sentence: String { sentence(of: "The saga") }

  /// Says it of this subject: `Saga 019c… of sample-processing is stuck because …`.
  public func sentence(of subject: String) -> String {
    (["\(subject) \(claim)"] + details).map { Words.sentence($0) }.joined(separator: " ")
  }
}

extension Explanation.Option {
  /// As a notice has it.
  package var json: JSON {
    var members: JSONObject = ["verb": .string(verb)]
    members["step"] = step.map(JSON.string)
    members["signal"] = signal.map(JSON.string)
    members["outcome"] = outcome.map(JSON.string)
    members["purpose"] = .string(purpose)
    members["command"] = .string(command)
    return .object(members)
  }
}

extension Explanation {
  /// The phrases of explanations. Texts of participants and of people are clipped: the saga itself has them whole.
  package enum Words {
    /// `step store failed for good: The freezer is locked [FREEZER_LOCKED]`
    package static func failed(_ step: String, _ phase: StepPhase, _ message: String, _ code: String?) -> String {
      "\(phase == .undo ? "the undo of step" : "step") \(step) failed for good" + failure(message, code)
    }

    /// `: The freezer is locked [FREEZER_LOCKED]`
    package static func failure(_ message: String, _ code: String?) -> String {
      let message = message.clippedToLine()
      return (message.isEmpty ? "" : ": " + (message.hasSuffix(".") ? String(message.dropLast()) : message))
        + (code.map { " [\($0)]" } ?? "")
    }

    package static func failure(_ failure: StepFailure?) -> String {
      failure.map { Self.failure($0.message, $0.code) } ?? ""
    }

    /// `by mia: “the freezer is being defrosted”`
    package static func act(_ by: String?, _ reason: String?) -> String {
      "by \((by ?? "someone").clippedToLine())" + quoted(reason)
    }

    package static func quoted(_ reason: String?) -> String { reason.map { ": “\($0.clippedToLine())”" } ?? "" }

    /// `a, b, c and 2 more`
    package static func list(_ names: [String]) -> String {
      names.prefix(3).joined(separator: ", ") + (names.count > 3 ? " and \(names.count - 3) more" : "")
    }

    /// `once in 5 min`
    package static func every(_ polling: StepStage.Polling) -> String { "once in \(duration(polling.every))" }

    /// `“running”`, or the status of the answer.
    package static func answer(_ answer: StepStage.Polling.Answer) -> String {
      answer.shown.map { "“\($0.clippedToLine())”" } ?? "\(answer.status)"
    }

    package static func sentence(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() + "." }

    /// `2026-03-01 08:15:40 UTC`
    package static func time(_ time: Timestamp) -> String {
      let text = time.description
      return "\(text.prefix(10)) \(text.dropFirst(11).prefix(8)) UTC"
    }

    /// `20.4 s`, `10 min`, `2 h 05 min`: two units at most.
    package static func duration(_ duration: Duration) -> String {
      let milliseconds = duration.wholeMilliseconds
      let seconds = milliseconds / 1_000
      func pair(_ first: Int, _ unit: String, _ second: Int, _ smaller: String) -> String {
        second == 0 ? "\(first) \(unit)" : "\(first) \(unit) \(second < 10 ? "0" : "")\(second) \(smaller)"
      }
      switch seconds {
      case ..<60:
        let tenths = milliseconds / 100 % 10
        return tenths == 0 ? "\(seconds) s" : "\(seconds).\(tenths) s"
      case ..<3_600: return pair(seconds / 60, "min", seconds % 60, "s")
      case ..<86_400: return pair(seconds / 3_600, "h", seconds / 60 % 60, "min")
      default: return pair(seconds / 86_400, "d", seconds / 3_600 % 24, "h")
      }
    }
  }
}

extension String {
  /// Returns the text on one line, without control characters, and with at most this number of characters. It goes to
  /// logs, terminals and messages.
  package func clippedToLine(_ most: Int = 160) -> String {
    let shown = unicodeScalars.map { $0.properties.generalCategory == .control ? " " : Character($0) }
    let line = String(shown).split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return line.count > most ? line.prefix(most - 1) + "…" : line
  }
}

/// Finds the reason and the options of an explanation.
struct Explainer {
  typealias Words = Explanation.Words

  let state: SagaState
  let definition: WorkflowDefinition?
  let now: Timestamp
  let turns: [TurnPlace]
  /// The step to explain, if the saga is stuck at several, or waits for several signals.
  let preferred: String?
  /// When a worker last asked each queue.
  let lastAsked: [String: Timestamp]?
  let children: [UniqueID: ChildNow]

  /// What the explanation says first.
  struct Reason {
    var kind: Explanation.Kind
    var step: String?
    var phase: StepPhase?
    var code: String?
    var outcome: RoundOutcome?
    var since: Timestamp?
    var until: Timestamp?
    var claim: String
    var details: [String] = []
  }

  var reason: Reason {
    if let end = state.end { return ended(end) }
    let blockers = state.blockers
    if let blocker = blockers.first(where: { $0.step == preferred }) ?? blockers.first {
      return stuck(at: blocker, others: blockers.map(\.step).filter { $0 != blocker.step })
    }
    if let pause = state.pause {
      return Reason(
        kind: .paused, since: pause.at, claim: "is paused " + Words.act(pause.value.by, pause.value.reason),
        details: ["nothing new starts until somebody resumes it"] + activities())
    }
    if let rewind = state.rewind {
      return backward(
        .rewinding, since: rewind.at, "is being rewound to step \(rewind.step) " + Words.act(rewind.by, rewind.reason))
    }
    if let turnBack = state.turnBack {
      return backward(.compensating, since: turnBack.at, "compensates because \(cause(turnBack.value))")
    }
    return forward
  }

  // MARK: Ends

  private func ended(_ end: SagaEnd) -> Reason {
    switch end.status {
    case .compensated:
      let details = state.turnBack.map { ["compensation started because \(cause($0.value))"] } ?? []
      return Reason(kind: .compensated, since: end.at, claim: "is compensated: its steps are undone", details: details)
    case .abandoned:
      return Reason(
        kind: .abandoned, since: end.at, claim: "was abandoned " + Words.act(end.by, end.reason),
        details: ["the engine undoes nothing more: check what is left over"])
    case .completed, .running, .compensating, .stuck:
      guard let error = end.outputErrors.first else {
        return Reason(kind: .completed, since: end.at, claim: "is completed")
      }
      let member = error.path.isEmpty ? "its output" : "\(error.path.clippedToLine()) of its output"
      let others = end.outputErrors.count - 1
      let more =
        others == 0 ? [] : [others == 1 ? "1 other member is null too" : "\(others) other members are null too"]
      return Reason(
        kind: .completed, code: error.code, since: end.at,
        claim: "is completed, but \(member) is null" + Words.failure(error.message, error.code), details: more)
    }
  }

  /// `step b failed: no [NO]`
  private func cause(_ turnBack: TurnBack) -> String {
    let by = (turnBack.by ?? "someone").clippedToLine()
    switch turnBack.cause {
    case .stepFailed: return "step \(turnBack.step ?? "?") failed" + Words.failure(turnBack.message, turnBack.code)
    case .timeout: return "its timeout ended"
    case .parent: return "the saga that started it is undone"
    case .cancelled: return "\(by) cancelled it" + Words.quoted(turnBack.reason)
    case .compensate: return "\(by) decided to compensate it" + Words.quoted(turnBack.reason)
    }
  }

  // MARK: Stuck

  private func stuck(at blocker: Blocker, others: [String]) -> Reason {
    let outcome = blocker.phase == .forward ? state.step(blocker.step).flatMap(settledOutcome) : nil
    var details: [String] = []
    if outcome == .unknown {
      let pivot = definition?.step(blocker.step)?.pivot ?? false ? "it is a pivot, and its" : "its"
      details.append("\(pivot) outcome is unknown: it may have happened. Check the participant first")
    }
    let behind = blocker.phase == .undo ? waitingBehind(blocker.step) : []
    if !behind.isEmpty {
      details.append("step\(behind.count == 1 ? "" : "s") \(Words.list(behind)) cannot be undone before it")
    }
    if !others.isEmpty {
      // Of a plate, what the ids have in common says more than three of them.
      let isPlate = others.count > 8 && others.allSatisfy { ItemID($0) == nil }
      let named = isPlate ? "\(others.count) other steps \(CommonName.of(others))" : Words.list(others)
      details.append("the saga is also stuck at \(named)")
    }
    if let turnBack = state.turnBack { details.append("compensation started because \(cause(turnBack.value))") }
    if let pause = state.pause { details.append("it is also paused " + Words.act(pause.value.by, pause.value.reason)) }
    if let rewind = state.rewind { details.append("it is being rewound to step \(rewind.step)") }
    if state.step(blocker.step)?.undoUnknown == true, let child = state.step(blocker.step)?.undoChild {
      details.append("what its child saga \(child.saga) did may remain. Check it first")
    }
    let failure = blocker.failure
    return Reason(
      kind: .stuck, step: blocker.step, phase: blocker.phase, code: failure.code, outcome: outcome,
      since: blocker.since,
      claim: "is stuck because " + Words.failed(blocker.step, blocker.phase, failure.message, failure.code),
      details: details)
  }

  /// The outcome of a step that failed going forward; nil for every other step.
  private func settledOutcome(_ step: StepState) -> RoundOutcome? {
    switch step.outcome {
    case .failed, .unknown: step.outcome
    case .none, .succeeded: nil
    }
  }

  /// The steps before this one that are still to be undone, in the order of the file.
  private func waitingBehind(_ step: String) -> [String] {
    guard let definition else { return [] }
    var before: Set<String> = []
    var open = [ItemID.step(of: step)]
    while let id = open.popLast() {
      for one in definition.step(id)?.dependsOn ?? [] where before.insert(one).inserted { open.append(one) }
    }
    return state.steps.filter { before.contains($0.id) && $0.status == .succeeded }.map(\.id)
  }

  // MARK: Under way

  /// Steps are being undone.
  private func backward(_ kind: Explanation.Kind, since: Timestamp, _ claim: String) -> Reason {
    let undoing = state.steps.filter { $0.status == .undoing }
    let forSignals = undoing.filter { $0.undoWait?.signal != nil }
    let step =
      forSignals.first { $0.id == preferred } ?? forSignals.first ?? undoing.first { $0.inFlight == nil }
      ?? undoing.first
    let failure = step.flatMap { $0.retryAt == nil ? nil : $0.undoFailure }
    return Reason(
      kind: kind, step: step?.id, phase: step.map { _ in .undo }, code: failure?.code, since: since,
      until: step.flatMap { $0.inFlight?.attempt.deadline ?? $0.retryAt ?? $0.undoWait?.until }, claim: claim,
      details: waitToUndo + activities())
  }

  /// Says that a saga that was opened again waits for its own turn before it undoes a step.
  private var waitToUndo: [String] {
    guard let turn = state.ownTurn, !turn.isTaken else { return [] }
    return ["it waits for its turn before it undoes a step: \(line(of: turn))"]
  }

  private var forward: Reason {
    if let turn = state.ownTurn, !turn.isTaken {
      return Reason(
        kind: .queued, phase: .forward, since: turn.askedAt,
        claim: "waits to begin until its turn comes: \(line(of: turn))"
      )
    }
    let waiting = state.steps.filter { $0.status == .waiting }
    let forSignals = waiting.filter { $0.wait?.signal != nil }
    if let step = forSignals.first(where: { $0.id == preferred }) ?? forSignals.first, let signal = step.wait?.signal {
      return Reason(
        kind: .waiting, step: step.id, phase: .forward, since: step.startedAt, until: step.wait?.until,
        claim: "waits at step \(step.id) for the signal “\(signal)”",
        details: reminders(of: step) + activities(but: step.id))
    }
    if let step = state.steps.first(where: { $0.status == .backingOff }) {
      return Reason(
        kind: .retrying, step: step.id, phase: .forward, code: step.failure?.code, outcome: settledOutcome(step),
        since: step.startedAt, until: step.retryAt, claim: "waits for the next attempt of step \(step.id)",
        details: [lastAttempt(of: step)] + activities(but: step.id))
    }
    if let step = state.steps.first(where: { $0.status == .running && $0.isOnlyOffered }),
      let offer = step.offer
    {
      return Reason(
        kind: .waiting, step: step.id, phase: .forward, since: step.inFlight?.attempt.startedAt,
        until: step.waitsUntil, claim: "waits at step \(step.id) for a worker of queue \(offer.queue)",
        details: asking(offer) + activities(but: step.id))
    }
    if let step = state.steps.first(where: { $0.status == .running && !$0.isOpenGroup }) {
      let attempt = step.inFlight?.attempt
      return Reason(
        kind: .running, step: step.id, phase: .forward, since: attempt?.startedAt ?? step.startedAt,
        until: attempt?.deadline, claim: "runs step \(step.id)\(number(step.forward.count))",
        details: worker(of: step) + activities(but: step.id))
    }
    if let step = state.steps.first(where: \.isOpenGroup), let words = items(of: step) {
      return Reason(
        kind: .running, step: step.id, phase: .forward, since: step.startedAt, claim: "does \(words)",
        details: stuckChildren(of: step) + activities(but: step.id))
    }
    if let step = waiting.first(where: { $0.polling != nil }), let polling = step.polling {
      return Reason(
        kind: .polling, step: step.id, phase: .forward, code: step.failure?.code, since: step.startedAt,
        until: polling.until, claim: "polls at step \(step.id), \(Words.every(polling))",
        details: found(by: polling, of: step) + activities(but: step.id))
    }
    if let step = waiting.first(where: \.isQueued), let turn = state.turn(of: step.id) {
      return Reason(
        kind: .queued, step: step.id, phase: .forward, since: turn.askedAt, until: step.waitsUntil,
        claim: "waits at step \(step.id) for its turn: \(line(of: turn))", details: activities(but: step.id))
    }
    if let step = waiting.first(where: { $0.awaitedChild != nil }), let child = step.awaitedChild {
      return Reason(
        kind: .awaitingChild, step: step.id, phase: .forward, since: step.startedAt,
        claim: "waits at step \(step.id) for its child saga \(child.saga) (\(child.workflow))" + condition(of: child),
        details: activities(but: step.id))
    }
    if let step = waiting.first {
      return Reason(
        kind: .delayed, step: step.id, phase: .forward, since: step.startedAt, until: step.wait?.until,
        claim: "waits at step \(step.id) until its delay ends", details: activities(but: step.id))
    }
    return Reason(kind: .running, claim: "is running: its next step begins soon")
  }

  /// `HiSeq-1, held by saga 019c…, step load, since 2026-03-01 08:15:40 UTC; 2 before it`
  private func line(of turn: Turn) -> String {
    let key = turn.key.clippedToLine()
    guard let place = turns.first(where: { $0.turn.step == turn.step }) else { return key }
    let holders = place.holders.prefix(2).map { holder in
      let since = holder.takenAt.map { ", since \(Words.time($0))" } ?? ""
      return "held by saga \(holder.saga)\(holder.step.map { ", step \($0)" } ?? "")\(since)"
    }
    let others = place.held - holders.count
    let more = !holders.isEmpty && others > 0 ? [others == 1 ? "and by 1 other" : "and by \(others) others"] : []
    return ([key] + holders + more).joined(separator: ", ") + "; \(place.ahead) before it"
  }

  /// Says how many items of a step are in which status; nil for a step without items.
  private func items(of step: StepState) -> String? {
    guard let items = state.items(of: step.id) else { return nil }
    let underWay = [StepStatus.running, .backingOff, .waiting, .undoing].reduce(0) { $0 + items.count(of: $1) }
    let parts: [(Int, String)] = [
      (items.count(of: .succeeded), "done"), (underWay, "under way"), (items.count(of: .failed), "failed"),
      (items.count(of: .skipped), "skipped"), (items.count(of: .undone), "undone"),
      (items.count(of: .undoFailed), "not undone"), (items.count(of: .pending), "to come"),
    ]
    return "step \(step.id) for \(items.count) \(items.count == 1 ? "item" : "items"): "
      + parts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
  }

  /// Says when a worker last asked for a task.
  private func asking(_ offer: StepStage.Offer) -> [String] {
    guard let lastAsked else { return [] }
    return ["none has asked since \(lastAsked[offer.queue].map(Words.time) ?? "the engine started")"]
  }

  /// Says which worker has the step's task.
  private func worker(of step: StepState) -> [String] {
    step.offer?.taken.map { ["worker \($0.worker.clippedToLine()) has its task since \(Words.time($0.at))"] } ?? []
  }

  /// `, which is stuck at store`; empty when it is not known how the child is.
  private func condition(of child: ChildLink) -> String {
    guard let now = children[child.saga] else { return "" }
    return ", which is \(now.status.rawValue)" + (now.stuckAt.map { " at \($0)" } ?? "")
  }

  /// Says how many children of a step's items wait for an operator.
  private func stuckChildren(of step: StepState) -> [String] {
    let stuck = state.awaitedChildren.filter { children[$0.saga]?.status == .stuck }.map { child in
      children[child.saga]?.title.map { "\($0.clippedToLine()) (\(child.saga))" } ?? "\(child.saga)"
    }
    if stuck.isEmpty { return [] }
    return ["\(stuck.count == 1 ? "1 child saga is" : "\(stuck.count) child sagas are") stuck: \(Words.list(stuck))"]
  }

  private func reminders(of step: StepState) -> [String] {
    guard let times = (step.wait ?? step.undoWait)?.reminders, times > 0 else { return [] }
    return ["people have been reminded of it \(times == 1 ? "once" : "\(times) times")"]
  }

  /// Says what the last look found, and when the next one is made.
  private func found(by polling: StepStage.Polling, of step: StepState) -> [String] {
    var found: [String] = []
    if let failure = step.failure {
      found.append("the last look failed\(Words.failure(failure))")
    } else if let answer = polling.answer {
      found.append("the last answer was \(Words.answer(answer)), since \(Words.time(answer.since))")
    }
    if !state.isPaused, let next = polling.next(after: now) {
      found.append("the next look is due at \(Words.time(next.at))")
    }
    return found
  }

  private func number(_ attempt: Int) -> String { attempt > 1 ? " (attempt \(attempt))" : "" }

  private func lastAttempt(of step: StepState) -> String {
    "attempt \(step.forward.count) failed\(Words.failure(step.failure))"
      + (step.outcome == .unknown ? ", and it may have happened" : "")
  }

  func activity(of step: StepState) -> String? {
    switch step.status {
    // The steps inside a group say what happens.
    case .running where step.isOpenGroup: items(of: step).map { "it does \($0)" }
    case .running where step.isOnlyOffered:
      "step \(step.id) waits for a worker of queue \(step.offer?.queue ?? "?")"
    case .running where step.offer != nil:
      state.turnBack == nil
        ? "step \(step.id) is under way\(number(step.forward.count)); \(worker(of: step).joined())"
        : "its worker has not ended step \(step.id) yet; the next heartbeat tells it to stop"
    case .running:
      state.turnBack == nil
        ? "step \(step.id) is under way\(number(step.forward.count))"
        : "an attempt of step \(step.id) has not ended yet"
    case .backingOff: "step \(step.id) waits for its next attempt; \(lastAttempt(of: step))"
    case .waiting:
      if step.isQueued {
        state.turn(of: step.id).map { "step \(step.id) waits for its turn: \(line(of: $0))" }
      } else if let polling = step.polling {
        (["step \(step.id) polls, \(Words.every(polling))"] + found(by: polling, of: step)).joined(separator: "; ")
      } else {
        (step.wait?.signal).map { "step \(step.id) waits for the signal “\($0)”" }
          ?? step.awaitedChild.map { "step \(step.id) waits for its child saga \($0.saga)" + condition(of: $0) }
          ?? "step \(step.id) waits for its delay to end"
      }
    case .undoing where step.isOnlyOffered:
      "the undo of step \(step.id) waits for a worker of queue \(step.offer?.queue ?? "?")"
    case .undoing where step.inFlight != nil:
      "step \(step.id) is being undone\(number(step.undo.count))"
        + (step.child.map { ": its child saga \($0.saga) turns back" + condition(of: $0) } ?? "")
    case .undoing where step.undoWait != nil:
      step.undoWait?.signal.map { signal in
        (["the undo of step \(step.id) waits for the signal “\(signal)”"] + reminders(of: step)).joined(separator: "; ")
      }
        ?? step.awaitedUndoChild.map {
          "the undo of step \(step.id) waits for its child saga \($0.saga) (\($0.workflow))" + condition(of: $0)
        }
    case .undoing where step.undo.count == 0:
      "the undo of step \(step.id) waits again, because an operator retries it"
    case .undoing:
      "attempt \(step.undo.count) to undo step \(step.id) failed\(Words.failure(step.undoFailure)); the next attempt follows"
    case .succeeded where isUndoQueued(step), .failed where isUndoQueued(step):
      state.turn(of: step.id).map { "what step \(step.id) did waits for its turn to be undone: \(line(of: $0))" }
    case .succeeded, .failed:
      (state.items(of: step.id)?.count(of: .undoing) ?? 0) > 0 ? items(of: step).map { "it undoes \($0)" } : nil
    case .pending, .skipped, .undone, .undoFailed: nil
    }
  }

  private func isUndoQueued(_ step: StepState) -> Bool {
    state.turn(of: step.id).map { $0.phase == .undo && !$0.isTaken } ?? false
  }

  // MARK: What else matters

  var asides: [String] {
    guard state.end == nil else { return [] }
    var asides: [String] = []
    if let requested = state.requestedTurnBack {
      asides.append(
        "compensation is requested because \(cause(requested.value)); it starts unless the pivot under way succeeds")
    }
    asides += overdueSteps
    if isPastDeadline, state.turnBack?.value.cause != .timeout {
      let goesOn = isPivotPassed ? "; it has passed its pivot, so it only goes forward" : ""
      asides.append("the saga is overdue: its deadline was \(Words.time(state.deadline))\(goesOn)")
    }
    return asides
  }

  /// The steps that take longer than expected. Of more than three only the first is explained; at most ten are named.
  private var overdueSteps: [String] {
    let late = state.steps.filter { $0.overdue != nil }
    guard late.count > 3 else { return late.compactMap(overdue) }
    let others = late.dropFirst().map(\.id)
    let more = others.count > 9 ? " and \(others.count - 9) more" : ""
    return late.prefix(1).compactMap(overdue)
      + ["\(others.count) other steps are overdue: \(others.prefix(9).joined(separator: ", "))\(more)"]
  }

  private func overdue(_ step: StepState) -> String? {
    guard let overdue = step.overdue else { return nil }
    let what = step.status == .undoing ? "the undo of step \(step.id)" : "step \(step.id)"
    let basis = overdue.expected.samples.map { "learned from \($0) runs" } ?? overdue.expected.basis.rawValue
    return "\(what) is overdue: its end was expected at \(Words.time(overdue.since)), after "
      + "\(Words.duration(overdue.expected.duration)) (\(basis))"
  }

  var isPastDeadline: Bool {
    state.overdueSince != nil || state.deadline < state.pausedAt ?? now && !state.waitsForOwnTurn
  }

  private var isPivotPassed: Bool { definition.map { state.isPivotPassed(by: $0) } ?? state.pivotPassed }
}
