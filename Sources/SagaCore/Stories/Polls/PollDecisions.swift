import JSON
import Values
import Workflows

// What follows from a look. `failWhen` and `until` decide about an answer, in this order. A look without an answer is
// made again as an attempt is. An answer resets the attempts.

extension Decider {
  /// A look that has ended.
  struct EndedLook {
    let number: Int
    /// When it began.
    let at: Timestamp
    /// The number of its attempt; nil when the history does not have it as an attempt.
    let attempt: Int?

    /// Adds the look to its answer, unless the history has it as an attempt.
    fileprivate func noted(in answer: CallAnswer?) -> CallAnswer? {
      guard attempt == nil, var answer else { return answer }
      answer.look = CallAnswer.AnsweredLook(number: number, at: at)
      return answer
    }
  }

  /// Returns whether the history has every look of a poll as an attempt, because its method may change something.
  func isRecordedPoll(_ step: Int) -> Bool {
    guard rules(of: step).poll != nil, case .http(let http) = rules(of: step).action else { return false }
    return http.hasSideEffect
  }

  /// Returns whether a step has made looks that may have changed something.
  func mayHavePolled(_ step: Int) -> Bool {
    isRecordedPoll(step) && state.steps[step].polling != nil && state.steps[step].forward.count > 0
  }

  /// Returns whether a polling step may look, when its time comes.
  func mayLook(_ step: Int) -> Bool { state.turnBack == nil && mayRetry(step) }

  /// Begins to poll. The event comes before the first call, so that the history has the timetable of all looks.
  mutating func startPolling(_ step: Int, _ poll: Poll) {
    let rules = self.rules(of: step)
    if let failure = problem(with: rules.action, of: state.steps[step]) {
      fail(step, failure)
      return
    }
    emit(PollStarted(step: id(step), every: poll.every, until: rules.timeout.map { now + $0 }))
    if isRecordedPoll(step) { startLook(step, poll) }
  }

  /// Makes the looks that are due and that the history has as attempts. While a request to start compensation waits for a
  /// pivot that polls, the pivot looks once more, also after the saga's deadline: that look decides it.
  mutating func lookAgain() {
    guard state.turnBack == nil, now < state.deadline || isPivotPassed || state.requestedTurnBack != nil else { return }
    for step in state.sets.waiting {
      guard case .polling(let polling) = state.steps[step].stage, polling.due <= now, isRecordedPoll(step),
        mayLook(step), let poll = rules(of: step).poll
      else { continue }
      if isSpent { return }
      startLook(step, poll)
    }
  }

  private mutating func startLook(_ step: Int, _ poll: Poll) {
    let now = state.steps[step]
    if let failure = problem(with: rules(of: step).action, of: now) {
      fail(step, failure)
      return
    }
    emit(
      AttemptStarted(
        step: now.id, phase: .forward, round: now.round, attempt: now.forward.count + 1,
        deadline: self.now + poll.lookTimeout))
  }

  /// Ends a poll whose time is over before the time at which it may repeat a look. Otherwise the poll looks once more at
  /// its end, and that look decides: so a poll can succeed after the engine was stopped past the end of its time.
  mutating func endDuePoll(_ step: Int, _ polling: StepStage.Polling) {
    guard let until = polling.endsWithoutLook, until <= now,
      until <= state.deadline || isPivotPassed
    else { return }
    endPoll(step, polling, isUnknown: mayHavePolled(step))
  }

  /// Returns the look under way that the history has as an attempt of the step.
  func recordedLook(of step: Int) -> EndedLook? {
    guard case .running(let attempt) = state.steps[step].stage, let polling = attempt.polling else { return nil }
    return EndedLook(number: polling.look, at: attempt.startedAt, attempt: attempt.number)
  }

  /// Takes the end of a look that the history does not have as an attempt. A report on a step that no longer polls, or
  /// on an earlier round, changes nothing.
  mutating func take(_ report: LookReport) {
    guard state.end == nil, let step = state.index(of: report.step), state.steps[step].round == report.round,
      case .polling = state.steps[step].stage, !isRecordedPoll(step)
    else { return }
    settle(EndedLook(number: report.number, at: report.at, attempt: nil), of: step, report.outcome)
  }

