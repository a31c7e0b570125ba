import JSON
import Persistence
import Runtime
import Synchronization
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

/// Answers attempts as a script says, and remembers which keys took effect.
final class ScriptedExecutor: StepExecutor {
  typealias Script = @Sendable (StepCall) async -> StepOutcome
  private let script: Script
  private let seen = Mutex<[StepCall]>([])

  init(_ script: @escaping Script = { _ in .succeeded(["ok": true]) }) { self.script = script }

  var calls: [StepCall] { seen.withLock { $0 } }
  /// The keys of the calls, without the saga's id.
  var keys: [String] { calls.map { String($0.idempotencyKey.dropFirst(37)) } }

  func perform(_ call: StepCall) async -> StepOutcome {
    seen.withLock { $0.append(call) }
    return await script(call)
  }
}

/// An engine that runs until it is stopped.
struct RunningEngine {
  let engine: Engine
  private let task: Task<Void, any Error>

  init(
    _ store: any EventStore, _ executor: any StepExecutor, environment: Environment = .system,
    drainTime: Duration = .seconds(5), readStore: (any SagaReadStore)? = nil,
    approvals: Set<OperatorVerb.Name> = [], learnsExpectations: Bool = true, sizes: SagaSizes = SagaSizes()
  ) async throws {
    var configuration = Engine.Configuration()
    configuration.sizes = sizes
    configuration.drainTime = drainTime
    configuration.approvals = approvals
    configuration.learnsExpectations = learnsExpectations
    let engine = Engine(
      store: store, executor: executor, configuration: configuration, environment: environment,
      readStore: readStore)
    self.engine = engine
    let task = Task { try await engine.run() }
    self.task = task
    while !engine.isReady, !task.isCancelled {
      await Task.yield()
    }
  }

  /// Stops the engine and waits until it has stopped.
  func stop() async {
    task.cancel()
    _ = await task.result
  }

  func start(_ workflow: String = "spec", input: JSON = .object([:]), key: String? = nil) async throws -> Started {
    try await engine.start(StartRequest(workflow: workflow, input: input, idempotencyKey: key, by: "test"))
  }

  func end(of id: UniqueID) async throws -> SagaState {
    try await engine.waitForEnd(of: id, atMost: .seconds(600)).state
  }
}

enum Workflow {
  static let quick = #""retry": {"maxAttempts": 5, "initialInterval": "1ms", "maxInterval": "1ms"}"#

  static func step(_ id: String, _ more: String = quick) -> String {
    #"""
    {"id": "\#(id)", "http": {"service": "lab", "method": "PUT", "path": "/\#(id)/${steps.\#(id).uuid}"},
     "compensation": {"http": {"service": "lab", "method": "DELETE", "path": "/\#(id)/${steps.\#(id).uuid}"}, \#(quick)}\#(more.isEmpty ? "" : ", " + more)}
    """#
  }

  static func of(_ steps: String..., members: String = "") -> [UInt8] {
    Array(#"{"name": "spec", "version": 1, \#(members) "steps": [\#(steps.joined(separator: ","))]}"#.utf8)
  }
}
