import JSON
import Values

/// The answer of `GET /v1/operations/{id}`: a verb on many sagas.
/// The engine stores these members in the list of operations, so the engine writes them.
public struct OperationResponse: WireValue {
  public let id: String
  public let status: String
  public let verb: String
  /// The verb with its members, as the operation stores it.
  public let request: JSON
  public let sagas: Int
  public let done: Int
  public let refused: Int
  public let left: Int
  /// The number of refusals by error code.
  public let refusals: Counts
  /// Sagas a second.
  public let rate: JSONNumber
  public let rampSeconds: Duration
  public let needsApproval: Bool
  public let by: String
  public let reason: String
  public let startedAt: Timestamp
  public let filter: JSON?
  public let from: String?
  public let approved: Decision?
  public let declined: Decision?
  public let stopped: Decision?
  public let endedAt: Timestamp?
  /// The number of its sagas by status.
  public let standing: Counts?

  public init(_ members: Members) throws(UnexpectedMember) {
    id = try members.text("id")
    status = try members.text("status")
    verb = try members.text("verb")
    request = try members.json("request")
    sagas = try members.int("sagas")
    done = try members.int("done")
    refused = try members.int("refused")
    left = try members.int("left")
    refusals = try members.counts("refusals")
    rate = try members.number("rate")
    rampSeconds = try members.seconds("rampSeconds")
    needsApproval = try members.bool("needsApproval")
    by = try members.text("by")
    reason = try members.text("reason")
    startedAt = try members.time("startedAt")
    filter = members.jsonIfAny("filter")
    from = try members.textIfAny("from")
    approved = try members.oneIfAny("approved")
    declined = try members.oneIfAny("declined")
    stopped = try members.oneIfAny("stopped")
    endedAt = try members.timeIfAny("endedAt")
    standing = try members.countsIfAny("standing")
  }

  public var json: JSON {
    .members([
      "id": .string(id), "status": .string(status), "verb": .string(verb), "request": request, "sagas": .int(sagas),
      "done": .int(done), "refused": .int(refused), "left": .int(left), "refusals": refusals.json,
      "rate": .number(rate), "rampSeconds": .seconds(rampSeconds), "needsApproval": .bool(needsApproval),
      "by": .string(by), "reason": .string(reason), "startedAt": .time(startedAt), "filter": filter,
      "from": .text(from), "approved": approved?.json, "declined": declined?.json, "stopped": stopped?.json,
      "endedAt": .time(endedAt), "standing": standing?.json,
    ])
  }

  /// Who approved, declined or stopped the operation, when and why.
  public struct Decision: WireValue {
    public let at: Timestamp
    public let by: String
    public let reason: String?
    public let from: String?

    public init(_ members: Members) throws(UnexpectedMember) {
      at = try members.time("at")
      by = try members.text("by")
      reason = try members.textIfAny("reason")
      from = try members.textIfAny("from")
    }

    public var json: JSON {
      .members([
        "at": .time(at), "by": .string(by), "reason": .text(reason), "from": .text(from),
      ])
    }
  }
}

/// The answer of `GET /v1/operations`: one page.
public struct OperationListResponse: WireValue {
  public let operations: [OperationResponse]
  public let next: String?

  public init(_ members: Members) throws(UnexpectedMember) {
    operations = try members.list("operations")
    next = try members.textIfAny("next")
  }

  public var json: JSON {
    .members([
      "operations": .list(operations), "next": .text(next),
    ])
  }
}

/// The answer of `GET /v1/operations/{id}/sagas`: one page of the results.
public struct OperationSagasResponse: WireValue {
  public let sagas: [Result]
  public let next: String?

  public init(sagas: [Result], next: String? = nil) {
    self.sagas = sagas
    self.next = next
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    sagas = try members.list("sagas")
    next = try members.textIfAny("next")
  }

  public var json: JSON {
    .members([
      "sagas": .list(sagas), "next": .text(next),
    ])
  }

