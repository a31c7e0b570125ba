import JSON
public import Persistence
import Runtime
import SagaCore
public import Values

// Lists of sagas, and the history of one saga. All of it follows the store and may be slightly behind it.
extension Engine {
  /// The longest time that a list waits for events that have just been stored.
  public static let longestLag = Duration.seconds(2)

  /// Returns a page of sagas.
  /// - Parameters:
  ///   - request: the filter, the order, and the beginning of the page.
  ///   - seen: the positions that the page must have reached. If that takes too long, the page says that it is behind.
  public func list(_ request: SagaListRequest) async throws -> SagaPage {
    let isBehind =
      if let seen = request.seen { try await !waitUntilListed(seen.positions) } else { false }
    // What lists lack is asked first: it may be missing below, and nothing else may.
    let lists = try await readModel.status()
    if let page = try await unreadPage(request, isBehind: isBehind, lists: lists) { return page }
    let rows = try await readModel.store.list(request.query, after: request.after, limit: request.limit)
    let facets = request.wantsFacets ? try await readModel.store.facets(request.query) : nil
    return SagaPage(sagas: rows.rows, next: rows.next, facets: facets, isBehind: isBehind, lists: lists)
  }

  /// Returns a page of the incidents: the sagas that need a person, or may soon, grouped by what stops or delays them.
  /// - Parameters:
  ///   - query: which incidents, and how many sagas to name of each.
  ///   - after: the end of the page before; nil for the first page.
  ///   - limit: the most incidents of the page.
  public func incidents(
    _ query: IncidentQuery, after: IncidentCursor? = nil, limit: Int = 50
  ) async throws -> SagaIncidents {
    if unread.isEmpty { return try await readModel.store.incidents(query, after: after, limit: limit) }
    var rest = query
    rest.without.formUnion(unread.map(\.id))
    let page = try await readModel.store.incidents(rest, after: after, limit: limit)
    return page.adding(try await unreadIncidents(query), after: after, limit: limit)
  }

  /// Returns the titles and keys of sagas, of those that the lists have. While the lists can't be read, sagas have no
  /// names here: their ids are enough to act on them.
  public func names(of sagas: [UniqueID]) async -> [UniqueID: SagaName] {
    let ids = Array(Set(sagas))
    var names: [UniqueID: SagaName] = [:]
    do {
      for start in stride(from: 0, to: ids.count, by: 500) {
        for row in try await readModel.store.currentRows(Array(ids[start..<min(start + 500, ids.count)])) {
          names[row.id] = SagaName(title: row.title, key: row.key)
        }
      }
    } catch {
      host.log.warning("Sagas are shown without their titles", ("error", "\(error)"))
    }
    return names
  }

  /// Waits until lists have reached these positions, by shard. A shard that the store doesn't have is never reached.
  /// - Returns: false when the lists had not reached them after `longestLag`.
  public func waitUntilListed(_ positions: [Int: Int64]) async throws -> Bool {
    guard positions.keys.allSatisfy({ $0 < shardCount }) else { return false }
    return try await readModel.caughtUp(to: positions, within: Self.longestLag)
  }

  /// Returns the number of sagas in each status.
  public func counts() async throws -> [SagaStatus: Int] {
    let counts = try await readModel.store.facets(SagaQuery()).status
    return Dictionary(uniqueKeysWithValues: SagaStatus.allCases.map { ($0, counts[$0.rawValue] ?? 0) })
  }

  /// Returns once lists show everything that was stored before the call.
  public func waitUntilListed() async throws { try await readModel.waitUntilCaughtUp() }

  /// Returns the token of the positions that a list must have reached to show all events of the saga until now.
  public func seen(_ id: UniqueID) async throws -> SeenToken {
    let shard = host.events.shard(of: id)
    return SeenToken(positions: [shard: try await host.events.head(shard: shard)])
  }

  /// Returns the counts of a workflow's steps, minute by minute.
  /// - Throws: `EngineError` `workflow.notFound`.
  public func statistics(of workflow: String, _ range: MomentRange) async throws -> [StepMinute] {
    let minutes = try await readModel.store.minutes(workflow: workflow, range)
    if minutes.isEmpty { _ = try self.workflow(workflow, version: nil) }
    return minutes
  }

