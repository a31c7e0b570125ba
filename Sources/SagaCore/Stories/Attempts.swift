import JSON
import Values
import Workflows

// Attempts to do a step or to undo it. An attempt begins, is made again after a pause, and settles once. This file
// decides what follows from an outcome; an executor reports a `StepOutcome`.

/// Why an attempt, or a step, failed.
public struct StepFailure: Error, Sendable, Hashable {
  /// The participant's own code (`QC_FAILED`), or one of ours (`http.503`, `timeout`).
  public var code: String
  /// Further codes that a retry policy may name, from the exact one to the general one: `http.422`, `http.4xx`.
  public var classes: [String]
  public var message: String
  /// Whether another attempt may help, as far as the executor knows. A retry policy may decide otherwise.
  public var isRetryable: Bool
  /// How long the participant asked us to wait.
  public var retryAfter: Duration?
  /// Whether the participant says that it has nothing under that name (404, 410).
  public var isGone: Bool
  /// Whether the participant is declared to keep tombstones: after an early undo it refuses the late command.
  public var keepsTombstones: Bool
  /// The answer from which the failure follows. Nil when no answer came, and in states, which have it beside the failure.
  public internal(set) var answer: CallAnswer?

  public init(
    code: String, classes: [String] = [], message: String, isRetryable: Bool = false, retryAfter: Duration? = nil,
    isGone: Bool = false, keepsTombstones: Bool = false
  ) {
    self.code = code
    self.classes = classes
    self.message = message
    self.isRetryable = isRetryable
    self.retryAfter = retryAfter
    self.isGone = isGone
    self.keepsTombstones = keepsTombstones
  }

  public var codes: [String] { [code] + classes }
}

/// The end of an attempt, as its executor reports it. The core decides what follows.
public enum StepOutcome: Sendable, Hashable {
  case succeeded(JSON)
  /// The action happened, but its answer can't be read, for this reason. A step that reads the answer fails with this
  /// reason.
  case succeededUnread(StepFailure)
  /// The answer to a look. The conditions of the step's `poll` decide what it means.
  case answered(LookAnswer)
  /// A clean refusal: the action did not happen.
  case failed(StepFailure)
  /// The action may have happened.
  case unknown(StepFailure)
  /// The engine did not send the attempt, for a reason of its own, or cut a look off that changes nothing. The attempt
  /// doesn't count, and is made again.
  case notSent(StepFailure)
}

/// The name of an attempt in flight. The engine keeps the names of the attempts that it performs, so that it performs an effect once.
package struct AttemptID: Sendable, Hashable {
  private let step: String
  private let phase: StepPhase
  private let round: Int
  private let attempt: Int

  /// Nil when the step has no attempt in flight.
  package init?(_ state: StepState) {
    guard let (phase, attempt) = state.inFlight else { return nil }
    (self.step, self.phase, self.round, self.attempt) = (state.id, phase, state.round, attempt.number)
  }
}

extension Decider {
  /// The pause before an attempt that was not sent is made again. It keeps an engine that can't send from a busy loop.
  static let pauseAfterNotSent = Duration.seconds(1)

  /// Begins an attempt to do the step. A call that can't be rendered is never sent. Then the step fails cleanly, unless
  /// an earlier attempt left its outcome unknown.
  mutating func startAttempt(_ step: Int) {
    let (now, rules) = (state.steps[step], self.rules(of: step))
    if let failure = problem(with: rules.action, of: now) {
      fail(step, failure)
      return
    }
    if case .task(let task) = rules.action {
      offer(step, task, phase: .forward, for: rules.timeout ?? definition.timeout)
      return
    }
    emit(
      AttemptStarted(
        step: now.id, phase: .forward, round: now.round, attempt: now.forward.count + 1,
        deadline: self.now + (rules.timeout ?? CallRendering.defaultTimeout)))
  }

  /// Decides what follows from an attempt's outcome. A report on a settled attempt changes nothing.
  mutating func settle(_ step: Int, phase: StepPhase, attempt: Int, outcome: StepOutcome) {
    guard let inFlight = state.steps[step].inFlight, inFlight.phase == phase, inFlight.attempt.number == attempt else {
      return
    }
    switch phase {
    case .forward: settleForward(step, attempt: attempt, outcome: outcome)
    case .undo: settleUndo(step, attempt: attempt, outcome: outcome)
    }
  }

