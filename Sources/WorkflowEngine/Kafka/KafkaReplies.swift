import JSON
import Messaging
import Runtime
import Workflows

/// Participants' answers that come over Kafka. An answer's offset moves only behind what is stored of it.
struct KafkaReplies: Sendable {
  let engine: Engine
  let executor: KafkaStepExecutor
  let unframe: InboundMessage.Unframe?
  let log: Log

  var handlers: MessageHandlers {
    MessageHandlers { message in
      let reply = try await KafkaReply(InboundMessage(message, unframe: unframe))
      do {
        try await record(reply)
      } catch let refusal as Refusal {
        guard refusal.code == EngineErrorCode.sagaEnded, try await isRepeat(reply) else {
          throw Poison(refusal.code, refusal.message)
        }
        log.info("An answer came again after its saga had ended", ("saga", "\(reply.saga)"), ("answer", reply.id))
      }
    }
  }

  private func record(_ reply: KafkaReply) async throws {
    var outcome = reply.outcome
    if case .failed(var failure)? = outcome, failure.isGone, try await keepsTombstones(reply) {
      failure.keepsTombstones = true
      outcome = .failed(failure)
    }
    let content: StepAnswer.Content? = outcome.map { .settled($0) } ?? reply.progress.map { .progress($0) }
    guard let content else { return }
    let state = try await engine.answer(
      reply.saga,
      StepAnswer(
        step: reply.step, phase: reply.phase, round: reply.round, attempt: reply.attempt, id: reply.id, content: content
      ))
    guard let outcome else { return }
    let inFlight = state.step(reply.step)?.inFlight
    executor.recorded(
      reply.key, outcome, stillInFlight: inFlight?.phase == reply.phase ? inFlight?.attempt.number : nil)
  }

  /// Whether the service that the step's command went to makes a late command refuse.
  private func keepsTombstones(_ reply: KafkaReply) async throws -> Bool {
    let saga = try await engine.saga(reply.saga)
    guard let step = saga.definition.step(reply.step) else { return false }
    let action: Action
    switch (reply.phase, step.compensation) {
    case (.forward, _): action = step.action
    case (.undo, .undo(let undo)): action = undo.action
    case (.undo, .none), (.undo, .unspecified): return false
    }
    guard case .kafka(let kafka) = action else { return false }
    return executor.services[kafka.service]?.keepsTombstones ?? false
  }

  /// Whether an answer to a saga that has ended says what had been recorded of its step before the end: then it came
  /// again, and nothing is lost with it.
  private func isRepeat(_ reply: KafkaReply) async throws -> Bool {
    guard let step = try await engine.saga(reply.saga).state.step(reply.step), step.round == reply.round else {
      return false
    }
    switch (reply.phase, reply.outcome) {
    case (.forward, .succeeded(let output)): return step.outcome == .succeeded && step.output == output
    case (.forward, .failed(let failure)), (.forward, .unknown(let failure)): return step.failure?.code == failure.code
    case (.undo, .succeeded): return step.status == .undone
    case (.undo, .failed(let failure)), (.undo, .unknown(let failure)):
      return step.undoFailure?.code == failure.code || (step.status == .undone && failure.isGone)
    case (_, .notMade), (_, nil): return false
    }
  }
}

/// A participant's answer, read.
struct KafkaReply: Sendable {
  /// The idempotency key of the command that it answers: `SAGA/STEP/ROUND`, and `/undo` behind it.
  let key: String
  let saga: UniqueID
  let step: String
  let round: Int
  let phase: StepPhase
  let attempt: Int
  let id: String
  /// Nil for news of progress.
  let outcome: StepOutcome?
  let progress: StepProgress?

  init(_ inbound: InboundMessage) throws(Poison) {
    let body = inbound.body
    guard body.objectValue != nil else { throw Self.malformed("an answer is an object, not \(body.kind)") }
    guard let key = inbound.message.header("idempotency-key") ?? body["idempotencyKey"]?.stringValue else {
      throw Self.malformed("it has no idempotency-key, so it answers nothing")
    }
    let parts = key.split(separator: "/", omittingEmptySubsequences: false)
    let isUndo = parts.count == 4 && parts[3] == "undo"
    guard parts.count == 3 || isUndo, let saga = UniqueID(String(parts[0])), let round = Int(parts[2]), round >= 1
    else {
      throw Self.malformed("its idempotency-key “\(key.prefix(200))” is none of ours, as SAGA/STEP/ROUND")
    }
    let attemptText = inbound.message.header("saga-attempt") ?? body["attempt"].map { $0.stringValue ?? $0.text() }
    guard let attempt = attemptText.flatMap({ Int($0) }), attempt >= 1 else {
      throw Self.malformed("it has no saga-attempt, a whole number from 1")
    }
    self.key = key
    self.saga = saga
    self.round = round
    self.attempt = attempt
    step = String(parts[1])
    phase = isUndo ? .undo : .forward
    id = inbound.identity
    switch body["outcome"]?.stringValue {
    case "succeeded": (outcome, progress) = (.succeeded(body["output"] ?? .null), nil)
    case "failed": (outcome, progress) = (.failed(try Self.failure(body, isRetryable: false)), nil)
    case "unknown": (outcome, progress) = (.unknown(try Self.failure(body, isRetryable: true)), nil)
    case "progress":
      outcome = nil
      progress = StepProgress(message: body["message"]?.stringValue ?? "", fraction: body["fraction"]?.doubleValue)
    default:
      throw Self.malformed("its “outcome” is none of succeeded, failed, unknown and progress")
    }
  }

  private static func failure(_ body: JSON, isRetryable: Bool) throws(Poison) -> StepFailure {
    guard let code = body["code"]?.stringValue, !code.isEmpty, code.utf8.count <= 200 else {
      throw malformed("a failure says its “code”, of 1 to 200 characters")
    }
    // A participant's words are shown to operators for years: long enough to help, bounded all the same.
    return StepFailure(
      code: code, classes: ["kafka.answer"], message: String((body["message"]?.stringValue ?? code).prefix(1_000)),
      isRetryable: body["retryable"]?.boolValue ?? isRetryable,
      retryAfter: body["retryAfterMs"]?.intValue.flatMap { $0 >= 0 ? .milliseconds(min($0, 86_400_000)) : nil },
      isGone: body["gone"]?.boolValue ?? false)
  }

  private static func malformed(_ what: String) -> Poison {
    Poison(EngineErrorCode.replyMalformed, "The answer can't be read: \(what).")
  }
}
