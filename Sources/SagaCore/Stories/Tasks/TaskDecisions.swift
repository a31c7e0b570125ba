import JSON
import Values
import Workflows

// What follows from a task: a worker takes it, answers it, or loses it, or its time ends. An attempt that ends is made
// again as any attempt is: the task is offered again, until the wait ends.

extension Decider {
  /// Returns whether the step waits for a worker that takes its task.
  func isOnlyOffered(_ step: Int) -> Bool { state.steps[step].stage.isOnlyOffered }

  /// Offers the next attempt to workers.
  /// - Parameter time: the length of the whole wait.
  mutating func offer(_ step: Int, _ task: TaskAction, phase: StepPhase, for time: Duration) {
    let now = state.steps[step]
    let known = now.taskWait.flatMap { $0.phase == phase ? $0.until : nil }
    let until = known ?? self.now + time
    guard until > self.now else {
      endTask(step, phase, failure: timeout(of: task.queue, until: until, worker: nil), isUnknown: false)
      return
    }
    let number = now.attempts(phase).count + 1
    emit(
      AttemptStarted(
        step: now.id, phase: phase, round: now.round, attempt: number, deadline: until, queue: task.queue))
  }

  /// Returns whether an attempt at this time would still be within the wait of the step's task. Other attempts always are.
  func isInTime(_ time: Timestamp, forTaskOf step: StepState) -> Bool {
    guard let wait = step.taskWait, wait.phase == step.inFlight?.phase else { return true }
    // While the saga is paused, its clock stops.
    let paused = state.pausedAt.map { now - $0 } ?? .zero
    return time + (.zero - paused) < wait.until
  }

  // MARK: Workers

  /// A worker takes a task.
  mutating func take(_ claim: TaskClaim) throws(Refusal) {
    guard let step = state.index(of: claim.task.step), state.end == nil, !state.isPaused,
      state.steps[step].round == claim.task.round, let (phase, attempt) = state.steps[step].inFlight,
      phase == claim.task.phase, attempt.number == claim.task.attempt, let offer = attempt.offer, offer.taken == nil,
      attempt.deadline > now, phase == .undo || now < state.deadline || isPivotPassed
    else { throw Refusal(EngineErrorCode.taskNotOffered, "The task is not offered any more.") }
    emit(
      TaskTaken(
        step: id(step), phase: phase, round: claim.task.round, attempt: attempt.number, worker: claim.worker,
        lease: claim.lease))
  }

  /// Takes a worker's answer. The same answer again changes nothing. An answer under another lease is refused.
  mutating func take(_ answer: TaskAnswer) throws(Refusal) {
    if let step = state.index(of: answer.task.step) {
      let now = state.steps[step]
      if state.end == nil, now.round == answer.task.round, let (phase, attempt) = now.inFlight,
        phase == answer.task.phase, attempt.number == answer.task.attempt, let taken = attempt.offer?.taken,
        taken.lease == answer.lease
      {
        switch answer.content {
        case .settled(let outcome): settle(step, phase: phase, attempt: attempt.number, outcome: outcome)
        case .progress(let progress):
          emit(StepProgressed(step: now.id, phase: phase, attempt: attempt.number, progress: progress))
        case .lost:
          let failure = StepFailure(
            code: EngineErrorCode.taskHeartbeatLost,
            message: "Worker \(taken.worker) sent no heartbeat in time; whether it has done the work is not known.",
            isRetryable: true)
          settle(step, phase: phase, attempt: attempt.number, outcome: .unknown(failure))
        }
        return
      }
      if isRepeat(answer, of: now) { return }
    }
    // The attempt may have ended just before its lease did.
    if answer.content == .lost { return }
    throw Refusal(
      EngineErrorCode.taskLeaseLost,
      "The task is not leased to this worker any more: the lease has ended, or the task was answered otherwise. Nothing "
        + "has changed.")
  }

  /// Returns whether the history has the same answer as the end of the same attempt.
  private func isRepeat(_ answer: TaskAnswer, of step: StepState) -> Bool {
    let isUndo = answer.task.phase == .undo
    guard let answered = isUndo ? step.answeredUndo : step.answeredTask, answered.round == answer.task.round,
      answered.attempt == answer.task.attempt, answered.lease == answer.lease,
      case .settled(let outcome) = answer.content
    else { return false }
    switch outcome {
    case .succeeded(let output):
      guard answered.code == nil else { return false }
      return isUndo || step.outputProblem != nil || step.output == output
    case .succeededUnread, .answered: return answered.code == nil
    case .failed(let failure), .unknown(let failure): return answered.code?.hasSameScalars(as: failure.code) ?? false
    case .notSent: return false
    }
  }

  // MARK: The end of the wait

  /// Ends the tasks whose whole wait is over.
  mutating func endDueTasks() {
    for step in state.sets.inFlight {
      guard endsTask(step), let until = state.steps[step].stage.offeredUntil, until <= now,
        let (phase, attempt) = state.steps[step].inFlight, let offer = attempt.offer
      else { continue }
      endTask(
        step, phase, failure: timeout(of: offer.queue, until: until, worker: offer.taken?.worker),
        isUnknown: offer.taken != nil)
    }
  }

  /// Returns whether the end of its wait ends a task. A wait that ends after the saga's deadline loses to that deadline,
  /// unless the saga goes on past it.
  func endsTask(_ step: Int) -> Bool {
    guard let until = state.steps[step].stage.offeredUntil else { return false }
    if state.steps[step].inFlight?.phase == .undo { return true }
    return state.turnBack != nil || state.requestedTurnBack != nil || until <= state.deadline || isPivotPassed
  }

  private func timeout(of queue: String, until: Timestamp, worker: String?) -> StepFailure {
    StepFailure(
      code: EngineErrorCode.taskTimeout,
      message: worker.map { "Worker \($0) had the task and did not complete it by \(until)." }
        ?? "No worker of queue “\(queue)” took the task by \(until).")
  }

  private mutating func endTask(_ step: Int, _ phase: StepPhase, failure: StepFailure, isUnknown: Bool) {
    switch phase {
    case .forward: fail(step, failure, isUnknown: isUnknown)
    case .undo: failUndo(step, failure)
    }
  }
}