  /// Settles the attempts in flight after a restart as unknown, because no executor reports on them. A task waits for its
  /// worker, before and after a restart.
  mutating func interruptAttempts() {
    for step in state.sets.inFlight {
      guard let (phase, attempt) = state.steps[step].inFlight, attempt.offer == nil else { continue }
      // A child is asked again instead: its start and its undo have one effect, however often they are requested.
      if isOfChild(step, phase) { continue }
      let failure = StepFailure(
        code: EngineErrorCode.attemptInterrupted,
        message: "The engine stopped while this attempt was under way; whether it happened is not known.",
        isRetryable: true)
      settle(step, phase: phase, attempt: attempt.number, outcome: .unknown(failure))
    }
  }

  private mutating func settleForward(_ step: Int, attempt: Int, outcome: StepOutcome) {
    if let look = recordedLook(of: step) { return settle(look, of: step, outcome) }
    let failure: StepFailure
    let isUnknown: Bool
    switch outcome {
    case .succeeded(let output):
      succeed(step, output: StepOutput(output))
      return
    case .succeededUnread(let problem):
      succeed(step, output: StepOutput(problem: problem))
      return
    case .answered(let answer):
      succeed(step, output: answer.output)
      return
    case .failed(let reported): (failure, isUnknown) = (reported, false)
    case .unknown(let reported): (failure, isUnknown) = (reported, true)
    case .notSent(let reported):
      notSent(step, phase: .forward, attempt: attempt, failure: reported)
      return
    }
    let now = state.steps[step]
    if isGoingForward(now),
      let retryAt = RetryDecision.next(
        after: failure, rules: rules(of: step).retry, spent: now.forward.spent,
        seed: seed(now, phase: .forward, attempt: attempt), now: self.now),
      isInTime(retryAt, forTaskOf: now)
    {
      emit(
        AttemptFailed(
          step: now.id, phase: .forward, attempt: attempt, isUnknown: isUnknown, failure: failure, retryAt: retryAt))
    } else {
      fail(step, failure, isUnknown: isUnknown)
    }
  }

  private mutating func settleUndo(_ step: Int, attempt: Int, outcome: StepOutcome) {
    guard let undo = undo(of: step) else { return }
    let now = state.steps[step]
    var failure: StepFailure
    var isUnknown = false
    switch outcome {
    case .succeeded, .succeededUnread:
      emit(UndoSucceeded(step: now.id, how: .answered))
      return
    case .answered(let answer):
      emit(UndoSucceeded(step: now.id, how: .answered, answer: answer.recorded(withBody: true)))
      return
    case .failed(let reported): failure = reported
    case .unknown(let reported): (failure, isUnknown) = (reported, true)
    case .notSent(let reported):
      notSent(step, phase: .undo, attempt: attempt, failure: reported)
      return
    }
    if failure.isGone {
      // The participant has nothing under that name. The step is undone if it had happened, or if the participant will
      // refuse a late command. Otherwise the command may still arrive, and the engine asks again.
      if now.outcome == .succeeded || failure.keepsTombstones {
        emit(UndoSucceeded(step: now.id, how: .alreadyGone, answer: failure.answer))
        return
      }
      failure.isRetryable = true
    }
    retryUndo(step, undo, attempt: attempt, after: failure, isUnknown: isUnknown)
  }

  /// Plans the next attempt to undo a step, or fails the undo for good.
  mutating func retryUndo(_ step: Int, _ undo: Undo, attempt: Int, after failure: StepFailure, isUnknown: Bool) {
    let now = state.steps[step]
    if let retryAt = RetryDecision.next(
      after: failure, rules: undo.retry, spent: now.undo.spent, seed: seed(now, phase: .undo, attempt: attempt),
      now: self.now), isInTime(retryAt, forTaskOf: now)
    {
      emit(
        AttemptFailed(
          step: now.id, phase: .undo, attempt: attempt, isUnknown: isUnknown, failure: failure, retryAt: retryAt))
    } else {
      failUndo(step, failure)
    }
  }

  /// Makes an attempt that was not sent again, unless the saga has started compensation since.
  mutating func notSent(_ step: Int, phase: StepPhase, attempt: Int, failure: StepFailure) {
    let now = state.steps[step]
    if phase == .forward, !isGoingForward(now) {
      fail(step, failure, outcome: now.outcome)
    } else {
      let retryAt = self.now + Self.pauseAfterNotSent
      emit(AttemptNotMade(step: now.id, phase: phase, attempt: attempt, failure: failure, retryAt: retryAt))
    }
  }

  /// Returns whether another attempt may follow a failed one. It may not when the step is about to be undone.
  func isGoingForward(_ step: StepState) -> Bool { state.turnBack == nil && !state.isRewinding(step.id) }

