import Persistence
import SagaCore
import Values
import WorkflowEngine
import Workflows

/// The functions of an engine that the API needs. `Engine` has them; a test may use another type.
///
/// An engine throws its refusals as `CodedError`. `Refusals` has the status of each code.
public protocol SagaEngine: Sendable {
  /// Whether every open saga has been taken up, and the store is known to belong to this engine.
  var isReady: Bool { get }
  /// Why the engine takes no requests; nil when it takes them.
  var notReady: NotReady? { get }
  /// Whether the store takes writes.
  var storeHealth: StoreHealth { get }

  /// What the engine counts for the metrics.
  var meters: EngineMeters { get }
  /// What the engine has to do now.
  var load: EngineLoad { get }
  /// Returns the size of the store and the space that is left for it.
  func storeSize() async throws -> StoreSize

  /// The held sagas. Processes died while they computed these sagas.
  var held: [HeldSaga] { get }
  /// The open sagas that can't be taken up because the key of their sensitive values can't be had.
  var sagasWithoutKey: [UniqueID] { get }
  /// The number of shards of its store.
  var shardCount: Int { get }

  /// Returns the checker's findings, with the services that the engine knows.
  func check(_ content: [UInt8]) -> CheckResult
  /// - Parameter isDraft: true to register the next draft of the workflow.
  func register(_ content: [UInt8], isDraft: Bool, by: String, from: String?) async throws -> Registration
  /// Every version of every workflow, by name and then version.
  func workflows() -> [RegisteredWorkflow]
  /// - Parameters:
  ///   - name: the workflow's name.
  ///   - version: the latest when nil.
  func workflow(_ name: String, version: Int?) throws(EngineError) -> RegisteredWorkflow
  /// Returns the latest draft of a workflow.
  func latestDraft(of name: String) throws(EngineError) -> RegisteredWorkflow

  func start(_ request: StartRequest) async throws -> Started
  func saga(_ id: UniqueID) async throws -> SagaNow
  /// Returns how these children are. A child that can't be read is not among them.
  func childrenNow(of children: [ChildLink]) async throws -> [UniqueID: ChildNow]
  /// Returns the saga that an idempotency key has started.
  func saga(of workflow: String, startedBy key: String) async throws -> UniqueID
  /// Returns the saga after its end, or its current state when the time is over.
  func waitForEnd(of id: UniqueID, atMost time: Duration) async throws -> SagaNow
  func history(of id: UniqueID, after version: Int, limit: Int) async throws -> [HistoryEntry]
  func list(_ request: SagaListRequest) async throws -> SagaPage
  /// Returns a page of the incidents.
  func incidents(_ query: IncidentQuery, after: IncidentCursor?, limit: Int) async throws -> SagaIncidents
  /// Waits until lists have reached these positions, by shard.
  /// - Returns: false when that takes too long.
  func waitUntilListed(_ positions: [Int: Int64]) async throws -> Bool
  /// Returns the token of the positions that a list must have reached to show all events of the saga until now.
  func seen(_ id: UniqueID) async throws -> SeenToken
  /// - Parameter showsItems: whether each item of a step with `forEach` has spans of its own.
  func timeline(of id: UniqueID, showsItems: Bool) async throws -> Timeline
  /// Returns what a saga sent and what was answered. The calls of later events than `version`, the newest last.
  /// - Parameter step: nil for the calls of all steps.
  func calls(of id: UniqueID, step: String?, after version: Int, limit: Int) async throws -> CallPage
  /// Returns the saga as it was after one of its events.
  func saga(_ id: UniqueID, version: Int) async throws -> SagaNow
  func statistics(of workflow: String, _ range: MomentRange) async throws -> [StepMinute]
  func projections() async throws -> ProjectionStatus
  func rebuildProjections(by: String, from: String?) async throws -> ProjectionStatus
  /// Returns the holders and the waiters of a key; nil when it has neither.
  func turns(of key: String) -> TurnLine?
  /// Returns a page of keys that have holders or waiters, in the order of the keys.
  func turns(after key: String?, limit: Int) -> [TurnLine]
  /// The numbers of keys, of held turns and of waiters.
  var turnCounts: TurnCounts { get }
  /// Returns the number of sagas in each status.
  func counts() async throws -> [SagaStatus: Int]

