import JSON
import Persistence
import Runtime
import SagaCore
import Synchronization
import Values
import Workflows

/// The data keys of sagas in the store, each wrapped with a key of the engine's file.
///
/// A key is a document beside the events, so that it can be destroyed. It is written before the first event of its saga.
/// So no crash leaves sealed events without their key; a start that is refused leaves a key without a saga, and it is
/// removed.
final class DataKeys: Sendable {
  /// The name of the collection, and of its follower. No projection resets it.
  static let collection = "seal-keys"

  private let store: any EventStore
  private let keys: SealKeys?
  private let environment: Environment
  private let log: Log
  /// The sagas whose key can't be had, since when. Their next command tries again.
  private let lost = Mutex<[UniqueID: Timestamp]>([:])

  init(store: any EventStore, keys: SealKeys?, environment: Environment, log: Log) {
    self.store = store
    self.keys = keys
    self.environment = environment
    self.log = log
  }

  /// The sagas that can't be taken up because their key can't be had, the oldest first.
  var lostSagas: [UniqueID] { lost.withLock { $0.sorted { ($0.value, $0.key) < ($1.value, $1.key) }.map(\.key) } }

  /// Whether the engine can seal.
  var canSeal: Bool { keys != nil }

  /// - Throws: `Refusal` `seal.keysMissing` when the engine has no keys.
  func requireKeys(for workflow: String) throws(Refusal) {
    guard keys == nil else { return }
    throw Refusal(
      EngineErrorCode.sealKeysMissing,
      "“\(workflow)” declares fields as sensitive, and this engine has no keys to seal them. Make a file with "
        + "`saga seal-key create`, and start the engine with --seal-keys FILE.")
  }

  /// Makes the data key of a saga that is about to start, and stores it. An earlier try may have stored one: a child has
  /// the same id each time.
  func make(for saga: UniqueID, of workflow: String) async throws -> SagaSeal {
    try requireKeys(for: workflow)
    guard let keys else { throw Self.refusal(saga) }
    if try await store.document(collection: Self.collection, id: saga.description) != nil {
      guard let seal = try await known(saga) else { throw Self.refusal(saga) }
      return seal
    }
    let key = SealingKey.new(environment)
    try await write(saga, key, with: keys.current)
    return SagaSeal(saga, key: key, environment: environment)
  }

  /// Returns the seal of a saga as it is stored; nil when its key was destroyed or can't be opened.
  func known(_ saga: UniqueID) async throws(StoreError) -> SagaSeal? {
    guard let document = try await store.document(collection: Self.collection, id: saga.description),
      let wrapped = Wrapped(document), let master = keys?.key(wrapped.master),
      let bytes = master.open(wrapped.bytes, context: Self.context(saga, wrapped.master)),
      let key = SealingKey(bytes)
    else { return nil }
    _ = lost.withLock { $0.removeValue(forKey: saga) }
    return SagaSeal(saga, key: key, environment: environment)
  }

  /// Notes that a saga can't go on without its key, and returns the refusal of commands to it.
  func missing(_ saga: UniqueID) -> Refusal {
    let isNew = lost.withLock { $0.updateValue($0[saga] ?? environment.now(), forKey: saga) == nil }
    if isNew {
      log.error(
        "The key of a saga's sensitive values can't be had; the saga waits, and the others go on", ("saga", "\(saga)"))
    }
    return Self.refusal(saga)
  }

  /// Notes in the store that a key is about to be destroyed. If the process ends between the event and the destruction, the next one
  /// finds the note.
  func markForDestruction(_ saga: UniqueID) async throws {
    guard var document = try await store.document(collection: Self.collection, id: saga.description) else { return }
    document.fields["state"] = "forgetting"
    try await apply([document], [], saga)
  }

  /// Destroys the key of a saga.
  func destroy(_ saga: UniqueID) async throws {
    try await apply([], [DocumentName(collection: Self.collection, id: saga.description)], saga)
    try await store.eraseTraces()
    _ = lost.withLock { $0.removeValue(forKey: saga) }
  }

