import JSON
import Persistence
import Runtime
import Synchronization
import Values

@testable import SagaCore
@testable import WorkflowEngine

/// An engine with sagas that are stuck on an undo, sagas that are done, and sagas that wait.
struct OperationBench {
  static let stuck = OperationTarget.filter(
    {
      var query = SagaQuery()
      query.statuses = ["stuck"]
      return query
    }(), asked: ["status": "stuck"])

  let running: RunningEngine
  let stuck: [UniqueID]
  let fine: [UniqueID]
  let waiting: [UniqueID]
  let store: MoodyStore
  private let environment: Environment
  private let approvals: Set<OperatorVerb.Name>
  /// Whether undos are refused.
  private let isBroken: Box

  private final class Box: Sendable {
    let value = Mutex(true)
  }

  var engine: Engine { running.engine }

  init(
    stuck: Int, fine: Int = 0, waiting: Int = 0, approvals: Set<OperatorVerb.Name> = [],
    environment: Environment = .system
  ) async throws {
    let box = Box()
    let store = MoodyStore(MemoryStore(environment: environment))
    running = try await RunningEngine(
      store, Self.participants(box), environment: environment, approvals: approvals)
    (isBroken, self.store, self.environment, self.approvals) = (box, store, environment, approvals)
    for workflow in Self.workflows { _ = try await running.engine.register(Array(workflow.utf8), by: "test") }
    var ids: [[UniqueID]] = []
    for (name, count) in [("breaks", stuck), ("works", fine), ("waits", waiting)] {
      var some: [UniqueID] = []
      for _ in 0..<count { some.append(try await running.start(name).id) }
      ids.append(some)
    }
    (self.stuck, self.fine, self.waiting) = (ids[0], ids[1], ids[2])
    try await settle()
  }

  /// The same store, after a restart.
  init(over other: OperationBench) async throws {
    (isBroken, store, environment, approvals) = (other.isBroken, other.store, other.environment, other.approvals)
    (stuck, fine, waiting) = (other.stuck, other.fine, other.waiting)
    running = try await RunningEngine(
      store, Self.participants(isBroken), environment: environment, approvals: approvals)
  }

  private func settle() async throws {
    for id in stuck { try await engine.wait(for: id, toBe: .stuck) }
    for id in fine { _ = try await running.end(of: id) }
  }

  /// One more saga that gets stuck.
  func breakOne() async throws {
    let id = try await running.start("breaks").id
    try await engine.wait(for: id, toBe: .stuck)
  }

  /// Undos work from now on.
  func mend() { isBroken.value.withLock { $0 = false } }

  func request(
    _ verb: OperatorVerb, _ target: OperationTarget = stuck, selection: String? = nil,
    pace: OperationPace = OperationPace(rate: 1_000)
  ) -> OperationRequest {
    OperationRequest(
      verb, target, selection: selection, pace: pace,
      by: OperatorAct(by: "anna", reason: "the freezer is back", from: "test"))
  }

  func begin(
    _ verb: OperatorVerb, _ target: OperationTarget = stuck, selection: String? = nil,
    pace: OperationPace = OperationPace(rate: 1_000), key: String? = nil
  ) async throws -> WorkflowEngine.Operation {
    try await engine.begin(request(verb, target, selection: selection, pace: pace), key: key).operation
  }

  func ask(_ verb: OperatorVerb, _ saga: UniqueID, by user: String = "anna") async throws -> WorkflowEngine.Operation {
    try await engine.ask(saga, OperatorRequest(verb, by: OperatorAct(by: user, reason: "it is gone")))
  }

  func end(of id: UniqueID) async throws -> WorkflowEngine.Operation {
    try await engine.end(of: id)
  }

  func stop() async { await running.stop() }

  private static func participants(_ broken: Box) -> ScriptedExecutor {
    ScriptedExecutor { call in
      if call.step == "fails" { return .failed(StepFailure(code: "QC_FAILED", message: "too little")) }
      if call.phase == .undo, broken.value.withLock({ $0 }) {
        return .failed(StepFailure(code: "storage.down", message: "the freezer does not answer"))
      }
      return .succeeded(["ok": true])
    }
  }

  private static var workflows: [String] {
    let undo =
      #""compensation": {"http": {"service": "lab", "method": "DELETE", "path": "/a"}, "retry": {"maxAttempts": 1}}"#
    let store = #"{"id": "store", "http": {"service": "lab", "method": "PUT", "path": "/a"}, \#(undo)}"#
    let fails =
      #"{"id": "fails", "http": {"service": "lab", "method": "GET", "path": "/b"}, "retry": {"maxAttempts": 1}}"#
    return [
      #"{"name": "breaks", "version": 1, "steps": [\#(store), \#(fails)]}"#,
      #"{"name": "works", "version": 1, "steps": [\#(store)]}"#,
      #"{"name": "waits", "version": 1, "steps": [{"id": "wait", "timeout": "1m", "signal": {"name": "go"}}]}"#,
    ]
  }
}
