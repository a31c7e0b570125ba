import JSON
import Runtime
import SagaCore
import Synchronization
import Values
import WorkflowEngine

/// Makes attempts by calling the closures of a program's workflows.
final class ClosureExecutor: StepExecutor {
  private let steps: [String: [Int: [String: SwiftStep]]]
  private let clock: any WallClock
  /// The engine that makes the calls. It is created after its executor.
  private let engine = Mutex<Engine?>(nil)

  init(_ workflows: [SwiftWorkflow], clock: any WallClock) {
    var steps: [String: [Int: [String: SwiftStep]]] = [:]
    for workflow in workflows {
      steps[workflow.name, default: [:]][workflow.version] = Dictionary(
        workflow.steps.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }
    self.steps = steps
    self.clock = clock
  }

  func serve(_ engine: Engine) { self.engine.withLock { $0 = engine } }

  func perform(_ call: StepCall) async -> StepOutcome {
    guard let engine = engine.withLock({ $0 }) else {
      return .notSent(
        StepFailure(code: EngineErrorCode.engineNotReady, message: "The engine is not open yet.", isRetryable: true))
    }
    let saga: SagaState
    do {
      saga = try await engine.saga(call.saga).state
    } catch {
      return .notSent(
        StepFailure(
          code: EngineErrorCode.engineNotReady, message: "The saga can't be read: \(error)", isRetryable: true))
    }
    guard let step = steps[saga.start.workflow]?[saga.definition.version]?[call.step] else {
      return .failed(
        StepFailure(
          code: EngineErrorCode.serviceUnknown,
          message:
            "The program has no step “\(call.step)” of “\(saga.start.workflow)” version \(saga.definition.version). "
            + "Pass that version to the engine too, then retry the step.",
          isRetryable: true))
    }
    let context = StepContext(
      saga: saga, step: call.step, key: call.compensates ?? call.idempotencyKey, attempt: call.attempt)
    return await outcome(of: call, within: call.timeout) {
      switch call.phase {
      case .forward: return try await step.body(context)
      case .undo:
        try await step.undo?(context)
        return .null
      }
    }
  }

  /// Returns the outcome of a closure, or an unknown outcome when the closure takes too long. Then the closure is
  /// cancelled, and the attempt doesn't wait for it.
  private func outcome(
    of call: StepCall, within timeout: Duration, _ body: @escaping @Sendable () async throws -> JSON
  ) async -> StepOutcome {
    let (outcomes, outcome) = AsyncStream.makeStream(of: StepOutcome.self)
    let work = Task {
      do {
        outcome.yield(.succeeded(try await body()))
      } catch let refused as StepRefused {
        outcome.yield(
          .failed(StepFailure(code: refused.code, message: refused.message, isRetryable: refused.isRetryable)))
      } catch {
        outcome.yield(
          .unknown(
            StepFailure(
              code: EmbeddedErrorCode.stepThrew, message: "Step “\(call.step)” threw \(error).", isRetryable: true)))
      }
    }
    let timer = Task { [clock] in
      do { try await clock.sleep(until: clock.now() + timeout) } catch { return }
      outcome.yield(
        .unknown(
          StepFailure(
            code: EngineErrorCode.attemptTimeout, message: "Step “\(call.step)” took longer than \(timeout).",
            isRetryable: true)))
    }
    defer {
      work.cancel()
      timer.cancel()
    }
    for await outcome in outcomes { return outcome }
    // The attempt itself was cancelled: the engine stops.
    return .unknown(
      StepFailure(
        code: EngineErrorCode.attemptInterrupted, message: "The engine stopped while the step was under way.",
        isRetryable: true))
  }
}