  mutating func settle(_ look: EndedLook, of step: Int, _ outcome: StepOutcome) {
    guard let poll = rules(of: step).poll, let polling = state.steps[step].polling else { return }
    if let answer = outcome.answer {
      judge(answer, look, of: step, poll, polling)
      return
    }
    switch outcome {
    case .failed(let failure): lookFailed(step, look, polling, failure)
    // A call that changes nothing has failed cleanly, whatever became of it.
    case .unknown(let failure): lookFailed(step, look, polling, failure, isUnknown: look.attempt != nil)
    case .notSent(let failure):
      // The engine makes an unrecorded look again soon.
      if let attempt = look.attempt { notSent(step, phase: .forward, attempt: attempt, failure: failure) }
    case .answered, .succeeded, .succeededUnread: break
    }
  }

  // MARK: Answers

  private mutating func judge(
    _ answer: LookAnswer, _ look: EndedLook, of step: Int, _ poll: Poll, _ polling: StepStage.Polling
  ) {
    var members = JSONObject()
    if case .object(let known) = state.document(for: state.steps[step], reading: poll.reads) { members = known }
    members["answer"] = answer.document
    let document = JSON.object(members)
    for condition in [poll.failWhen, poll.until].compactMap({ $0 }) {
      if let failure = obstacle(to: condition, answer, in: document) {
        lookFailed(step, look, polling, failure.answered(by: answer.recorded(withBody: true)))
        return
      }
    }
    do throws(ExpressionError) {
      if let failWhen = poll.failWhen,
        try measured({ meter throws(ExpressionError) in try failWhen.holds(in: document, meter: meter) })
      {
        lookFailed(step, look, polling, answer.failure.answered(by: answer.recorded(withBody: true)))
      } else if try measured({ meter throws(ExpressionError) in try poll.until.holds(in: document, meter: meter) }) {
        succeed(step, output: answer.output.noting(look))
      } else {
        keepPolling(step, look, answer, in: document, poll, polling)
      }
    } catch {
      // The condition has no value, and the next answer would most likely have the same.
      let failure = StepFailure(code: error.code, message: "The condition of the poll: \(error.message).")
      fail(
        step, failure.answered(by: look.noted(in: answer.recorded(withBody: true))),
        outcome: outcome(of: step, isUnknown: look.attempt != nil))
    }
  }

  /// Returns why a condition can't be decided for an answer: it reads a body, or a step's output, that can't be read.
  private func obstacle(
    to condition: JSONPathCondition, _ answer: LookAnswer, in document: JSON
  ) -> StepFailure? {
    if let error = condition.obstacle(in: document) { return StepFailure(code: error.code, message: error.message) }
    guard answer.body == nil, let problem = answer.problem, condition.readsBodyOfAnswer else { return nil }
    var failure = problem
    failure.message = "The poll reads the body of the answer, and that can't be read: \(problem.message)"
    // The next answer may be readable.
    failure.isRetryable = true
    return failure
  }

  /// Goes on polling. The history gets the answer if it says something new.
  private mutating func keepPolling(
    _ step: Int, _ look: EndedLook, _ given: LookAnswer, in document: JSON, _ poll: Poll, _ polling: StepStage.Polling
  ) {
    let now = state.steps[step]
    guard isGoingForward(now) else {
      let failure = StepFailure(
        code: EngineErrorCode.waitEnded, message: "The saga turned back while this step polled.")
      fail(step, failure.answered(by: look.noted(in: given.recorded(withBody: true))), isUnknown: true)
      return
    }
    let opener = state.opener
    let digest = measured { meter in
      opener.digest(
        of: JSON.array([.int(given.status)] + poll.read(in: document, meter: meter)).bytes(.canonical))
    }
    let shown = measured { poll.shown(in: document, meter: $0) }
    let answer = StepStage.Polling.Answer(
      status: given.status, digest: String(digest.prefix(16)), shown: shown,
      since: polling.answer.flatMap { $0.digest == digest.prefix(16) ? $0.since : nil } ?? self.now)
    if isOver(polling) {
      endPoll(
        step, polling, last: answer, answered: look.noted(in: given.recorded(withBody: true)),
        isUnknown: look.attempt != nil)
      return
    }
    guard look.attempt != nil || now.failure != nil || polling.answer?.digest != answer.digest else { return }
    var next = look.at + poll.every
    if next <= self.now {
      let passed = (self.now - next) / poll.every
      next = next + poll.every * (Int(passed) + 1)
    }
    emit(
      PollAnswered(
        step: now.id, look: look.number, lookedAt: look.at, attempt: look.attempt, answer: answer, next: next,
        reply: given.recorded(withBody: true)))
  }

