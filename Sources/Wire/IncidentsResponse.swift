import JSON
import Values

/// The answer of `GET /v1/incidents`: a page of them, the oldest first.
public struct IncidentsResponse: WireValue {
  /// The time that decided what is overdue.
  public let at: Timestamp
  public let incidents: [Incident]
  /// The cursor of the next page.
  public let next: String?
  /// The number of sagas that need a person: of all kinds but `retrying`, on all pages.
  public let needsPerson: Int
  /// The number of sagas of each kind, on all pages.
  public let sagas: Counts
  /// Whether there are more sagas than were counted.
  public let atLeast: Bool
  /// How far the lists are behind the events. While they are behind, the incidents are those of an earlier time.
  public let lists: StatsResponse.Lists

  public init(
    at: Timestamp, incidents: [Incident], next: String? = nil, needsPerson: Int, sagas: Counts, atLeast: Bool = false,
    lists: StatsResponse.Lists
  ) {
    self.at = at
    self.incidents = incidents
    self.next = next
    self.needsPerson = needsPerson
    self.sagas = sagas
    self.atLeast = atLeast
    self.lists = lists
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    at = try members.time("at")
    incidents = try members.list("incidents")
    next = try members.textIfAny("next")
    needsPerson = try members.int("needsPerson")
    sagas = try members.counts("sagas")
    atLeast = try members.boolIfAny("atLeast") ?? false
    lists = try members.one("lists")
  }

  public var json: JSON {
    .members([
      "at": .time(at), "incidents": .list(incidents), "next": .text(next), "needsPerson": .int(needsPerson),
      "sagas": sagas.json, "atLeast": .flag(atLeast), "lists": lists.json,
    ])
  }

  /// Sagas that need a person, or may soon, for the same reason.
  public struct Incident: WireValue {
    /// Its name, as `stuck-0f3a5c7e9b1d2f40`: a filter of lists and of operations.
    public let id: String
    /// `stuck`, `overdue`, `paused`, or `retrying`.
    public let kind: String
    public let workflow: String
    public let step: String?
    /// `forward` or `undo`; nil without a step.
    public let phase: String?
    public let code: String?
    /// `unknown` if the step may have happened in each of its sagas; nil otherwise.
    public let outcome: String?
    public let sagas: Int
    public let since: Timestamp
    public let newest: Timestamp
    public let samples: [Sample]
    /// The verbs that help sagas of this kind. A preview says which sagas refuse.
    public let verbs: [String]
    /// The path of the list of its sagas.
    public let path: String

    public init(
      id: String, kind: String, workflow: String, step: String? = nil, phase: String? = nil, code: String? = nil,
      outcome: String? = nil, sagas: Int, since: Timestamp, newest: Timestamp, samples: [Sample], verbs: [String],
      path: String
    ) {
      self.id = id
      self.kind = kind
      self.workflow = workflow
      self.step = step
      self.phase = phase
      self.code = code
      self.outcome = outcome
      self.sagas = sagas
      self.since = since
      self.newest = newest
      self.samples = samples
      self.verbs = verbs
      self.path = path
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      id = try members.text("id")
      kind = try members.text("kind")
      workflow = try members.text("workflow")
      step = try members.textIfAny("step")
      phase = try members.textIfAny("phase")
      code = try members.textIfAny("code")
      outcome = try members.textIfAny("outcome")
      sagas = try members.int("sagas")
      since = try members.time("since")
      newest = try members.time("newest")
      samples = try members.list("samples")
      verbs = try members.texts("verbs")
      path = try members.text("path")
    }

    public var json: JSON {
      .members([
        "id": .string(id), "kind": .string(kind), "workflow": .string(workflow), "step": .text(step),
        "phase": .text(phase), "code": .text(code), "outcome": .text(outcome), "sagas": .int(sagas),
        "since": .time(since), "newest": .time(newest), "samples": .list(samples), "verbs": .texts(verbs),
        "path": .string(path),
      ])
    }
  }

  /// One saga of an incident.
  public struct Sample: WireValue {
    public let id: String
    public let title: String?
    public let key: String?
    /// When it began for this saga.
    public let since: Timestamp

    public init(id: String, title: String? = nil, key: String? = nil, since: Timestamp) {
      self.id = id
      self.title = title
      self.key = key
      self.since = since
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      id = try members.text("id")
      title = try members.textIfAny("title")
      key = try members.textIfAny("key")
      since = try members.time("since")
    }

    public var json: JSON {
      .members(["id": .string(id), "title": .text(title), "key": .text(key), "since": .time(since)])
    }
  }
}
