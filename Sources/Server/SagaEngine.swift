import JSON
import Persistence
import SagaCore
import Values
import WorkflowEngine
import Workflows

/// What the API needs of an engine. `Engine` is one; a test may bring its own.
///
/// An engine throws its refusals as `CodedError`. `Refusals` has the status of each code.
public protocol SagaEngine: Sendable {
  /// Whether every open saga has been taken up again, and the store is known to be this engine's.
  var isReady: Bool { get }
  /// Why it takes no requests; nil when it does.
  var notReady: NotReady? { get }
  /// Whether the store takes writes.
  var storeHealth: StoreHealth { get }

  /// The sagas that are held back because processes died while they computed them.
  var held: [HeldSaga] { get }
  /// How many shards its store has.
  var shardCount: Int { get }

  /// What the checker finds, with the services that the engine knows.
  func check(_ content: [UInt8]) -> CheckResult
  func register(_ content: [UInt8], by: String, from: String?) async throws -> Registration
  /// Every version of every workflow, by name and then version.
  func workflows() -> [RegisteredWorkflow]
  /// - Parameters:
  ///   - name: the workflow's name.
  ///   - version: the latest when nil.
  func workflow(_ name: String, version: Int?) throws(EngineError) -> RegisteredWorkflow

  func start(_ request: StartRequest) async throws -> Started
  func saga(_ id: UniqueID) async throws -> SagaNow
  /// Returns the saga after its end, or as it is when the time is over.
  func waitForEnd(of id: UniqueID, atMost time: Duration) async throws -> SagaNow
  func history(of id: UniqueID, after version: Int, limit: Int) async throws -> [HistoryEntry]
  func list(_ request: SagaListRequest) async throws -> SagaPage
  /// What a list must have seen to show all that has happened to a saga until now.
  func seen(_ id: UniqueID) async throws -> SeenToken
  func timeline(of id: UniqueID) async throws -> Timeline
  /// The saga as it was after one of its events.
  func saga(_ id: UniqueID, version: Int) async throws -> SagaNow
  func statistics(of workflow: String, _ range: MomentRange) async throws -> [StepMinute]
  func projections() async throws -> ProjectionStatus
  func rebuildProjections(by: String, from: String?) async throws -> ProjectionStatus
  /// How many sagas are in each status.
  func counts() async throws -> [SagaStatus: Int]

  /// What a signal leads to, or has led to when it came before.
  /// - Parameter formerIDs: the names that an older version would have given the signal.
  func signal(_ id: UniqueID, _ signal: SignalGiven, formerIDs: [String]) async throws -> SignalAnswer
  /// Does what an operator asks; what it refuses says which verbs the saga takes instead.
  func operate(_ id: UniqueID, _ request: OperatorRequest) async throws -> SagaState

  /// Whether a verb on a saga waits for a second person.
  func needsApproval(_ verb: OperatorVerb, of id: UniqueID) async throws -> Bool
  /// Asks for a verb on one saga that a second person has to agree to.
  func ask(_ id: UniqueID, _ request: OperatorRequest) async throws -> Operation
  /// What a verb on many sagas would do now.
  func preview(_ verb: OperatorVerb, _ target: OperationTarget) async throws -> OperationPreview
  /// - Parameter key: names the request; again, it gives the same operation.
  func begin(
    _ request: OperationRequest, key: String?
  ) async throws -> (operation: Operation, isNew: Bool)
  func operation(_ id: UniqueID) async throws -> Operation
  /// Returns how many sagas of an operation are in each status now.
  func standing(of operation: Operation) async throws -> [SagaStatus: Int]
  /// The newest first.
  func operations(
    status: Operation.Status?, after: DocumentCursor?, limit: Int
  ) async throws -> OperationPage
  func approve(_ id: UniqueID, _ act: OperatorAct) async throws -> Operation
  func decline(_ id: UniqueID, _ act: OperatorAct) async throws -> Operation
  func stop(_ id: UniqueID, _ act: OperatorAct) async throws -> Operation

  /// What people did, oldest first.
  func audit(_ filter: AuditFilter, after: DocumentCursor?, limit: Int) async throws -> AuditPage
  /// Where the chains of the store's shards end now.
  func auditHead() async throws -> AuditHead
  /// - Parameter head: an earlier head whose signature has been verified.
  func auditVerify(against head: AuditHead?) async throws -> AuditReport
}

extension SagaEngine {
  public var held: [HeldSaga] { [] }
  public var notReady: NotReady? {
    isReady
      ? nil
      : NotReady(
        code: EngineErrorCode.engineNotReady, message: "The engine is starting or stopping. Try again later.")
  }
  public var storeHealth: StoreHealth { StoreHealth() }
}

extension Engine: SagaEngine {}
