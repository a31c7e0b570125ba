/// One row of a read model.
public struct Document: Sendable, Hashable {
  public var collection: String
  public var id: String
  /// What lists of the collection are ordered by, byte by byte; then by `id`.
  public var sort: String
  /// What lists can be filtered by.
  public var fields: [String: String]
  /// The document itself; JSON by custom.
  public var data: [UInt8]

  public init(collection: String, id: String, sort: String, fields: [String: String] = [:], data: [UInt8]) {
    self.collection = collection
    self.id = id
    self.sort = sort
    self.fields = fields
    self.data = data
  }

  /// Where the document stands in a list.
  public var cursor: DocumentCursor { DocumentCursor(sort: sort, id: id) }
}

/// A document by name.
public struct DocumentName: Sendable, Hashable {
  public var collection: String
  public var id: String

  public init(collection: String, id: String) {
    self.collection = collection
    self.id = id
  }
}

/// A place between two documents of a list.
public struct DocumentCursor: Sendable, Hashable {
  public var sort: String
  public var id: String

  public init(sort: String, id: String) {
    self.sort = sort
    self.id = id
  }
}

/// Asks for documents of a collection in order of (`sort`, `id`).
public struct DocumentQuery: Sendable, Hashable {
  public var collection: String
  /// All of these must match exactly.
  public var fields: [String: String]
  /// The lowest `sort` wanted.
  public var sortFrom: String?
  /// The `sort` that is just too high.
  public var sortBelow: String?
  /// Begin behind this place, in the direction of the list.
  public var after: DocumentCursor?
  public var descending: Bool
  public var limit: Int

  public init(
    collection: String, fields: [String: String] = [:], sortFrom: String? = nil, sortBelow: String? = nil,
    after: DocumentCursor? = nil, descending: Bool = false, limit: Int = 100
  ) {
    self.collection = collection
    self.fields = fields
    self.sortFrom = sortFrom
    self.sortBelow = sortBelow
    self.after = after
    self.descending = descending
    self.limit = limit
  }
}

/// What a follower writes for a run of events of one shard, together with how far it has come.
public struct ProjectionBatch: Sendable, Hashable {
  public var follower: String
  public var shard: Int
  /// Where the checkpoint must be now.
  public var from: Int64
  /// Where it goes.
  public var to: Int64
  /// Documents to write in place of those with the same name. A name comes at most once in `upserts` and `deletes`.
  public var upserts: [Document]
  public var deletes: [DocumentName]

  public init(
    follower: String, shard: Int, from: Int64, to: Int64, upserts: [Document] = [], deletes: [DocumentName] = []
  ) {
    self.follower = follower
    self.shard = shard
    self.from = from
    self.to = to
    self.upserts = upserts
    self.deletes = deletes
  }
}

/// How far a follower has come in one shard since it last said so.
public struct CheckpointMove: Sendable, Hashable {
  public let shard: Int
  /// Where the checkpoint must be now.
  public let from: Int64
  /// Where it goes; lower than `from` to go back.
  public let to: Int64

  public init(shard: Int, from: Int64, to: Int64) {
    self.shard = shard
    self.from = from
    self.to = to
  }
}
