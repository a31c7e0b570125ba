public import JSON
public import Persistence
public import Values

/// An act of a person: the time, the actor, the reason, the address that it came from, and its effect.
public struct AuditEntry: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// A workflow was registered.
    case registration
    /// A saga was started.
    case start
    /// A saga was given a signal.
    case signal
    /// An operator's verb on a saga.
    case verb
    /// A change of an operation: begun, approved, declined or stopped. Its effect on each saga is a separate `verb`.
    case operation
    /// A request to the engine itself.
    case engine
  }

  /// The statuses of the saga and of the step that the act was about.
  public struct Standing: Sendable, Hashable {
    public let saga: String
    public let step: String?

    public init(saga: String, step: String?) {
      self.saga = saga
      self.step = step
    }
  }

  /// The entry's id: the saga and the version of its event, or the workflow and its version.
  public let id: String
  public let at: Timestamp
  /// The name that the request gave: see docs/operating.md.
  public let actor: String
  public let kind: Kind
  /// The verb's name in the API: `start`, `signal`, `retry`, ….
  public let verb: String
  public let saga: UniqueID?
  /// The version of the event in the saga's history.
  public let version: Int?
  public let workflow: String?
  public let step: String?
  public let reason: String?
  /// The way that the request came, if it was recorded.
  public let from: String?
  /// The operation that it was about.
  public let operation: UniqueID?
  /// The whole content of the request: parameters, bodies, filters. A long value is shown as its digest.
  public let content: JSONObject
  /// The statuses before the act. Nil when there were none, as before a start, and when the history can't be read.
  public let before: Standing?
  public let after: Standing?

  public init(
    id: String, at: Timestamp, actor: String, kind: Kind, verb: String, saga: UniqueID? = nil, version: Int? = nil,
    workflow: String? = nil, step: String? = nil, reason: String? = nil, from: String? = nil,
    operation: UniqueID? = nil, content: JSONObject = [:],
    before: Standing? = nil, after: Standing? = nil
  ) {
    self.id = id
    self.at = at
    self.actor = actor
    self.kind = kind
    self.verb = verb
    self.saga = saga
    self.version = version
    self.workflow = workflow
    self.step = step
    self.reason = reason
    self.from = from
    self.operation = operation
    self.content = content
    self.before = before
    self.after = after
  }

  /// The entry's place in the list. The list is sorted by time, then by id.
  public var cursor: DocumentCursor { DocumentCursor(sort: at.description, id: id) }
}

/// The filter of the list, and its order.
public struct AuditFilter: Sendable, Hashable {
  public var saga: UniqueID?
  public var actor: String?
  public var verb: String?
  /// The first timestamp that the filter includes.
  public var from: Timestamp?
  /// The first timestamp that the filter excludes.
  public var to: Timestamp?
  /// Whether the newest entry is the first one.
  public var isNewestFirst: Bool

  public init(
    saga: UniqueID? = nil, actor: String? = nil, verb: String? = nil, from: Timestamp? = nil, to: Timestamp? = nil,
    isNewestFirst: Bool = false
  ) {
    self.saga = saga
    self.actor = actor
    self.verb = verb
    self.from = from
    self.to = to
    self.isNewestFirst = isNewestFirst
  }

  /// Whether one place of the list is before another.
  func places(_ one: DocumentCursor, before other: DocumentCursor) -> Bool {
    isNewestFirst ? (one.sort, one.id) > (other.sort, other.id) : (one.sort, one.id) < (other.sort, other.id)
  }

  func matches(_ entry: AuditEntry) -> Bool {
    if let saga, entry.saga != saga { return false }
    if let actor, !entry.actor.utf8.elementsEqual(actor.utf8) { return false }
    if let verb, !entry.verb.utf8.elementsEqual(verb.utf8) { return false }
    if let from, entry.at < from { return false }
    if let to, entry.at >= to { return false }
    return true
  }
}

/// One page of the list.
public struct AuditPage: Sendable {
  public let entries: [AuditEntry]
  /// The last entry of this page when there are more entries: pass it as `after`.
  public let next: DocumentCursor?
}
