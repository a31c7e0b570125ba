import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

/// Answers attempts as a script says, and remembers which keys took effect.
final class ScriptedExecutor: StepExecutor {
  typealias Script = @Sendable (StepCall) async -> StepOutcome
  private let script: Script
  private let seen = Told<StepCall>()

  init(_ script: @escaping Script = { _ in .succeeded(["ok": true]) }) { self.script = script }

  var calls: [StepCall] { seen.all }
  /// The keys of the calls, without the saga's id.
  var keys: [String] { calls.map { String($0.idempotencyKey.dropFirst(37)) } }

  func perform(_ call: StepCall) async -> StepOutcome {
    seen.add(call)
    return await script(call)
  }

  /// Returns as soon as it was called this often.
  func waitForCalls(_ count: Int = 1) async { await seen.wait(for: count) }
}

/// An engine that runs until it is stopped.
struct RunningEngine {
  let engine: Engine
  private let task: Task<Void, any Error>

  init(
    _ store: any EventStore, _ executor: any StepExecutor, environment: Environment = .system,
    drainTime: Duration = .seconds(5), readStore: (any SagaReadStore)? = nil,
    approvals: Set<OperatorVerb.Name> = [], learnsExpectations: Bool = true, sizes: SagaSizes = SagaSizes(),
    allowsDrafts: Bool = false, sealKeys: SealKeys? = nil, log: Log = .silent
  ) async throws {
    var configuration = Engine.Configuration()
    configuration.sealKeys = sealKeys
    configuration.allowsDrafts = allowsDrafts
    configuration.sizes = sizes
    configuration.drainTime = drainTime
    configuration.approvals = approvals
    configuration.learnsExpectations = learnsExpectations
    let engine = Engine(
      store: store, executor: executor, configuration: configuration, environment: environment,
      readStore: readStore, log: log)
    self.engine = engine
    let task = Task { try await engine.run() }
    self.task = task
    do { try await engine.waitUntilReady() } catch {
      task.cancel()
      throw error
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

extension Engine {
  func waitUntilReady() async throws { try await eventually("the engine is ready") { isReady } }

  /// Returns the state of a saga as soon as it satisfies a condition. The wait is as long as that for a saga's end: beside
  /// tests that compute, an attempt may take a second.
  @discardableResult
  func state(of id: UniqueID, when fact: String, _ isTrue: (SagaState) -> Bool) async throws -> SagaState {
    var last: SagaState?
    return try await eventualValue("\(fact): \(last.map { "\($0)" } ?? "not read")", within: .seconds(600)) {
      let state = try await saga(id).state
      last = state
      return isTrue(state) ? state : nil
    }
  }

  /// Returns as soon as a saga has a status.
  func wait(for id: UniqueID, toBe status: SagaStatus) async throws {
    try await state(of: id, when: "the saga is \(status)") { $0.status == status }
  }

  /// Returns as soon as a step has a status.
  func wait(for id: UniqueID, step: String, toBe status: StepStatus) async throws {
    try await state(of: id, when: "step \(step) is \(status)") { $0.step(step)?.status == status }
  }

  /// Returns as soon as a step is overdue.
  func waitUntilOverdue(_ id: UniqueID, step: String) async throws {
    try await state(of: id, when: "step \(step) is overdue") { $0.step(step)?.overdue != nil }
  }

  /// Returns as soon as a saga has left memory.
  func waitUntilAsleep(_ id: UniqueID) async throws {
    try await eventually("the saga has left memory") { !host.isInMemory(id) }
  }

  /// Returns as soon as no saga is in memory.
  func waitUntilAllAsleep() async throws { try await eventually("no saga is in memory") { host.countInMemory == 0 } }

  func waitUntilDraining() async throws { try await eventually("the engine drains") { host.isDraining } }

  /// Returns an operation as soon as it has ended.
  /// - Parameter meanwhile: is called after each look, for example to move a clock.
  @discardableResult
  func end(of operation: UniqueID, meanwhile: () -> Void = {}) async throws -> WorkflowEngine.Operation {
    try await eventualValue("operation \(operation) has ended") {
      let now = try await self.operation(operation)
      if now.status.isEnd { return now }
      meanwhile()
      return nil
    }
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

  static func of(_ steps: String..., members: String = "", version: Int = 1) -> [UInt8] {
    Array(#"{"name": "spec", "version": \#(version), \#(members) "steps": [\#(steps.joined(separator: ","))]}"#.utf8)
  }
}
