import JSON
import Runtime
import SagaCore
import Synchronization
import Values
import WorkflowEngine

/// Makes the attempts of one engine: sends each to its participant, and waits as the real executors do. An `http` attempt
/// waits for its answer. A `kafka` attempt waits until an answer has been recorded in the saga.
final class SimulatedExecutor: StepExecutor {
  private let world: World
  private let life: Life
  private let waiting = Mutex<[String: [Waiter]]>([:])

  private struct Waiter {
    let attempt: Int
    let answer: Once<StepOutcome>
  }

  init(world: World, life: Life) {
    self.world = world
    self.life = life
  }

  func perform(_ call: StepCall) async -> StepOutcome {
    if life.isOver || Task.isCancelled { return .notSent(Self.notSent) }
    let answer = Once<StepOutcome>()
    let ending = life.atEnd { answer.set(.unknown(Self.cutOff)) }
    defer { life.takeBack(ending) }
    var isSent = false
    switch world.behaviour(of: call) {
    case .isNotMade(let after):
      world.clock.after(after) { answer.set(.notSent(Self.notSent)) }
    case let behaviour:
      isSent = true
      world.isSent(call, by: life)
      // The time that it may take begins when it is sent.
      world.clock.after(call.timeout) { answer.set(.unknown(Self.noAnswer)) }
      switch call.action {
      case .http: send(call, behaviour, answer)
      case .kafka:
        waiting.withLock {
          $0[call.idempotencyKey, default: []].append(Waiter(attempt: call.attempt, answer: answer))
        }
        command(call, behaviour)
      case .task: answer.set(.notSent(Self.notSent))
      // The engine makes the calls of children itself.
      case .workflow: answer.set(.notSent(Self.notSent))
      }
    }
    // A look that changes nothing is made again.
    if case .unrecorded? = call.look { isSent = false }
    let (isCut, cut) = (isSent, Self.cutOff)
    return await withTaskCancellationHandler {
      await answer.value
    } onCancel: {
      answer.set(isCut ? .unknown(cut) : .notSent(Self.notSent))
    }
  }

  private func send(_ call: StepCall, _ behaviour: Behaviour, _ answer: Once<StepOutcome>) {
    switch behaviour {
    case .answers(let after, let again):
      // The connection lost the first answer, or the second: a repeat changes nothing at the participant.
      for pause in again { world.arrives(call, after: after + pause) { _ in } }
      world.arrives(call, after: after) { answer.set($0) }
    case .refuses(let after, let code, let isRetryable):
      world.clock.after(after) { answer.set(.failed(Self.refusal(code, isRetryable: isRetryable))) }
    case .fails(let after, let doneAfter):
      if let doneAfter { world.arrives(call, after: doneAfter) { _ in } }
      world.clock.after(after) { answer.set(.unknown(Self.brokenOff)) }
    case .hangs(let doneAfter):
      if let doneAfter { world.arrives(call, after: doneAfter) { _ in } }
    case .isNotMade: break
    }
  }

  private func command(_ call: StepCall, _ behaviour: Behaviour) {
    switch behaviour {
    case .answers(let after, let again):
      world.arrives(call, after: after) { [world] outcome in
        world.replies(to: call, outcome, "answer")
        for (index, pause) in again.enumerated() {
          world.clock.after(pause) { world.replies(to: call, outcome, "again\(index)") }
        }
      }
    case .refuses(let after, let code, let isRetryable):
      world.clock.after(after) { [world] in
        world.replies(to: call, .failed(Self.refusal(code, isRetryable: isRetryable)), "refusal")
      }
    case .fails(let after, let doneAfter):
      if let doneAfter { world.arrives(call, after: doneAfter) { _ in } }
      world.clock.after(after) { [world] in world.replies(to: call, .unknown(Self.brokenOff), "unknown") }
    case .hangs(let doneAfter):
      // No caller waits any more when the answer comes.
      if let doneAfter {
        world.arrives(call, after: doneAfter) { [world] outcome in
          world.clock.after(call.timeout) { world.replies(to: call, outcome, "late") }
        }
      }
    case .isNotMade: break
    }
  }

  /// An answer under this key has been recorded. The callers of its attempt, and of earlier ones, stop waiting.
  func recorded(_ key: String, _ outcome: StepOutcome, upTo last: Int, stillInFlight inFlight: Int?) {
    let answered = waiting.withLock { waiting in
      let answered = waiting[key]?.filter { $0.attempt <= last && $0.attempt != inFlight } ?? []
      waiting[key]?.removeAll { $0.attempt <= last && $0.attempt != inFlight }
      return answered
    }
    for waiter in answered { waiter.answer.set(outcome) }
  }

  static let noAnswer = StepFailure(
    code: "attempt.timeout", classes: ["http.sent"], message: "No answer came in time.", isRetryable: true)
  static let brokenOff = StepFailure(
    code: "http.503", classes: ["http.5xx"], message: "The service answered 503.", isRetryable: true)
  static let cutOff = StepFailure(code: "cut.off", message: "The engine stopped before the answer.", isRetryable: true)
  static let notSent = StepFailure(code: "not.sent", message: "The call never left.", isRetryable: true)

  static func refusal(_ code: String, isRetryable: Bool) -> StepFailure {
    StepFailure(code: code, classes: ["http.409", "http.4xx"], message: "refused", isRetryable: isRetryable)
  }
}
