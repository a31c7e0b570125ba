import HTTP
import JSON
import Persistence
import Runtime
import Synchronization
import Values

/// The laboratory's participants on a store, without a network: `handle` answers requests in process.
public final class Participants: Sendable {
  /// Every route of every service.
  public let router: Router
  /// Every command of every service.
  let commands: [ServiceCommand]
  let gate: CommandGate
  let store: any EventStore
  private let faults: ActiveFaults
  private let projector: Projector
  private let following: Task<Void, Never>

  /// Takes the store's shards, sets up missing equipment, and brings the read models up to date.
  /// - Parameter times: how long things take.
  public static func open(
    store: any EventStore, environment: Environment, faults: FaultPlan = FaultPlan(),
    layout: LaboratoryLayout = .standard(), times: LabTimes = LabTimes(), log: Log = .silent
  ) async throws -> Participants {
    try await store.own(shards: nil)
    let layout = try await setUp(store, environment, layout)
    let projection = LabProjection(store: store)
    try await clear(projection, in: store)
    let projector = Projector(
      store: store, projection: projection, environment: environment,
      report: { failure in
        log.error(
          "A read model failed; will retry", ("shard", "\(failure.shard)"), ("error", "\(failure.error)"))
      })
    let following = Task {
      do {
        try await projector.run()
      } catch {
        if !Task.isCancelled {
          log.error("The read models stopped; lists are no longer updated", ("error", "\(error)"))
        }
      }
    }
    do {
      try await projector.waitUntilCaughtUp()
      return try await Participants(store, environment, faults, layout, times, projector, following, log)
    } catch {
      following.cancel()
      throw error
    }
  }

  private init(
    _ store: any EventStore, _ environment: Environment, _ plan: FaultPlan, _ layout: LaboratoryLayout,
    _ times: LabTimes, _ projector: Projector, _ following: Task<Void, Never>, _ log: Log
  ) async throws {
    self.projector = projector
    self.following = following
    faults = ActiveFaults(plan: plan, environment: environment)
    let reader = LabQueries(
      store: store, projector: projector, commandHandler: CommandHandler(store: store, environment: environment))
    let heldPositions = try await reader.all(.positions).compactMap { $0["position"]?.stringValue }
    let heldLanes = try await reader.all(.runs).flatMap { $0["lanes"]?.arrayValue ?? [] }.compactMap(\.stringValue)
    let positions = FreePlaces(
      groups: layout.locations.flatMap(\.boxNames).map { box in
        (name: box, places: (0..<PositionName.wellsPerBox).map { PositionName(box: box, well: $0) })
      },
      held: Set(heldPositions.compactMap { PositionName($0) }))
    let lanes = FreePlaces(
      groups: layout.instruments.flatMap(\.flowCells).map { cell in
        (name: cell, places: layout.instruments.flatMap(\.lanes).filter { $0.flowCell == cell })
      },
      held: Set(heldLanes.compactMap { LaneName($0) }))
    let commandHandler = CommandHandler(store: store, environment: environment) { claims, releases in
      for release in releases {
        if release.scope == .position, let place = PositionName(release.value) { await positions.release(place) }
        if release.scope == .lane, let place = LaneName(release.value) { await lanes.release(place) }
      }
      for claim in claims {
        if claim.scope == .position, let place = PositionName(claim.value) { await positions.hold(place) }
        if claim.scope == .lane, let place = LaneName(claim.value) { await lanes.hold(place) }
      }
    }
    let gate = CommandGate(faults: faults, log: log)
    let queries = LabQueries(store: store, projector: projector, commandHandler: commandHandler)
    var router = Router { error, request in
      log.error("A request failed; answered with an error", ("path", request.path), ("error", "\(error)"))
    }
    let samples = SamplesService(commandHandler: commandHandler, gate: gate, queries: queries)
    let storage = StorageService(
      commandHandler: commandHandler, gate: gate, queries: queries, layout: layout, places: positions)
    let sequencing = SequencingService(
      commandHandler: commandHandler, gate: gate, queries: queries, layout: layout, places: lanes,
      runTime: times.run)
    let notification = NotificationService(commandHandler: commandHandler, gate: gate, queries: queries)
    let accession = AccessionService(commandHandler: commandHandler, gate: gate, time: times.accession)
    let quality = QualityService(
      commandHandler: commandHandler, gate: gate, queries: queries, measurementTime: times.measurement)
    let pipeline = PipelineService(commandHandler: commandHandler, gate: gate, jobTime: times.demultiplexing)
    let libraryPrep = LibraryPrepService(
      commandHandler: commandHandler, gate: gate, queries: queries, robotTime: times.robot,
      measurementTime: times.measurement)
    let pooling = PoolingService(commandHandler: commandHandler, gate: gate, libraryPrep: libraryPrep)
    let flowCells = FlowCellService(commandHandler: commandHandler, gate: gate, layout: layout)
    let commands =
      samples.commands + storage.commands + sequencing.commands + notification.commands + accession.commands
      + quality.commands + pipeline.commands + libraryPrep.commands + pooling.commands + flowCells.commands
    gate.route(commands, in: &router)
    samples.queryRoutes(in: &router)
    storage.queryRoutes(in: &router)
    sequencing.queryRoutes(in: &router)
    notification.queryRoutes(in: &router)
    accession.queryRoutes(in: &router)
    quality.queryRoutes(in: &router)
    pipeline.queryRoutes(in: &router)
    libraryPrep.queryRoutes(in: &router)
    pooling.queryRoutes(in: &router)
    flowCells.queryRoutes(in: &router)
    LabOverview(gate: gate, queries: queries).routes(in: &router)
    self.router = router
    self.commands = commands
    self.gate = gate
    self.store = store
  }

  /// Answers a request.
  public func handle(_ request: HTTPServerRequest) async -> HTTPServerResponse { await router.handle(request) }

  /// Ends the calls that a fault withholds; from now on no call is withheld.
  public func releaseHeldCalls() { faults.close() }

  /// Stops following the store. The caller closes the store.
  public func close() async {
    faults.close()
    following.cancel()
    await following.value
  }

  /// Deletes the documents of an earlier projection version, before this one has written anything.
  private static func clear(_ projection: LabProjection, in store: any EventStore) async throws {
    for shard in 0..<store.shardCount {
      if try await store.checkpoint(projection.name, shard: shard) > 0 { return }
    }
    try await store.reset(follower: projection.name, collections: projection.collections)
  }

  private static func setUp(
    _ store: any EventStore, _ environment: Environment, _ layout: LaboratoryLayout
  ) async throws -> LaboratoryLayout {
    let commandHandler = CommandHandler(store: store, environment: environment)
    let known = try await commandHandler.load(Equipment.self, Equipment.id).state
    if try Equipment.decide(.setUp(layout), known).isEmpty { return known.layout }
    let call = CommandCall(
      service: .storage, key: "furnish/\(environment.newID())", digest: "", userID: "laboratory", tenantID: "default")
    _ = try await commandHandler.perform(call, on: Equipment.id, as: Equipment.self) { (equipment) throws(LabRefusal) in
      try Equipment.decide(.setUp(layout), equipment)
    } answer: {
      Answer(status: 200, body: $0.json)
    }
    return try await commandHandler.load(Equipment.self, Equipment.id).state.layout
  }
}