  /// Removes the key of a saga that was not started.
  func discard(_ saga: UniqueID) async {
    do {
      try await apply([], [DocumentName(collection: Self.collection, id: saga.description)], saga)
    } catch {
      log.warning(
        "The key of a saga that was not started stays in the store", ("saga", "\(saga)"), ("error", "\(error)"))
    }
  }

  /// Destroys the marked keys whose sagas are forgotten, and wraps the keys of other master keys with the current one.
  /// - Parameter isForgotten: returns whether the history of a saga says that it is forgotten.
  func tidy(_ isForgotten: (UniqueID) async -> Bool) async throws {
    for document in try await all(["state": "forgetting"]) {
      if let saga = UniqueID(document.id), await isForgotten(saga) { try await destroy(saga) }
    }
    guard let keys else { return }
    // The last process may have ended between a deletion and this.
    try await store.eraseTraces()
    for old in keys.keys where old.id != keys.current.id {
      var count = 0
      for document in try await all(["key": old.id]) {
        guard let saga = UniqueID(document.id), let wrapped = Wrapped(document),
          let bytes = old.key.open(wrapped.bytes, context: Self.context(saga, old.id)), let key = SealingKey(bytes)
        else { continue }
        // A mark stays: the history may have been unreadable just now.
        try await write(saga, key, with: keys.current, fields: document.fields)
        count += 1
      }
      if count > 0 {
        try await store.eraseTraces()
        log.info("Wrapped data keys with the current seal key", ("from", old.id), ("count", "\(count)"))
      }
    }
  }

  private func all(_ fields: [String: String]) async throws -> [Document] {
    var found: [Document] = []
    var after: DocumentCursor?
    while true {
      let page = try await store.documents(
        DocumentQuery(collection: Self.collection, fields: fields, after: after, limit: 500))
      found += page
      guard page.count == 500, let last = page.last else { return found }
      after = last.cursor
    }
  }

  // MARK: The document

  /// A wrapped key as its document has it.
  private struct Wrapped {
    let master: String
    let bytes: [UInt8]

    init?(_ document: Document) {
      guard let json = try? JSON(parsing: document.data, limits: .stored), let master = json["by"]?.stringValue,
        let bytes = json["wrapped"]?.stringValue.flatMap({ Base64URL.decode($0) })
      else { return nil }
      self.master = master
      self.bytes = bytes
    }
  }

  private static func context(_ saga: UniqueID, _ master: String) -> [UInt8] {
    Array("saga data key 1 \(saga) \(master)".utf8)
  }

  /// - Parameter fields: the fields that the document has had so far.
  private func write(
    _ saga: UniqueID, _ key: SealingKey, with master: SealKeys.Key, fields: [String: String] = [:]
  ) async throws {
    let nonce = environment.randomBytes(SealingKey.nonceLength)
    guard let wrapped = master.key.seal(key.bytes, nonce: nonce, context: Self.context(saga, master.id)) else {
      throw Refusal(EngineErrorCode.sealFailed, "libcrypto did not seal a key. Nothing was stored.")
    }
    let data: JSON = ["by": .string(master.id), "wrapped": .string(Base64URL.encode(wrapped))]
    try await apply(
      [
        Document(
          collection: Self.collection, id: saga.description, sort: saga.description,
          fields: fields.merging(["key": master.id]) { $1 },
          data: data.bytes())
      ], [], saga)
  }

  private func apply(_ documents: [Document], _ names: [DocumentName], _ saga: UniqueID) async throws(StoreError) {
    try await store.apply(
      ProjectionBatch(
        follower: Self.collection, shard: store.shard(of: saga), from: 0, to: 0, upserts: documents, deletes: names))
  }

  static func forgotten(_ saga: UniqueID) -> Refusal {
    Refusal(
      EngineErrorCode.sagaForgotten,
      "The sensitive values of saga \(saga) are forgotten: their key was destroyed. Nothing that needs them can be done."
    )
  }

  static func refusal(_ saga: UniqueID) -> Refusal {
    Refusal(
      EngineErrorCode.sagaSealKeyMissing,
      "The key of the sensitive values of saga \(saga) can't be had. Start the engine with the --seal-keys file that it "
        + "had when the saga began.")
  }
}
