import JSON
import Persistence
import Runtime
import SagaCore
import Testing
import Values
import WorkflowEngine

@testable import Server

/// The engine itself, over a store in memory.
enum LiveEngine {
  /// Answers every call, and refuses those of one step.
  private struct Participants: StepExecutor {
    var refusing: String?
    var refusingUndo: String?

    func perform(_ call: StepCall) async -> StepOutcome {
      let step = call.phase == .forward ? refusing : refusingUndo
      return call.step == step ? .failed(Samples.refused) : .succeeded(["position": "F2-B17-A3"])
    }
  }

  static func run(
    refusing: String? = nil, refusingUndo: String? = nil, depth: Depth = .live,
    _ body: @escaping @Sendable (TestAPI, Engine) async throws -> Void
  ) async throws {
    let engine = Engine(
      store: MemoryStore(environment: .system), executor: Participants(refusing: refusing, refusingUndo: refusingUndo),
      environment: .system)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await engine.run() }
      group.addTask {
        try await TestAPI.run(depth, over: engine, environment: .system) { try await body($0, engine) }
      }
      // The engine runs until it is cancelled: the body is what ends, or fails, first.
      try await group.next()
      group.cancelAll()
    }
  }

  /// A request that is sent again while the engine is starting.
  static func register(_ text: String, _ api: TestAPI) async throws {
    var answer = try await api.post("/v1/workflows", text: text)
    while answer.status == 503 { answer = try await api.post("/v1/workflows", text: text) }
    #expect(answer.status == 201)
  }
}
