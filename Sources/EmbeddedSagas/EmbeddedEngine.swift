public import JSON
import Persistence
import Runtime
public import SagaCore
public import Values
import WorkflowEngine

/// A saga engine inside a program: one SQLite file, steps as Swift closures, no server.
///
/// ```swift
/// try await EmbeddedEngine.run(at: "sagas.db", workflows: [storeTube]) { engine in
///   let saga = try await engine.start("store-tube", input: ["barcode": "T-17"])
///   print(try await engine.end(of: saga).status)
/// }
/// ```
public final class EmbeddedEngine: Sendable {
  private let engine: Engine

  private init(engine: Engine) { self.engine = engine }

  /// Opens the engine, runs `body`, and stops the engine. Meanwhile the sagas that were open at the program's last stop
  /// continue.
  /// - Parameters:
  ///   - path: the path of the SQLite file, which is created when it is missing. One process at a time owns it.
  ///   - workflows: every version that has open sagas, and the newest.
  ///   - drainTime: the time for attempts under way to end after `body` has returned. An attempt that is cut off then
  ///     has an unknown outcome, and is made again at the next start.
  ///   - log: the log for the engine's problems, and for the events in a saga's life.
  /// - Throws: the error of `body`; `StoreError` when the file can't be opened or another process has it; `EngineError`
  ///   with the findings when a workflow is invalid, or its version has other steps than before.
  public static func run<Result: Sendable>(
    at path: String, workflows: [SwiftWorkflow], drainTime: Duration = .seconds(20), log: Log = .silent,
    _ body: @Sendable @escaping (EmbeddedEngine) async throws -> Result
  ) async throws -> Result {
    let environment = Environment.system
    let store = try await SQLiteStore.open(path: path, environment: environment)
    let executor = ClosureExecutor(workflows, clock: environment.clock)
    var configuration = Engine.Configuration(services: [SwiftStep.service], kafkaServices: [])
    configuration.drainTime = drainTime
    let engine = Engine(
      store: store, executor: executor, configuration: configuration, environment: environment, log: log)
    executor.serve(engine)
    let (ready, readiness) = AsyncStream.makeStream(of: Void.self)
    do {
      let result = try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask {
          try await engine.run(onReady: { readiness.finish() })
          return nil
        }
        group.addTask {
          for await _ in ready {}
          for workflow in workflows { _ = try await engine.register(workflow.source.bytes(), by: "program") }
          return try await body(EmbeddedEngine(engine: engine))
        }
        defer { group.cancelAll() }
        while let ended = try await group.next() { if let ended { return ended } }
        throw CancellationError()
      }
      await store.close()
      return result
    } catch {
      await store.close()
      throw error
    }
  }

  /// Starts a saga of the workflow's newest version.
  /// - Parameters:
  ///   - key: the idempotency key. If the key has already started a saga, the call returns that saga.
  ///   - by: the person who requests it, for the history.
  public func start(
    _ workflow: String, input: JSON, key: String? = nil, tags: [String] = [], by: String = "program"
  ) async throws -> UniqueID {
    try await engine.start(
      StartRequest(
        workflow: workflow, version: nil, input: input, idempotencyKey: key, tags: tags, by: by, from: "embedded")
    ).id
  }

  /// Returns the saga as it is stored now.
  /// - Throws: `Refusal` `saga.notFound`.
  public func saga(_ id: UniqueID) async throws -> SagaState { try await engine.saga(id).state }

  /// Waits until a saga has ended.
  /// - Returns: its last state: completed, compensated, or abandoned.
  public func end(of id: UniqueID) async throws -> SagaState {
    while true {
      let state = try await engine.waitForEnd(of: id, atMost: .seconds(3_600)).state
      if state.end != nil { return state }
      try Task.checkCancellation()
    }
  }

  /// Carries out an operator's verb on a saga: retry, resolve, skip, cancel and the others.
  /// - Throws: `Refusal` with the reason, and with the verbs that the saga takes in its state.
  @discardableResult
  public func operate(_ id: UniqueID, _ verb: OperatorVerb, by: String, reason: String) async throws -> SagaState {
    try await engine.operate(id, OperatorRequest(verb, by: OperatorAct(by: by, reason: reason, from: "embedded")))
  }

  /// Returns a saga's events: first the stored ones, then each new one, until the saga has ended.
  /// - Parameter version: the number of the last event to leave out.
  public func events(of id: UniqueID, after version: Int = 0) -> AsyncThrowingStream<SagaEvent, any Error> {
    engine.follow(id, after: version)
  }
}
