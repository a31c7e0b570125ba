import Synchronization
public import Values

/// A read model in the memory of the process, for an engine whose events are also in memory. It is also the reference
/// for the databases' answers, because it checks every row in the simplest way.
public final class MemoryReadStore: SagaReadStore {
  private struct Tables {
    var rows: [UniqueID: SagaRow] = [:]
    var checkpoints: [Int: ReadCheckpoint] = [:]
    var minutes: [Place: StepMinute] = [:]
  }
  private struct Place: Hashable {
    let workflow: TextKey
    let step: TextKey
    let at: Timestamp
  }
  private struct State {
    var tables: [Int: Tables] = [1: Tables()]
    var generations = ReadGenerations(current: 1)
    var last = 1
    var isClosed = false
  }
  private let state = Mutex(State())

  public let kind = "memory"

  public init() {}

  private func use<Value: Sendable>(
    _ body: (inout State) throws(StoreError) -> Value
  ) throws(StoreError) -> Value {
    // `withLock` loses the type of the thrown error.
    let result = state.withLock { state -> Result<Value, StoreError> in
      if state.isClosed { return .failure(.closed) }
      do throws(StoreError) { return .success(try body(&state)) } catch { return .failure(error) }
    }
    return try result.get()
  }

  public func generations() async throws(StoreError) -> ReadGenerations {
    try use { state in state.generations }
  }

  public func checkpoints(_ generation: Int) async throws(StoreError) -> [Int: ReadCheckpoint] {
    try use { state in state.tables[generation]?.checkpoints ?? [:] }
  }

  public func rows(_ ids: [UniqueID], generation: Int) async throws(StoreError) -> [SagaRow] {
    try use { state in ids.compactMap { state.tables[generation]?.rows[$0] } }
  }

  public func currentRows(_ ids: [UniqueID]) async throws(StoreError) -> [SagaRow] {
    try use { state in ids.compactMap { state.tables[state.generations.current]?.rows[$0] } }
  }

  public func refused(_ changes: [SagaChange], generation: Int) async throws(StoreError) -> [UniqueID: String] { [:] }

  public func apply(_ batch: ReadBatch) async throws(StoreError) {
    try use { state throws(StoreError) in
      guard var tables = state.tables[batch.generation] else {
        throw .invalid("the read model has no generation \(batch.generation)")
      }
      let actual = tables.checkpoints[batch.shard]?.position ?? 0
      guard actual == batch.from else { throw .checkpointConflict(batch, actual: actual) }
      // The table is removed from the state while it changes. Otherwise all rows would be copied.
      state.tables[batch.generation] = nil
      tables.checkpoints[batch.shard] = batch.to
      for change in batch.changes { tables.rows[change.new.id] = change.new }
      for minute in batch.minutes {
        let place = Place(workflow: TextKey(minute.workflow), step: TextKey(minute.step), at: minute.at)
        tables.minutes[place, default: StepMinute(workflow: minute.workflow, step: minute.step, at: minute.at)]
          .merge(minute)
      }
      state.tables[batch.generation] = tables
    }
  }

  private func found(_ query: SagaQuery) throws(StoreError) -> [SagaRow] {
    try use { state in
      (state.tables[state.generations.current]?.rows.values).map { $0.filter(query.matches) } ?? []
    }
  }

  public func list(_ query: SagaQuery, after: SagaCursor?, limit: Int) async throws(StoreError) -> SagaRows {
    let places = try found(query).compactMap { row in
      query.sort.moment(of: row).map { (cursor: SagaCursor(moment: $0, id: row.id), row: row) }
    }
    func isBefore(_ left: SagaCursor, _ right: SagaCursor) -> Bool {
      let (first, second) = query.sort.isDescending ? (right, left) : (left, right)
      return (first.moment, first.id) < (second.moment, second.id)
    }
    let rest = places.filter { place in after.map { isBefore($0, place.cursor) } ?? true }
      .sorted { isBefore($0.cursor, $1.cursor) }
    let page = rest.prefix(limit)
    return SagaRows(rows: page.map(\.row), next: rest.count > limit ? page.last?.cursor : nil)
  }

  public func facets(_ query: SagaQuery) async throws(StoreError) -> SagaFacets {
    var facets = SagaFacets()
    for row in try found(query) { facets.add(row) }
    return facets
  }

