import HTTP
import JSON
import Persistence
import Runtime
import Synchronization
import Values

/// The laboratory's participants at work on a store, without a wire: `handle` answers requests in process.
public final class Participants: Sendable {
  /// Every route of every service.
  public let router: Router
  /// Every command of every service.
  let commands: [ServiceCommand]
  let gate: CommandGate
  let store: any EventStore
  private let faults: FaultBoard
  private let projector: Projector
  private let following: Task<Void, Never>

  /// Takes the store's shards, furnishes the laboratory if it isn't yet, and brings the read models up to date.
  public static func open(
    store: any EventStore, environment: Environment, faults: FaultPlan = FaultPlan(),
    layout: LaboratoryLayout = .standard(), log: Log = .silent
  ) async throws -> Participants {
    try await store.own(shards: nil)
    let layout = try await furnish(store, environment, layout)
    let projection = LabProjection(store: store)
    try await clear(projection, in: store)
    let projector = Projector(
      store: store, projection: projection, environment: environment,
      report: { failure in
        log.error(
          "a read model failed and will be tried again", ("shard", "\(failure.shard)"), ("error", "\(failure.error)"))
      })
    let following = Task {
      do {
        try await projector.run()
      } catch {
        if !Task.isCancelled { log.error("the read models stopped", ("error", "\(error)")) }
      }
    }
    do {
      try await projector.waitUntilCaughtUp()
      return try await Participants(store, environment, faults, layout, projector, following, log)
    } catch {
      following.cancel()
      throw error
    }
  }

  private init(
    _ store: any EventStore, _ environment: Environment, _ plan: FaultPlan, _ layout: LaboratoryLayout,
    _ projector: Projector, _ following: Task<Void, Never>, _ log: Log
  ) async throws {
    self.projector = projector
    self.following = following
    faults = FaultBoard(plan: plan, environment: environment)
    let reader = LabQueries(
      store: store, projector: projector, desk: CommandDesk(store: store, environment: environment))
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
    let desk = CommandDesk(store: store, environment: environment) { claims, releases in
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
    let queries = LabQueries(store: store, projector: projector, desk: desk)
    var router = Router { error, request in
      log.error("a request failed", ("path", request.path), ("error", "\(error)"))
    }
    let samples = SamplesService(desk: desk, gate: gate, queries: queries)
    let storage = StorageService(desk: desk, gate: gate, queries: queries, layout: layout, places: positions)
    let sequencing = SequencingService(desk: desk, gate: gate, queries: queries, layout: layout, places: lanes)
    let notification = NotificationService(desk: desk, gate: gate, queries: queries)
    let commands = samples.commands + storage.commands + sequencing.commands + notification.commands
    gate.route(commands, in: &router)
    samples.queryRoutes(in: &router)
    storage.queryRoutes(in: &router)
    sequencing.queryRoutes(in: &router)
    notification.queryRoutes(in: &router)
    LabOverview(gate: gate, queries: queries).routes(in: &router)
    self.router = router
    self.commands = commands
    self.gate = gate
    self.store = store
  }

  /// Answers a request.
  public func handle(_ request: HTTPServerRequest) async -> HTTPServerResponse { await router.handle(request) }

  /// Lets go of the calls that a fault keeps waiting; none waits from now on.
  public func releaseHeldCalls() { faults.close() }

  /// Stops following the store. The store stays open: it is its opener's.
  public func close() async {
    faults.close()
    following.cancel()
    await following.value
  }

  /// Empties what a projection of another shape left, before this one has written anything.
  private static func clear(_ projection: LabProjection, in store: any EventStore) async throws {
    for shard in 0..<store.shardCount {
      if try await store.checkpoint(projection.name, shard: shard) > 0 { return }
    }
    try await store.reset(follower: projection.name, collections: projection.collections)
  }

  private static func furnish(
    _ store: any EventStore, _ environment: Environment, _ layout: LaboratoryLayout
  ) async throws -> LaboratoryLayout {
    let desk = CommandDesk(store: store, environment: environment)
    let known = try await desk.load(Furniture.self, Furniture.id).state
    if try Furniture.decide(.furnish(layout), known).isEmpty { return known.layout }
    let call = CommandCall(
      service: .storage, key: "furnish/\(environment.newID())", digest: "", userID: "laboratory", tenantID: "default")
    _ = try await desk.perform(call, on: Furniture.id, as: Furniture.self) { (furniture) throws(LabRefusal) in
      try Furniture.decide(.furnish(layout), furniture)
    } answer: {
      Answer(status: 200, body: $0.json)
    }
    return try await desk.load(Furniture.self, Furniture.id).state.layout
  }
}