  func seed(_ step: StepState, phase: StepPhase, attempt: Int) -> String {
    "\(state.id)/\(step.id)/\(step.round)/\(phase.rawValue)/\(attempt)"
  }
}

/// Decides whether and when another attempt follows a failed one.
enum RetryDecision {
  /// The longest pause that a participant can ask for.
  static let longestRetryAfter = Duration.seconds(86_400)

  /// Returns the time of the next attempt, or nil when there is none.
  /// - Parameters:
  ///   - spent: attempts of the round that count, under any policy, the failed one included.
  ///   - seed: identifies the attempt, so that a replay gives the same jitter.
  static func next(
    after failure: StepFailure, rules: RetryRules, spent: Int, seed: String, now: Timestamp
  ) -> Timestamp? {
    let policy = rules.policy(for: failure.codes)
    // A policy that names the failure makes it retryable, although the failure says otherwise.
    guard failure.isRetryable || policy.asksFor(failure.codes) else { return nil }
    guard !policy.refuses(failure.codes) else { return nil }
    guard spent < policy.maxAttempts else { return nil }
    var random = SeededRandom(name: seed)
    let backoff = policy.delay(afterAttempt: spent, random: random.fraction())
    let asked = min(failure.retryAfter ?? .zero, longestRetryAfter)
    return now + max(backoff, asked)
  }
}

// MARK: Events

/// An attempt, to do the step or to undo it, begins.
public struct AttemptStarted: SagaEventContent {
  public static let typeName = "attemptStarted"
  public let step: String
  public let phase: StepPhase
  public let round: Int
  public let attempt: Int
  public let deadline: Timestamp
  /// The queue in which the attempt is offered to workers; nil for a call.
  public var queue: String?
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      step: try data.string("step"), phase: try data.word("phase"), round: try data.int("round"),
      attempt: try data.int("attempt"), deadline: try data.timestamp("deadline"), queue: data.optionalString("queue"))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["phase"] = .word(phase)
    data["round"] = .int(round)
    data["attempt"] = .int(attempt)
    data["deadline"] = .timestamp(deadline)
    data["queue"] = queue.map(JSON.string)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      let inFlight = StepStage.Attempt(
        number: attempt, startedAt: at, deadline: deadline, offer: queue.map { StepStage.Offer(queue: $0) })
      switch (phase, step.stage) {
      case (.forward, .polling(var polling)):
        // The look has the number of its first attempt.
        if !polling.isRetry { polling.look = attempt }
        step.stage = .running(
          StepStage.Attempt(number: attempt, startedAt: at, deadline: deadline, polling: polling))
        step.forward.begin(attempt, at: at)
      case (.forward, .pending), (.forward, .queued), (.forward, .backingOff):
        step.stage = .running(inFlight)
        step.round = round
        step.startedAt = step.startedAt ?? at
        step.forward.begin(attempt, at: at)
      case (.undo, .succeeded), (.undo, .failed), (.undo, .undoBackingOff):
        step.stage = .undoing(inFlight)
        step.undo.begin(attempt, at: at)
      case (.forward, _), (.undo, _): return false
      }
      step.progress = nil
      step.taskWait = queue.map { _ in StepState.TaskWait(phase: phase, until: deadline) }
      return true
    }
  }

  public var timeline: [TimelineNote] {
    [.close(step: step, outcome: "over"), .begin(step: step, phase, .attempt, attempt: attempt)]
  }
}

/// An attempt failed, and another follows at `retryAt`. A look of a poll may have no `AttemptStarted` before.
public struct AttemptFailed: SagaEventContent {
  public static let typeName = "attemptFailed"
  public let step: String
  public let phase: StepPhase
  public let attempt: Int
  public let isUnknown: Bool
  public let failure: StepFailure
  public let retryAt: Timestamp
  /// The number of the look in its poll's timetable; nil for other attempts.
  public var look: Int?
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      step: try data.string("step"), phase: try data.word("phase"), attempt: try data.int("attempt"),
      isUnknown: try data.bool("unknown"), failure: try data.failure(),
      retryAt: try data.timestamp("retryAt"), look: try data.optionalInt("look"))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["phase"] = .word(phase)
    data["attempt"] = .int(attempt)
    data["unknown"] = .bool(isUnknown)
    data.write(failure)
    data["retryAt"] = .timestamp(retryAt)
    data["look"] = look.map(JSON.int)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      if let look {
        guard phase == .forward, step.polling != nil else { return false }
        step.beginLook(look, attempt: attempt, at: at)
      }
      let isOver =
        step.endAttempt(phase, attempt, because: failure, retryAt: retryAt)
        || step.endUndoWait(phase, attempt, because: failure, isUnknown: isUnknown, retryAt: retryAt)
      guard isOver else { return false }
      if phase == .forward { step.outcome = step.outcome.after(attemptUnknown: isUnknown) }
      return true
    }
  }

  public var timeline: [TimelineNote] {
    [
      .close(step: step, outcome: isUnknown ? "unknown" : "failed", code: failure.code),
      .begin(step: step, phase, .backoff),
    ]
  }
}