  /// Returns the timeline of a saga.
  /// - Parameter showsItems: whether each item of a step with `forEach` has spans of its own.
  public func timeline(of id: UniqueID, showsItems: Bool = true) async throws -> Timeline {
    var timeline = Timeline(showsItems: showsItems)
    var pages = host.history.pages(of: id)
    while let page = try await pages.next() {
      for stored in page { timeline.note(try SagaEventCoding.decode(stored)) }
    }
    // Throws the error for an unknown saga.
    if pages.version == 0 { _ = try await host.state(of: id) }
    return timeline
  }

  /// Returns a saga as it was after one of its events.
  /// - Throws: `EngineError` `saga.versionUnknown` when it has no such event.
  public func saga(_ id: UniqueID, version: Int) async throws -> SagaNow {
    // The snapshot is one of an earlier version, because the time of this version is in its event.
    var fold = SagaFold(try await host.history.snapshot(of: id, upTo: version - 1))
    var pages = host.history.pages(of: id, after: fold.version, upTo: version)
    var at: Timestamp?
    while let page = try await pages.next() {
      for stored in page { at = try fold.take(stored)?.at }
    }
    // Throws the error for an unknown saga.
    if pages.version == 0 { _ = try await host.state(of: id) }
    guard let state = fold.state, state.version == version else {
      throw EngineError(
        code: EngineErrorCode.sagaVersionUnknown,
        message: "The saga has \(fold.version) events: there is no version \(version) of it.")
    }
    return SagaNow(state: state, definition: try await host.definitions.definition(of: state.definition), asOf: at)
  }

  /// Returns the lag of the lists, and the progress of a rebuild.
  public func projections() async throws -> ProjectionStatus { try await readModel.status() }

  /// Begins to fill new tables for lists, while the old ones serve. A request during a rebuild changes nothing. The
  /// request and its user are recorded before it begins.
  public func rebuildProjections(by: String, from: String? = nil) async throws -> ProjectionStatus {
    let generation = try await readModel.status().generation
    let act = EngineAct(kind: .projectionsRebuilt, by: by, from: from, content: ["generation": .int(generation)])
    try await act.store(in: host.events, at: host.environment.now(), host.environment)
    try await readModel.rebuild()
    return try await readModel.status()
  }
}

/// A request for a list.
public struct SagaListRequest: Sendable {
  public var query: SagaQuery
  public var after: SagaCursor?
  public var limit: Int
  public var wantsFacets: Bool
  public var seen: SeenToken?

  public init(
    _ query: SagaQuery = SagaQuery(), after: SagaCursor? = nil, limit: Int = 50, wantsFacets: Bool = false,
    seen: SeenToken? = nil
  ) {
    self.query = query
    self.after = after
    self.limit = limit
    self.wantsFacets = wantsFacets
    self.seen = seen
  }
}

/// One page of a list.
public struct SagaPage: Sendable {
  public let sagas: [SagaRow]
  /// The cursor of the next page.
  public let next: SagaCursor?
  public let facets: SagaFacets?
  /// Whether the list has not yet reached the positions that it had to reach.
  public let isBehind: Bool
  /// How far lists were before the page was read.
  public let lists: ProjectionStatus

  public init(
    sagas: [SagaRow], next: SagaCursor? = nil, facets: SagaFacets? = nil, isBehind: Bool = false,
    lists: ProjectionStatus
  ) {
    self.sagas = sagas
    self.next = next
    self.facets = facets
    self.isBehind = isBehind
    self.lists = lists
  }
}

/// The read-your-writes token: a position for each of some shards. As text, `3.1042`, or several with `-` between them.
public struct SeenToken: Sendable, Hashable, CustomStringConvertible {
  public let positions: [Int: Int64]

  public init(positions: [Int: Int64]) { self.positions = positions }

  /// - Returns: nil when the text does not have this form.
  public init?(_ text: String) {
    var positions: [Int: Int64] = [:]
    for part in text.split(separator: "-", omittingEmptySubsequences: false) {
      let numbers = part.split(separator: ".", omittingEmptySubsequences: false)
      guard numbers.count == 2, let shard = Self.number(numbers[0]), shard < Shard.maxCount,
        let position = Self.number(numbers[1])
      else { return nil }
      positions[Int(shard)] = max(position, positions[Int(shard)] ?? 0)
    }
    self.init(positions: positions)
  }

  private static func number(_ text: Substring) -> Int64? {
    text.isEmpty || !text.utf8.allSatisfy { (48...57).contains($0) } ? nil : Int64(text)
  }

  public var description: String {
    positions.sorted { $0.key < $1.key }.map { "\($0.key).\($0.value)" }.joined(separator: "-")
  }
}
