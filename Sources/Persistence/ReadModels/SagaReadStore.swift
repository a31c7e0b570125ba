public import Values

/// Where the read model of sagas is kept: tables of their own, apart from the events, that can be thrown away and made
/// again from them.
///
/// The tables carry a generation. While a new generation is filled, the one that is current serves and is kept up to date;
/// then one transaction makes the new one current.
public protocol SagaReadStore: Sendable {
  /// What kind of store it is, for those who ask.
  var kind: String { get }

  func generations() async throws(StoreError) -> ReadGenerations

  /// How far a generation has come, by shard; shards that it hasn't begun are missing.
  func checkpoints(_ generation: Int) async throws(StoreError) -> [Int: ReadCheckpoint]

  /// Writes rows, counters and the shard's checkpoint, in one transaction.
  /// - Throws: `store.checkpointConflict` when the checkpoint isn't at `batch.from`; nothing was written.
  func apply(_ batch: ReadBatch) async throws(StoreError)

  /// The rows with these ids as a generation has them, in no particular order.
  func rows(_ ids: [UniqueID], generation: Int) async throws(StoreError) -> [SagaRow]

  /// The rows with these ids as the current generation has them, whichever that is by then; in no particular order.
  func currentRows(_ ids: [UniqueID]) async throws(StoreError) -> [SagaRow]

  /// Which of these changes the store can't take, and why, each tried alone; nothing is written. For a batch that was refused as
  /// `store.invalid`.
  func refused(_ changes: [SagaChange], generation: Int) async throws(StoreError) -> [UniqueID: String]

  /// A page of the current generation.
  func list(_ query: SagaQuery, after: SagaCursor?, limit: Int) async throws(StoreError) -> SagaRows
  func facets(_ query: SagaQuery) async throws(StoreError) -> SagaFacets

  /// What the steps of a workflow did, minute by minute, by step and minute.
  func minutes(workflow: String, _ range: MomentRange) async throws(StoreError) -> [StepMinute]

  /// Makes empty tables for a new generation, throwing away one that was begun and not finished.
  /// - Returns: the new generation.
  func beginGeneration() async throws(StoreError) -> Int

  /// Makes a generation that was begun the current one, if it has come at least as far as the current one in every
  /// shard. The old one is thrown away by `dropOldGenerations`.
  /// - Parameter evenIfBehind: whatever it has; for when the old one was made from other events.
  /// - Returns: false when it hasn't; nothing changed.
  func makeCurrent(_ generation: Int, evenIfBehind: Bool) async throws(StoreError) -> Bool

  /// Throws away all tables that neither serve nor are being filled. The next opening, and the next new generation, do so too.
  func dropOldGenerations() async throws(StoreError)

  func close() async
}

/// Which tables there are.
public struct ReadGenerations: Sendable, Hashable {
  public var current: Int
  /// One that is being filled.
  public var building: Int?

  public init(current: Int, building: Int? = nil) {
    self.current = current
    self.building = building
  }
}

/// How far a generation has come in a shard.
public struct ReadCheckpoint: Sendable, Hashable {
  public var position: Int64
  /// The hash of the event there, which tells whether the events are still those that the rows were made from.
  public var hash: [UInt8]

  public init(position: Int64, hash: [UInt8]) {
    self.position = position
    self.hash = hash
  }
}

/// What follows from a run of events of one shard.
public struct ReadBatch: Sendable {
  public var generation: Int
  public var shard: Int
  /// Where the checkpoint must be now.
  public var from: Int64
  public var to: ReadCheckpoint
  /// Each saga at most once.
  public var changes: [SagaChange]
  /// To be added to what is there.
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

/// A row as it was and as it is.
public struct SagaChange: Sendable {
  /// As the generation has it now; nil for a saga that is new there.
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
