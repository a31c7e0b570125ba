import JSON
import Values

/// The answer of `GET /v1/sagas`: one page of the list.
public struct SagaListResponse: WireValue {
  public let sagas: [SagaSummary]
  /// The cursor of the next page.
  public let next: String?
  public let facets: Facets?
  /// Whether the list lacks events that the caller has seen.
  public let behind: Bool
  /// How far the lists are behind the events. Nil in the answer of an older engine.
  public let lists: StatsResponse.Lists?

  public init(
    sagas: [SagaSummary], next: String? = nil, facets: Facets? = nil, behind: Bool = false, lists: StatsResponse.Lists?
  ) {
    self.sagas = sagas
    self.next = next
    self.facets = facets
    self.behind = behind
    self.lists = lists
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    sagas = try members.list("sagas")
    next = try members.textIfAny("next")
    facets = try members.oneIfAny("facets")
    behind = try members.boolIfAny("behind") ?? false
    lists = try members.oneIfAny("lists")
  }

  public var json: JSON {
    .members([
      "sagas": .list(sagas), "next": .text(next), "facets": facets?.json, "behind": .flag(behind),
      "lists": lists?.json,
    ])
  }

  /// Counts of the sagas that match, by the values of a field.
  public struct Facets: WireValue {
    public let status: Counts
    public let workflow: Counts
    /// Each saga counts once: by the code of what stops it or fails now, else of what turned it back.
    public let error: Counts
    /// By the code of what turned the saga back. Nil in the answer of an older engine.
    public let cause: Counts?
    public let step: Counts
    /// Whether more sagas match than were counted.
    public let atLeast: Bool

    public init(status: Counts, workflow: Counts, error: Counts, cause: Counts?, step: Counts, atLeast: Bool = false) {
      self.status = status
      self.workflow = workflow
      self.error = error
      self.cause = cause
      self.step = step
      self.atLeast = atLeast
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      status = try members.counts("status")
      workflow = try members.counts("workflow")
      error = try members.counts("error")
      cause = try members.countsIfAny("cause")
      step = try members.counts("step")
      atLeast = try members.boolIfAny("atLeast") ?? false
    }

    public var json: JSON {
      .members([
        "status": status.json, "workflow": workflow.json, "error": error.json, "cause": cause?.json, "step": step.json,
        "atLeast": .flag(atLeast),
      ])
    }
  }
}

/// One saga in the list.
public struct SagaSummary: WireValue {
  public let id: String
  public let title: String?
  public let workflow: String
  public let version: Int
  public let status: String
  public let paused: Bool
  /// Whether the last attempt of a step, or of an undo, failed, and the engine tries again.
  public let retrying: Bool
  public let overdue: Bool
  public let startedAt: Timestamp
  public let updatedAt: Timestamp
  public let endedAt: Timestamp?
  public let deadline: Timestamp
  public let tags: [String]
  public let labels: [Label]
  public let key: String?
  /// The id of the saga that started it.
  public let parent: String?
  public let failedStep: String?
  public let failureCode: String?
  public let failureMessage: String?
  /// What turned the saga back, whatever stops it now: the step, when one failed, and the code.
  public let causeStep: String?
  public let causeCode: String?
  /// The id of the incident that the saga belongs to.
  public let incident: String?
  public let waitingFor: [String]
  public let attempts: Int
  public let note: String?

  public init(
    id: String, title: String? = nil, workflow: String, version: Int, status: String, paused: Bool = false,
    retrying: Bool = false, overdue: Bool, startedAt: Timestamp, updatedAt: Timestamp, endedAt: Timestamp? = nil,
    deadline: Timestamp,
    tags: [String], labels: [Label] = [], key: String? = nil, parent: String? = nil, failedStep: String? = nil,
    failureCode: String? = nil,
    failureMessage: String? = nil, causeStep: String? = nil, causeCode: String? = nil, incident: String? = nil,
    waitingFor: [String] = [], attempts: Int, note: String? = nil
  ) {
    self.id = id
    self.title = title
    self.workflow = workflow
    self.version = version
    self.status = status
    self.paused = paused
    self.retrying = retrying
    self.overdue = overdue
    self.startedAt = startedAt
    self.updatedAt = updatedAt
    self.endedAt = endedAt
    self.deadline = deadline
    self.tags = tags
    self.labels = labels
    self.key = key
    self.parent = parent
    self.failedStep = failedStep
    self.failureCode = failureCode
    self.failureMessage = failureMessage
    self.causeStep = causeStep
    self.causeCode = causeCode
    self.incident = incident
    self.waitingFor = waitingFor
    self.attempts = attempts
    self.note = note
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    id = try members.text("id")
    title = try members.textIfAny("title")
    workflow = try members.text("workflow")
    version = try members.int("version")
    status = try members.text("status")
    paused = try members.boolIfAny("paused") ?? false
    retrying = try members.boolIfAny("retrying") ?? false
    overdue = try members.bool("overdue")
    startedAt = try members.time("startedAt")
    updatedAt = try members.time("updatedAt")
    endedAt = try members.timeIfAny("endedAt")
    deadline = try members.time("deadline")
    tags = try members.texts("tags")
    labels = try members.labelsIfAny("labels") ?? []
    key = try members.textIfAny("key")
    parent = try members.textIfAny("parent")
    failedStep = try members.textIfAny("failedStep")
    failureCode = try members.textIfAny("failureCode")
    failureMessage = try members.textIfAny("failureMessage")
    causeStep = try members.textIfAny("causeStep")
    causeCode = try members.textIfAny("causeCode")
    incident = try members.textIfAny("incident")
    waitingFor = try members.textsIfAny("waitingFor") ?? []
    attempts = try members.int("attempts")
    note = try members.textIfAny("note")
  }

  public var json: JSON {
    .members([
      "id": .string(id), "title": .text(title), "workflow": .string(workflow), "version": .int(version),
      "draft": .flag(VersionName.isDraft(version)),
      "status": .string(status),
      "paused": .flag(paused), "retrying": .flag(retrying), "overdue": .bool(overdue), "startedAt": .time(startedAt),
      "updatedAt": .time(updatedAt), "endedAt": .time(endedAt), "deadline": .time(deadline), "tags": .texts(tags),
      "labels": .labelsIfAny(labels),
      "key": .text(key), "parent": .text(parent), "failedStep": .text(failedStep), "failureCode": .text(failureCode),
      "failureMessage": .text(failureMessage), "causeStep": .text(causeStep), "causeCode": .text(causeCode),
      "incident": .text(incident), "waitingFor": .textsIfAny(waitingFor), "attempts": .int(attempts),
      "note": .text(note),
    ])
  }
}
