public import JSON
public import Values

/// What a stream has to say: an event for its output topic.
public struct StreamOutput: Sendable, Hashable {
  /// Made of what the output stands for, so that one that is sent again has the same.
  public let id: String
  public let type: String
  /// The message's key and the event's subject; nil for neither.
  public let key: String?
  /// The event time of the output: a stream of this stream goes by it.
  public let time: Timestamp?
  public let data: JSON

  public init(id: String, type: String, key: String?, time: Timestamp?, data: JSON) {
    self.id = id
    self.type = type
    self.key = key
    self.time = time
    self.data = data
  }

  /// An id for what these parts name together: the same parts give the same id for ever, other parts another.
  static func id(_ parts: String...) -> String {
    UniqueID.derived(from: parts.map { "\($0.utf8.count):\($0)" }.joined()).description
  }
}

/// A piece of a stream's state, as it is stored.
public struct StateDocument: Sendable, Hashable {
  public let id: String
  public let data: JSON

  public init(id: String, data: JSON) {
    self.id = id
    self.data = data
  }
}

/// How a stream's state has changed since it was last asked.
public struct StateChanges: Sendable, Hashable {
  public private(set) var puts: [StateDocument] = []
  public private(set) var deletes: [String] = []

  public var isEmpty: Bool { puts.isEmpty && deletes.isEmpty }

  mutating func put(_ id: String, _ data: JSON) { puts.append(StateDocument(id: id, data: data)) }
  mutating func delete(_ id: String) { deletes.append(id) }
}