  /// The result of the operation for one saga.
  public struct Result: WireValue {
    public let saga: String
    /// What people see first of the saga; nil when it has no title, or the lists do not have it yet.
    public let title: String?
    /// The idempotency key that has started the saga.
    public let key: String?
    public let outcome: String
    public let version: Int?
    public let code: String?
    public let message: String?

    public init(
      saga: String, title: String? = nil, key: String? = nil, outcome: String, version: Int? = nil,
      code: String? = nil, message: String? = nil
    ) {
      self.saga = saga
      self.title = title
      self.key = key
      self.outcome = outcome
      self.version = version
      self.code = code
      self.message = message
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      saga = try members.text("saga")
      title = try members.textIfAny("title")
      key = try members.textIfAny("key")
      outcome = try members.text("outcome")
      version = try members.intIfAny("version")
      code = try members.textIfAny("code")
      message = try members.textIfAny("message")
    }

    public var json: JSON {
      .members([
        "saga": .string(saga), "title": .text(title), "key": .text(key), "outcome": .string(outcome),
        "version": .integer(version), "code": .text(code), "message": .text(message),
      ])
    }
  }
}

/// The answer to a dry run: which sagas an operation finds, and which refuse the verb.
public struct OperationPreviewResponse: WireValue {
  public let dryRun: Bool
  public let verb: String
  public let request: JSON
  public let sagas: Int
  public let takes: Int
  public let refuses: Int
  public let selection: String
  public let needsApproval: Bool
  public let items: [Item]

  public init(
    dryRun: Bool, verb: String, request: JSON, sagas: Int, takes: Int, refuses: Int, selection: String,
    needsApproval: Bool, items: [Item]
  ) {
    self.dryRun = dryRun
    self.verb = verb
    self.request = request
    self.sagas = sagas
    self.takes = takes
    self.refuses = refuses
    self.selection = selection
    self.needsApproval = needsApproval
    self.items = items
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    dryRun = try members.bool("dryRun")
    verb = try members.text("verb")
    request = try members.json("request")
    sagas = try members.int("sagas")
    takes = try members.int("takes")
    refuses = try members.int("refuses")
    selection = try members.text("selection")
    needsApproval = try members.bool("needsApproval")
    items = try members.list("items")
  }

  public var json: JSON {
    .members([
      "dryRun": .bool(dryRun), "verb": .string(verb), "request": request, "sagas": .int(sagas), "takes": .int(takes),
      "refuses": .int(refuses), "selection": .string(selection), "needsApproval": .bool(needsApproval),
      "items": .list(items),
    ])
  }

  /// One saga that was found.
  public struct Item: WireValue {
    public let saga: String
    /// What people see first of the saga; nil when it has no title, or the lists do not have it yet.
    public let title: String?
    /// The idempotency key that has started the saga.
    public let key: String?
    public let workflow: String?
    public let status: String?
    public let takes: Bool
    public let code: String?
    public let message: String?

    public init(
      saga: String, title: String? = nil, key: String? = nil, workflow: String? = nil, status: String? = nil,
      takes: Bool, code: String? = nil, message: String? = nil
    ) {
      self.saga = saga
      self.title = title
      self.key = key
      self.workflow = workflow
      self.status = status
      self.takes = takes
      self.code = code
      self.message = message
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      saga = try members.text("saga")
      title = try members.textIfAny("title")
      key = try members.textIfAny("key")
      workflow = try members.textIfAny("workflow")
      status = try members.textIfAny("status")
      takes = try members.bool("takes")
      code = try members.textIfAny("code")
      message = try members.textIfAny("message")
    }

    public var json: JSON {
      .members([
        "saga": .string(saga), "title": .text(title), "key": .text(key), "workflow": .text(workflow),
        "status": .text(status), "takes": .bool(takes), "code": .text(code), "message": .text(message),
      ])
    }
  }
}
