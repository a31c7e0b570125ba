/// Turns events into the documents of a read model.
///
/// Events of one shard come in order. Each has its effect exactly once, because the checkpoint moves in the documents'
/// transaction. `apply` may be called again with the same events when the transaction failed.
public protocol Projection: Sendable {
  /// The name of the projection's checkpoints. A new name makes the projection begin again.
  var name: String { get }
  /// The collections that only this projection writes. A rebuild empties them.
  var collections: Set<String> { get }

  /// Changes documents for the events, which all belong to one shard.
  func apply(_ events: [StoredEvent], to changes: inout ProjectionChanges) async throws
}

/// The documents of one batch, as a projection reads and changes them.
public struct ProjectionChanges: Sendable {
  private enum Entry: Sendable {
    case loaded(Document?)
    case put(Document)
    case deleted
  }
  private let store: any DocumentStore
  private var entries: [TextKey: (name: DocumentName, entry: Entry)] = [:]

  init(store: any DocumentStore) { self.store = store }

  /// Loads documents that will be read one by one: one round trip instead of many.
  public mutating func load(collection: String, ids: some Collection<String>) async throws(StoreError) {
    let missing = ids.filter { entries[TextKey(collection, $0)] == nil }
    if missing.isEmpty { return }
    for id in missing { set(DocumentName(collection: collection, id: id), .loaded(nil)) }
    for document in try await store.documents(collection: collection, ids: missing) {
      set(DocumentName(collection: collection, id: document.id), .loaded(document))
    }
  }

  /// Returns a document with the changes so far.
  public mutating func document(collection: String, id: String) async throws(StoreError) -> Document? {
    try await load(collection: collection, ids: [id])
    switch entries[TextKey(collection, id)]?.entry {
    case .loaded(let document): return document
    case .put(let document): return document
    case .deleted, nil: return nil
    }
  }

  /// Writes a document in place of the one with the same name.
  public mutating func put(_ document: Document) {
    set(DocumentName(collection: document.collection, id: document.id), .put(document))
  }

  public mutating func delete(collection: String, id: String) {
    set(DocumentName(collection: collection, id: id), .deleted)
  }

  private mutating func set(_ name: DocumentName, _ entry: Entry) {
    entries[TextKey(name.collection, name.id)] = (name, entry)
  }

  func batch(follower: String, shard: Int, from: Int64, to: Int64) -> ProjectionBatch {
    var batch = ProjectionBatch(follower: follower, shard: shard, from: from, to: to)
    for (_, (name, entry)) in entries.sorted(by: { $0.key < $1.key }) {
      switch entry {
      case .loaded: break
      case .put(let document): batch.upserts.append(document)
      case .deleted: batch.deletes.append(name)
      }
    }
    return batch
  }
}
