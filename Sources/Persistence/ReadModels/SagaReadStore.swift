public import Values

/// The store of the saga read model. Its tables are separate from the events. They can be deleted and built again from
/// the events.
///
/// The tables have a generation. While a new generation is filled, the current one serves and stays up to date. Then
/// one transaction makes the new one current.
public protocol SagaReadStore: Sendable {
  /// The kind of the store, for status pages.
  var kind: String { get }

  func generations() async throws(StoreError) -> ReadGenerations

  /// Returns the checkpoints of a generation by shard. Shards that it has not begun are missing.
  func checkpoints(_ generation: Int) async throws(StoreError) -> [Int: ReadCheckpoint]

  /// Writes rows, counters and the shard's checkpoint, in one transaction.
  /// - Throws: `store.checkpointConflict` when the checkpoint is not at `batch.from`; then nothing was written.
  func apply(_ batch: ReadBatch) async throws(StoreError)

  /// Returns the rows with these ids in a generation, in no particular order.
  func rows(_ ids: [UniqueID], generation: Int) async throws(StoreError) -> [SagaRow]

  /// Returns the rows with these ids in the generation that is current at the read, in no particular order.
  func currentRows(_ ids: [UniqueID]) async throws(StoreError) -> [SagaRow]

  /// Returns the changes that the store refuses, with the reason. It tries each change alone and writes nothing. Use it
  /// for a batch that was refused as `store.invalid`.
  func refused(_ changes: [SagaChange], generation: Int) async throws(StoreError) -> [UniqueID: String]

  /// Returns a page of the current generation.
  func list(_ query: SagaQuery, after: SagaCursor?, limit: Int) async throws(StoreError) -> SagaRows
  /// Returns a page of the incidents: the sagas that have a `need`, grouped by what they have in common. The incident
  /// that began first comes first.
  /// - Parameter limit: the most incidents of the page, at least 1.
  func incidents(
    _ query: IncidentQuery, after: IncidentCursor?, limit: Int
  ) async throws(StoreError) -> SagaIncidents
  func facets(_ query: SagaQuery) async throws(StoreError) -> SagaFacets

  /// Returns the counts of a workflow's steps for each minute, ordered by step and minute.
  func minutes(workflow: String, _ range: MomentRange) async throws(StoreError) -> [StepMinute]

  /// Creates empty tables for a new generation. Drops a generation that was begun and not finished.
  /// - Returns: the new generation.
  func beginGeneration() async throws(StoreError) -> Int

  /// Makes a begun generation the current one, if in every shard it has come at least as far as the current one.
  /// `dropOldGenerations` drops the old one.
  /// - Parameter evenIfBehind: skips that check. Use it when the old generation was built from other events.
  /// - Returns: false when the generation is behind; then nothing changed.
  func makeCurrent(_ generation: Int, evenIfBehind: Bool) async throws(StoreError) -> Bool

  /// Drops all tables that neither serve nor are being filled. The next opening and the next new generation do so too.
  func dropOldGenerations() async throws(StoreError)

  func close() async
}

/// The existing generations.
public struct ReadGenerations: Sendable, Hashable {
  public var current: Int
  /// The generation that is being filled; nil when there is none.
  public var building: Int?
}

/// The checkpoint of a generation in a shard.
public struct ReadCheckpoint: Sendable, Hashable {
  public var position: Int64
  /// The hash of the event at the checkpoint. It shows whether the events are still those from which the rows were
  /// built.
  public var hash: [UInt8]

  public init(position: Int64, hash: [UInt8]) {
    self.position = position
    self.hash = hash
  }
}

/// The changes from a run of events of one shard.
public struct ReadBatch: Sendable {
  public var generation: Int
  public var shard: Int
  /// The position that the checkpoint must have now.
  public var from: Int64
  public var to: ReadCheckpoint
  /// The changed sagas, each at most once.
  public var changes: [SagaChange]
  /// The counts to add to the stored ones.
  public var minutes: [StepMinute]

  public init(
    generation: Int, shard: Int, from: Int64, to: ReadCheckpoint, changes: [SagaChange] = [], minutes: [StepMinute] = []
  ) {
    self.generation = generation
    self.shard = shard
    self.from = from
    self.to = to
    self.changes = changes
    self.minutes = minutes
  }
}

/// A row before and after the change.
public struct SagaChange: Sendable {
  /// The row that the generation has now; nil for a saga that is new there.
  public var old: SagaRow?
  public var new: SagaRow

  public init(old: SagaRow?, new: SagaRow) {
    self.old = old
    self.new = new
  }
}

extension StoreError {
  static func checkpointConflict(_ batch: ReadBatch, actual: Int64) -> StoreError {
    StoreError(
      .checkpointConflict(actual: actual),
      "generation \(batch.generation) of the read model is at \(actual) in shard \(batch.shard), not at \(batch.from)")
  }
}