  public func incidents(
    _ query: IncidentQuery, after: IncidentCursor?, limit: Int
  ) async throws(StoreError) -> SagaIncidents {
    try use { state in
      var found: [IncidentKey: [(row: SagaRow, since: Timestamp)]] = [:]
      var totals: [IncidentKind: Int] = [:]
      for row in state.tables[state.generations.current]?.rows.values ?? [:].values {
        guard let need = row.need(at: query.at), query.wants(need.kind), !query.without.contains(row.id) else {
          continue
        }
        if let workflow = query.workflow, !TextKey(workflow).isSame(row.workflow) { continue }
        found[IncidentKey(need, workflow: row.workflow), default: []].append((row, need.since))
        totals[need.kind, default: 0] += 1
      }
      let all = found.map { key, sagas in
        let sagas = sagas.sorted { ($0.since, $0.row.id) < ($1.since, $1.row.id) }
        return SagaIncident(
          key: key, sagas: sagas.count, since: sagas[0].since, newest: sagas[sagas.count - 1].since,
          samples: sagas.prefix(query.samples).map(\.row))
      }
      let places = all.map { (cursor: IncidentCursor(since: $0.since, id: $0.key.id), incident: $0) }
      func isBefore(_ left: IncidentCursor, _ right: IncidentCursor) -> Bool {
        (left.since, TextKey(left.id)) < (right.since, TextKey(right.id))
      }
      let rest = places.filter { place in after.map { isBefore($0, place.cursor) } ?? true }
        .sorted { isBefore($0.cursor, $1.cursor) }
      let page = rest.prefix(limit)
      return SagaIncidents(
        incidents: page.map(\.incident), next: rest.count > limit ? page.last?.cursor : nil, totals: totals)
    }
  }

  public func minutes(workflow: String, _ range: MomentRange) async throws(StoreError) -> [StepMinute] {
    try use { state in
      (state.tables[state.generations.current]?.minutes.values).map { minutes in
        minutes.filter { TextKey($0.workflow).isSame(workflow) && range.contains($0.at) }
          .sorted { ($0.at, TextKey($0.step)) < ($1.at, TextKey($1.step)) }
      } ?? []
    }
  }

  public func beginGeneration() async throws(StoreError) -> Int {
    try use { state in
      if let building = state.generations.building { state.tables[building] = nil }
      state.last += 1
      state.tables[state.last] = Tables()
      state.generations.building = state.last
      return state.last
    }
  }

  public func makeCurrent(_ generation: Int, evenIfBehind: Bool) async throws(StoreError) -> Bool {
    try use { state throws(StoreError) in
      guard state.generations.building == generation, let new = state.tables[generation] else {
        throw .invalid("generation \(generation) of the read model isn't being filled")
      }
      let old = state.generations.current
      for (shard, checkpoint) in state.tables[old]?.checkpoints ?? [:]
      where !evenIfBehind && (new.checkpoints[shard]?.position ?? 0) < checkpoint.position { return false }
      state.generations = ReadGenerations(current: generation)
      return true
    }
  }

  public func dropOldGenerations() async throws(StoreError) {
    try use { state in
      let generations = state.generations
      state.tables = state.tables.filter { $0.key == generations.current || $0.key == generations.building }
    }
  }

  public func close() async {
    state.withLock { state in
      state.isClosed = true
      state.tables = [:]
    }
  }
}

extension SagaQuery {
  /// Returns true when a row matches the query.
  func matches(_ row: SagaRow) -> Bool {
    if !statuses.isEmpty, !statuses.contains(row.status) { return false }
    if let workflow, !TextKey(workflow).isSame(row.workflow) { return false }
    if let version, version != row.version { return false }
    if let isDraft, isDraft != VersionName.isDraft(row.version) { return false }
    if !matchesSteps(row.steps) { return false }
    if let error = error.map(ErrorPattern.init), !row.errors.contains(where: error.matches) { return false }
    if let cause, !(row.causeCode.map { TextKey(cause).isSame($0) } ?? false) { return false }
    if let incident, row.incident(at: incident.at)?.id != incident.id { return false }
    if let minAttempts, row.attempts < minAttempts { return false }
    if let waitingFor, !row.waitingFor.contains(where: { TextKey(waitingFor).isSame($0) }) { return false }
    if let overdueAt, !(row.overdueAt.map { $0 <= overdueAt } ?? false) { return false }
    if let isPaused, isPaused != row.isPaused { return false }
    let tagged = Set(row.tags.map { TextKey(SagaMark.tag($0)) })
    if !tags.allSatisfy({ tagged.contains(TextKey(SagaMark.tag($0))) }) { return false }
    let labelled = Set(row.labels.map { TextKey(SagaMark.label($0)) })
    if !labels.allSatisfy({ labelled.contains(TextKey(SagaMark.label($0))) }) { return false }
    if let key, !(row.key.map { TextKey(SagaMark.key(key)).isSame(SagaMark.key($0)) } ?? false) { return false }
    if let parent, parent != row.parent { return false }
    if !words.allSatisfy({ word in row.words.contains { $0.utf8.starts(with: word.utf8) } }) { return false }
    if !started.contains(row.startedAt) { return false }
    if !ended.isOpen, !(row.endedAt.map(ended.contains) ?? false) { return false }
    return true
  }

  private func matchesSteps(_ steps: [StepRow]) -> Bool {
    if step == nil, stepStatus == nil { return true }
    return steps.contains { row in
      (step.map { TextKey($0).isSame(row.id) } ?? true) && (stepStatus.map { $0 == row.status } ?? row.isAt)
    }
  }
}
