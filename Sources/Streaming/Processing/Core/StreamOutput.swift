public import JSON
public import Values

/// An output of a stream: an event for its output topic.
public struct StreamOutput: Sendable, Hashable {
  /// Derived from the output's content, so that an output that is sent again has the same id.
  public let id: String
  public let type: String
  /// The message's key and the event's subject; nil for neither.
  public let key: String?
  /// The event time of the output, for streams that read it.
  public let time: Timestamp?
  public let data: JSON

  /// Returns an id derived from these parts: the same parts always give the same id, other parts give another.
  static func id(_ parts: String...) -> String {
    UniqueID.derived(from: parts.map { "\($0.utf8.count):\($0)" }.joined()).description
  }
}

/// One stored document of a stream's state.
public struct StateDocument: Sendable, Hashable {
  public let id: String
  public let data: JSON

  public init(id: String, data: JSON) {
    self.id = id
    self.data = data
  }
}

/// The changes of a stream's state since they were last taken.
public struct StateChanges: Sendable, Hashable {
  public private(set) var puts: [StateDocument] = []
  public private(set) var deletes: [String] = []

  public var isEmpty: Bool { puts.isEmpty && deletes.isEmpty }

  mutating func put(_ id: String, _ data: JSON) { puts.append(StateDocument(id: id, data: data)) }
  mutating func delete(_ id: String) { deletes.append(id) }
}
