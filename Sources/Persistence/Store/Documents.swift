/// One row of a read model.
public struct Document: Sendable, Hashable {
  public var collection: String
  public var id: String
  /// The text by which lists of the collection are ordered, byte by byte; equal texts are ordered by `id`.
  public var sort: String
  /// The fields by which lists can be filtered.
  public var fields: [String: String]
  /// The content of the document, usually JSON.
  public var data: [UInt8]

  public init(collection: String, id: String, sort: String, fields: [String: String] = [:], data: [UInt8]) {
    self.collection = collection
    self.id = id
    self.sort = sort
    self.fields = fields
    self.data = data
  }

  /// The place of the document in a list.
  public var cursor: DocumentCursor { DocumentCursor(sort: sort, id: id) }
}

/// The name of a document: its collection and id.
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

/// A query for documents of a collection, in order of (`sort`, `id`).
public struct DocumentQuery: Sendable, Hashable {
  public var collection: String
  /// The fields that must all match exactly.
  public var fields: [String: String]
  /// The lowest `sort` of the result.
  public var sortFrom: String?
  /// The upper bound of `sort`, itself excluded.
  public var sortBelow: String?
  /// The place after which the page begins, in the direction of the list.
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

/// The documents that a follower writes for a run of events of one shard, together with its checkpoint.
public struct ProjectionBatch: Sendable, Hashable {
  public var follower: String
  public var shard: Int
  /// The position that the checkpoint must have now.
  public var from: Int64
  /// The new position of the checkpoint.
  public var to: Int64
  /// The documents to write in place of those with the same name. A name occurs at most once in `upserts` and
  /// `deletes`.
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

/// A move of a follower's checkpoint in one shard.
public struct CheckpointMove: Sendable, Hashable {
  public let shard: Int
  /// The position that the checkpoint must have now.
  public let from: Int64
  /// The new position; lower than `from` to go back.
  public let to: Int64
}