  // MARK: Failures

  /// Decides whether a failed look is made again.
  private mutating func lookFailed(
    _ step: Int, _ look: EndedLook, _ polling: StepStage.Polling, _ failure: StepFailure, isUnknown: Bool = false
  ) {
    let now = state.steps[step]
    let failure = failure.answered(by: look.noted(in: failure.answer))
    let attempt = look.attempt ?? now.forward.count + 1
    let spent = now.forward.spent + (look.attempt == nil ? 1 : 0)
    guard isGoingForward(now),
      let retryAt = RetryDecision.next(
        after: failure, rules: rules(of: step).retry, spent: spent,
        seed: seed(now, phase: .forward, attempt: attempt), now: self.now)
    else {
      fail(step, failure, outcome: outcome(of: step, isUnknown: isUnknown))
      return
    }
    if isOver(polling) {
      endPoll(step, polling, after: failure, answered: failure.answer, isUnknown: isUnknown)
    } else {
      emit(
        AttemptFailed(
          step: now.id, phase: .forward, attempt: attempt, isUnknown: isUnknown, failure: failure, retryAt: retryAt,
          look: look.number))
    }
  }

  /// Returns whether the time of a poll is over. While the saga is paused, its clock stops. A request to start compensation
  /// that waits for the poll ends its time, too.
  private func isOver(_ polling: StepStage.Polling) -> Bool {
    if state.requestedTurnBack != nil { return true }
    return polling.until.map { $0 <= state.pausedAt ?? now } ?? false
  }

  private mutating func endPoll(
    _ step: Int, _ polling: StepStage.Polling, last: StepStage.Polling.Answer? = nil, after failure: StepFailure? = nil,
    answered: CallAnswer? = nil, isUnknown: Bool
  ) {
    let failure = failure ?? (last == nil ? state.steps[step].failure : nil)
    var message = "No answer met the poll's \"until\""
    if let until = polling.until { message += " by \(until)" }
    message += "."
    if let failure {
      message += " The last look failed: \(failure.message) [\(failure.code)]"
    } else if let answer = last ?? polling.answer {
      message += " The last answer: \(answer.shown ?? "\(answer.status)")."
    }
    fail(
      step, StepFailure(code: EngineErrorCode.pollTimeout, message: message).answered(by: answered),
      outcome: outcome(of: step, isUnknown: isUnknown))
  }

  /// Returns the outcome of a round whose poll fails. Looks that change nothing leave nothing unknown.
  private func outcome(of step: Int, isUnknown: Bool) -> RoundOutcome {
    isRecordedPoll(step) ? state.steps[step].outcome.after(attemptUnknown: isUnknown) : .failed
  }
}

extension Poll {
  /// The steps that the two conditions read.
  fileprivate var reads: StepReads {
    StepReads(until.referencedQueries + (failWhen?.referencedQueries ?? []))
  }
}

extension JSONPathCondition {
  /// True when the condition reads more of an answer than its status and its headers.
  fileprivate var readsBodyOfAnswer: Bool {
    referencedQueries.contains { query in
      switch query.leadingTokens.first {
      case .name("answer"): query.leadingTokens.count < 2 || query.leadingTokens[1] == .name("body")
      case .name: false
      case .index, nil: true
      }
    }
  }
}

extension StepOutput {
  /// Adds the look that gave the output to its answer.
  fileprivate func noting(_ look: Decider.EndedLook) -> StepOutput {
    let answer = look.noted(in: answer)
    return problem.map { StepOutput(problem: $0, answer: answer) } ?? StepOutput(value, answer: answer)
  }
}

extension LookAnswer {
  /// The failure of a step whose `failWhen` holds for this answer: in the participant's own words, if it has any.
  fileprivate var failure: StepFailure {
    StepFailure(
      code: code ?? EngineErrorCode.pollFailed, classes: code == nil ? [] : [EngineErrorCode.pollFailed],
      message: words ?? "The answer to the poll means that it has failed.")
  }
}