  /// Returns the result of a signal, or of the first one when the signal is a repeat.
  /// - Parameter formerIDs: the ids that an older version would have given the signal.
  func signal(_ id: UniqueID, _ signal: SignalGiven, formerIDs: [String]) async throws -> SignalAnswer
  /// Carries out an operator's verb. A refusal names the verbs that the saga takes instead.
  func operate(_ id: UniqueID, _ request: OperatorRequest) async throws -> SagaState
  /// Destroys the key of an ended saga's sensitive values, behind an event with the person and the reason.
  func forget(_ id: UniqueID, _ act: OperatorAct) async throws -> SagaState

  /// Returns whether a verb on a saga waits for a second person.
  func needsApproval(_ verb: OperatorVerb, of id: UniqueID) async throws -> Bool
  /// Requests a verb on one saga that a second person has to agree to.
  func ask(_ id: UniqueID, _ request: OperatorRequest) async throws -> Operation
  /// Returns the preview of a verb on many sagas.
  func preview(_ verb: OperatorVerb, _ target: OperationTarget) async throws -> OperationPreview
  /// - Parameter key: the idempotency key. The same key again gives the same operation.
  func begin(
    _ request: OperationRequest, key: String?
  ) async throws -> (operation: Operation, isNew: Bool)
  func operation(_ id: UniqueID) async throws -> Operation
  /// Returns the number of the operation's sagas in each status now.
  func standing(of operation: Operation) async throws -> [SagaStatus: Int]
  /// Returns the titles and keys of sagas, of those that the lists have.
  func names(of sagas: [UniqueID]) async -> [UniqueID: SagaName]
  /// Returns operations, the newest first.
  func operations(
    status: Operation.Status?, after: DocumentCursor?, limit: Int
  ) async throws -> OperationPage
  func approve(_ id: UniqueID, _ act: OperatorAct) async throws -> Operation
  func decline(_ id: UniqueID, _ act: OperatorAct) async throws -> Operation
  func stop(_ id: UniqueID, _ act: OperatorAct) async throws -> Operation

  /// Takes tasks from a queue for a worker, and waits for one when there is none.
  func poll(_ poll: TaskPoll) async throws -> [GivenTask]
  /// Records a worker's answer to a task.
  func answer(_ id: TaskID, lease: String, _ outcome: StepOutcome) async throws
  /// Keeps a worker's lease of a task.
  func heartbeat(_ id: TaskID, lease: String, progress: StepProgress?) async throws -> TaskHeartbeat
  /// The queues of tasks, by name.
  var taskQueues: [TaskQueueNow] { get }
  /// Returns tasks, the first offered first, and the number of the others.
  /// - Parameter queue: nil for the tasks of all queues.
  func tasks(of queue: String?, limit: Int) -> (tasks: [OfferedTask], more: Int)

  /// Returns people's acts, in the order of the filter.
  func audit(_ filter: AuditFilter, after: DocumentCursor?, limit: Int) async throws -> AuditPage
  /// Returns the last chain of every shard at this time.
  func auditHead() async throws -> AuditHead
  /// - Parameter head: an earlier head whose signature has been verified.
  func auditVerify(against head: AuditHead?) async throws -> AuditReport
}

extension SagaEngine {
  public var meters: EngineMeters { EngineMeters() }
  public var load: EngineLoad { EngineLoad() }
  public func storeSize() async throws -> StoreSize { StoreSize() }
  public var held: [HeldSaga] { [] }
  public var sagasWithoutKey: [UniqueID] { [] }
  public func names(of sagas: [UniqueID]) async -> [UniqueID: SagaName] { [:] }
  public func turns(of key: String) -> TurnLine? { nil }
  public func turns(after key: String?, limit: Int) -> [TurnLine] { [] }
  public var turnCounts: TurnCounts { TurnCounts(keys: 0, held: 0, waiting: 0) }
  public var notReady: NotReady? {
    isReady
      ? nil
      : NotReady(
        code: EngineErrorCode.engineNotReady, message: "The engine is starting or stopping. Try again later.")
  }
  public var storeHealth: StoreHealth { StoreHealth() }
}

extension Engine: SagaEngine {}
