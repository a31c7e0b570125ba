public import Values

/// Why a person may have to look at a saga.
public enum IncidentKind: String, Sendable, Hashable, CaseIterable {
  /// The saga can't go on without an operator.
  case stuck
  /// The engine does not compute the saga: processes died while they did, or its history can't be read.
  case held
  /// The saga, or one of its steps, takes longer than expected.
  case overdue
  /// Somebody paused the saga.
  case paused
  /// A step fails and is tried again.
  case retrying

  /// Whether a person is needed. A saga whose step is tried again may yet go on by itself.
  public var needsPerson: Bool { self != .retrying }
}

/// What stops or delays one saga now.
///
/// A saga has one at most, so the sagas of all incidents are as many as the sagas that have one. `held` comes before
/// `stuck`, `stuck` before `paused`, `paused` before `overdue`, and `overdue` before `retrying`.
public struct SagaNeed: Sendable, Hashable {
  public var kind: IncidentKind
  /// The step that stops the saga; of an item, the step that has it. Nil when the saga as a whole is meant.
  public var step: String?
  /// `forward` or `undo`; nil without a step.
  public var phase: String?
  /// The code of the failure; nil when nothing has failed.
  public var code: String?
  /// Whether the step may have happened although it failed: a person has to look before it is tried again.
  public var outcomeIsUnknown: Bool
  /// Whether one item of the step stops the saga, and not the step as a whole.
  public var isItem: Bool
  /// When it began.
  public var since: Timestamp

  public init(
    kind: IncidentKind, step: String? = nil, phase: String? = nil, code: String? = nil, outcomeIsUnknown: Bool = false,
    isItem: Bool = false, since: Timestamp
  ) {
    self.kind = kind
    self.step = step
    self.phase = phase
    self.code = code
    self.outcomeIsUnknown = outcomeIsUnknown
    self.isItem = isItem
    self.since = since
  }

  /// The same without what participants and workflows wrote.
  var withoutTexts: SagaNeed { SagaNeed(kind: kind, since: since) }
}

/// What the sagas of one incident have in common.
public struct IncidentKey: Sendable, Hashable {
  public let kind: IncidentKind
  public let workflow: String
  public let step: String?
  /// `forward` or `undo`.
  public let phase: String?
  public let code: String?
  /// Whether the step may have happened in each of the sagas.
  public let outcomeIsUnknown: Bool
  /// Whether items of the step stop the sagas.
  public let isItem: Bool

  public init(_ need: SagaNeed, workflow: String) {
    kind = need.kind
    self.workflow = workflow
    step = need.step
    phase = need.phase
    code = need.code
    outcomeIsUnknown = need.outcomeIsUnknown
    isItem = need.isItem
  }

  /// The name of the incident, as `stuck-0f3a5c7e9b1d2f40`. The same in every process: the kind, and 16 hexadecimal
  /// digits of a digest of the rest.
  public var id: String {
    var parts = [workflow, step ?? "", phase ?? "", code ?? ""]
    if outcomeIsUnknown { parts.append("unknown") }
    if isItem { parts.append("item") }
    return "\(kind.rawValue)-\(Digest.hex(Array(parts.joined(separator: "\u{1D}").utf8)).prefix(16))"
  }

  /// Returns the kind of the incident with this id; nil for a text that is not an id.
  public static func kind(ofID id: String) -> IncidentKind? {
    let parts = id.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1].utf8.count == 16,
      parts[1].utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
    else { return nil }
    return IncidentKind(rawValue: String(parts[0]))
  }
}

extension SagaRow {
  /// Returns what stops or delays the saga at a time; nil when nothing does.
  /// - Parameter now: decides whether the saga is overdue.
  public func need(at now: Timestamp) -> SagaNeed? {
    if let late, late.since <= now { return late }
    return need
  }

  /// Returns the incident that the saga belongs to at a time; nil when it belongs to none.
  public func incident(at now: Timestamp) -> IncidentKey? {
    need(at: now).map { IncidentKey($0, workflow: workflow) }
  }
}

/// The sagas of one incident, at a time.
public struct IncidentAt: Sendable, Hashable {
  /// An `IncidentKey.id`.
  public var id: String
  public var at: Timestamp

  public init(id: String, at: Timestamp) {
    self.id = id
    self.at = at
  }
}

/// A request for incidents.
public struct IncidentQuery: Sendable, Hashable {
  /// The time that decides what is overdue.
  public var at: Timestamp
  /// The kinds that are wanted; all when empty.
  public var kinds: Set<IncidentKind>
  public var workflow: String?
  /// The most sagas to name of each incident, the oldest first.
  public var samples: Int
  /// Sagas that are left out, because the caller counts them itself. A few hundred at most.
  public var without: Set<UniqueID> = []

  public init(at: Timestamp, kinds: Set<IncidentKind> = [], workflow: String? = nil, samples: Int = 3) {
    self.at = at
    self.kinds = kinds
    self.workflow = workflow
    self.samples = samples
  }

  public func wants(_ kind: IncidentKind) -> Bool { kinds.isEmpty || kinds.contains(kind) }
}

/// Sagas that need a person, or may soon, for the same reason.
public struct SagaIncident: Sendable, Hashable {
  public var key: IncidentKey
  public var sagas: Int
  /// When it began for the first of the sagas that are in it now.
  public var since: Timestamp
  /// When it began for the last one.
  public var newest: Timestamp
  /// Some of its sagas, the oldest first.
  public var samples: [SagaRow]

  public init(key: IncidentKey, sagas: Int, since: Timestamp, newest: Timestamp, samples: [SagaRow]) {
    self.key = key
    self.sagas = sagas
    self.since = since
    self.newest = newest
    self.samples = samples
  }
}

/// A place in the list of incidents: after the incident that began at this time and has this id.
public struct IncidentCursor: Sendable, Hashable {
  public var since: Timestamp
  public var id: String

  public init(since: Timestamp, id: String) {
    self.since = since
    self.id = id
  }
}

/// A page of incidents, the oldest first.
public struct SagaIncidents: Sendable, Hashable {
  public var incidents: [SagaIncident]
  /// The place at which the next page begins; nil at the end.
  public var next: IncidentCursor?
  /// The number of sagas of each kind, on all pages.
  public var totals: [IncidentKind: Int]
  /// False when there were too many sagas to count all. Then each count is a lower bound.
  public var isExact = true
}
