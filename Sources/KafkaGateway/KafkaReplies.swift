import Messaging
import Runtime
import SagaCore
import Values
import WorkflowEngine
import Workflows

/// Participants' answers over Kafka. An answer's offset moves only after its effect is stored.
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
      } catch {
        if (error as? Refusal)?.code == EngineErrorCode.sagaEnded, try await isRecorded(reply) {
          log.info("An answer came again after its saga had ended", ("saga", "\(reply.saga)"), ("answer", reply.id))
          // The task of the last attempt may have missed that the answer was recorded.
          if let outcome = reply.outcome { executor.recorded(reply.key, outcome, upTo: .max, stillInFlight: nil) }
          return
        }
        throw Poison(finally: error) ?? error
      }
    }
  }

  private func record(_ reply: KafkaReply) async throws {
    let service = try await service(answering: reply)
    var outcome = reply.outcome
    if case .failed(var failure)? = outcome, failure.isGone, service?.keepsTombstones ?? false {
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
    guard let outcome, let step = state.step(reply.step) else { return }
    let attempts = reply.phase == .forward ? step.forward : step.undo
    let inFlight = step.inFlight.flatMap { $0.phase == reply.phase ? $0.attempt.number : nil }
    executor.recorded(reply.key, outcome, upTo: attempts.count, stillInFlight: inFlight)
  }

  /// Returns the service whose command is answered. Nil when the saga has no such step, or this engine no such service.
  /// - Throws: `Poison` when the step sends no command: then a participant's message can't end it.
  private func service(answering reply: KafkaReply) async throws -> KafkaService? {
    guard let step = try await engine.saga(reply.saga).definition.step(ItemID.step(of: reply.step)) else {
      return nil
    }
    let action: Action?
    switch (reply.phase, step.compensation) {
    case (.forward, _): action = step.action
    case (.undo, .undo(let undo)): action = undo.action
    case (.undo, .none), (.undo, .unspecified): action = nil
    }
    guard case .kafka(let kafka)? = action else {
      throw Poison(
        EngineErrorCode.replyMalformed,
        "The answer names \(reply.phase == .forward ? "step" : "the undo of step") \(reply.step), which sends no command "
          + "over Kafka.")
    }
    return executor.services[kafka.service]
  }
}
