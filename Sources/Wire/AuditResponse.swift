import JSON
import Values

/// The answer of `GET /v1/audit`: one page of what people did. The engine writes the members of an act.
public struct AuditResponse: WireValue {
  public let acts: [Act]
  public let next: String?

  public init(_ members: Members) throws(UnexpectedMember) {
    acts = try members.list("acts")
    next = try members.textIfAny("next")
  }

  public var json: JSON {
    .members([
      "acts": .list(acts), "next": .text(next),
    ])
  }

  /// What one person did.
  public struct Act: WireValue {
    public let at: Timestamp
    /// The name of the person.
    public let by: String
    public let kind: String
    public let verb: String
    public let saga: String?
    public let version: Int?
    public let workflow: String?
    public let step: String?
    public let reason: String?
    public let from: String?
    public let operation: String?
    public let content: JSON?
    public let before: Standing?
    public let after: Standing?

    public init(_ members: Members) throws(UnexpectedMember) {
      at = try members.time("at")
      let actor = try members.text("actor")
      by = try members.textIfAny("by") ?? actor
      kind = try members.text("kind")
      verb = try members.text("verb")
      saga = try members.textIfAny("saga")
      version = try members.intIfAny("version")
      workflow = try members.textIfAny("workflow")
      step = try members.textIfAny("step")
      reason = try members.textIfAny("reason")
      from = try members.textIfAny("from")
      operation = try members.textIfAny("operation")
      content = members.jsonIfAny("content")
      before = try members.oneIfAny("before")
      after = try members.oneIfAny("after")
    }

    public var json: JSON {
      .members([
        "at": .time(at), "by": .string(by), "actor": .string(by), "kind": .string(kind), "verb": .string(verb),
        "saga": .text(saga),
        "version": .integer(version), "workflow": .text(workflow), "step": .text(step), "reason": .text(reason),
        "from": .text(from), "operation": .text(operation), "content": content, "before": before?.json,
        "after": after?.json,
      ])
    }
  }

  /// The status of a saga, and of the step that the act is about.
  public struct Standing: WireValue {
    public let saga: String
    public let step: String?

    public init(_ members: Members) throws(UnexpectedMember) {
      saga = try members.text("saga")
      step = try members.textIfAny("step")
    }

    public var json: JSON {
      .members([
        "saga": .string(saga), "step": .text(step),
      ])
    }
  }
}

/// The answer of `POST /v1/audit/verify`. Persistence writes these members.
public struct AuditReportResponse: WireValue {
  public let store: String
  public let intact: Bool
  public let events: Int
  public let unchained: Int
  public let comparedWith: Timestamp?
  public let broken: [BrokenLink]
  public let shards: [ReportShard]

  public init(_ members: Members) throws(UnexpectedMember) {
    store = try members.text("store")
    intact = try members.bool("intact")
    events = try members.int("events")
    unchained = try members.int("unchained")
    comparedWith = try members.timeIfAny("comparedWith")
    broken = try members.list("broken")
    shards = try members.list("shards")
  }

  public var json: JSON {
    .members([
      "store": .string(store), "intact": .bool(intact), "events": .int(events), "unchained": .int(unchained),
      "comparedWith": .time(comparedWith), "broken": .list(broken), "shards": .list(shards),
    ])
  }

  /// The first link of a chain that does not hold.
  public struct BrokenLink: WireValue {
    public let kind: String
    public let shard: Int
    public let position: Int
    public let stream: String?
    public let version: Int?
    public let why: String

    public init(_ members: Members) throws(UnexpectedMember) {
      kind = try members.text("kind")
      shard = try members.int("shard")
      position = try members.int("position")
      stream = try members.textIfAny("stream")
      version = try members.intIfAny("version")
      why = try members.text("why")
    }

    public var json: JSON {
      .members([
        "kind": .string(kind), "shard": .int(shard), "position": .int(position), "stream": .text(stream),
        "version": .integer(version), "why": .string(why),
      ])
    }
  }

  /// The chain of one shard.
  public struct ReportShard: WireValue {
    public let shard: Int
    public let events: Int
    public let chain: String
    public let unchained: Int

    public init(_ members: Members) throws(UnexpectedMember) {
      shard = try members.int("shard")
      events = try members.int("events")
      chain = try members.text("chain")
      unchained = try members.int("unchained")
    }

    public var json: JSON {
      .members([
        "shard": .int(shard), "events": .int(events), "chain": .string(chain), "unchained": .int(unchained),
      ])
    }
  }
}