/// The engine did not send an attempt. The attempt does not count, and is made again at `retryAt`.
public struct AttemptNotMade: SagaEventContent {
  public static let typeName = "attemptNotMade"
  public let step: String
  public let phase: StepPhase
  public let attempt: Int
  public let failure: StepFailure
  public let retryAt: Timestamp
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      step: try data.string("step"), phase: try data.word("phase"), attempt: try data.int("attempt"),
      failure: try StepFailure(data.nested("failure")), retryAt: try data.timestamp("retryAt"))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["phase"] = .word(phase)
    data["attempt"] = .int(attempt)
    data["failure"] = failure.json
    data["retryAt"] = .timestamp(retryAt)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      guard step.endAttempt(phase, attempt, because: failure, retryAt: retryAt) else { return false }
      // It says nothing about the round, and does not count as an attempt.
      switch phase {
      case .forward: step.forward.budgetStart += 1
      case .undo: step.undo.budgetStart += 1
      }
      return true
    }
  }

  public var timeline: [TimelineNote] {
    [.close(step: step, outcome: "notMade", code: failure.code), .begin(step: step, phase, .backoff)]
  }
}

extension StepState {
  /// Begins the attempt of a look that the history did not have as an attempt.
  fileprivate mutating func beginLook(_ number: Int, attempt: Int, at time: Timestamp) {
    guard case .polling(var polling) = stage, attempt == forward.count + 1 else { return }
    polling.look = number
    stage = .running(StepStage.Attempt(number: attempt, startedAt: time, deadline: time, polling: polling))
    forward.begin(attempt, at: time)
  }

  /// Ends the attempt under way, and waits for the next.
  /// - Returns: false when no such attempt is under way.
  fileprivate mutating func endAttempt(
    _ phase: StepPhase, _ number: Int, because failure: StepFailure, retryAt: Timestamp
  ) -> Bool {
    guard let inFlight, inFlight.phase == phase, inFlight.attempt.number == number else { return false }
    noteAnsweredTask(code: failure.code)
    switch phase {
    case .forward:
      if var polling = inFlight.attempt.polling {
        polling.next = retryAt
        polling.isRetry = true
        stage = .polling(polling)
      } else {
        stage = .backingOff(until: retryAt)
      }
      self.failure = failure.alone
      answer = failure.answer?.head
    case .undo:
      stage = .undoBackingOff(until: retryAt)
      undoFailure = failure.alone
    }
    return true
  }

  /// Ends the wait for a child of the undo that has ended, and waits for the next attempt.
  /// - Returns: false when the undo waits for no such child.
  fileprivate mutating func endUndoWait(
    _ phase: StepPhase, _ number: Int, because failure: StepFailure, isUnknown: Bool, retryAt: Timestamp
  ) -> Bool {
    guard phase == .undo, awaitedUndoChild != nil, undo.count == number else { return false }
    noteEndOfUndoChild(isUnknown: isUnknown)
    stage = .undoBackingOff(until: retryAt)
    undoFailure = failure.alone
    return true
  }
}

extension StepFailure {
  var json: JSON {
    var members: JSONObject = ["code": .string(code), "message": .string(message)]
    if !classes.isEmpty { members["classes"] = .strings(classes) }
    if isRetryable { members["retryable"] = true }
    members["retryAfterMs"] = retryAfter.map { .int($0.wholeMilliseconds) }
    if isGone { members["gone"] = true }
    if keepsTombstones { members["tombstones"] = true }
    return .object(members)
  }

  init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      code: try data.string("code"), classes: data.has("classes") ? try data.strings("classes") : [],
      message: try data.string("message"), isRetryable: data.flag("retryable"),
      retryAfter: try data.optionalInt("retryAfterMs").map { .milliseconds($0) },
      isGone: data.flag("gone"), keepsTombstones: data.flag("tombstones"))
  }
}
