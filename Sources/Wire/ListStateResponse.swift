import JSON
import Values

/// The answer of `GET /v1/projections`: how far the lists are behind the events.
public struct ProjectionsResponse: WireValue {
  public let store: String
  public let generation: Int
  /// The number of events that the lists lack.
  public let lagEvents: Int
  public let lagSeconds: Duration
  public let shards: [Shard]
  public let rebuild: Rebuild?

  public init(
    store: String, generation: Int, lagEvents: Int, lagSeconds: Duration, shards: [Shard], rebuild: Rebuild? = nil
  ) {
    self.store = store
    self.generation = generation
    self.lagEvents = lagEvents
    self.lagSeconds = lagSeconds
    self.shards = shards
    self.rebuild = rebuild
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    store = try members.text("store")
    generation = try members.int("generation")
    let lag = try members.int("lag")
    lagEvents = try members.intIfAny("lagEvents") ?? lag
    lagSeconds = try members.seconds("lagSeconds")
    shards = try members.list("shards")
    rebuild = try members.oneIfAny("rebuild")
  }

  public var json: JSON {
    .members([
      "store": .string(store), "generation": .int(generation), "lagEvents": .int(lagEvents),
      "lag": .int(lagEvents), "lagSeconds": .seconds(lagSeconds), "shards": .list(shards), "rebuild": rebuild?.json,
    ])
  }

  /// The position of the lists in one shard.
  public struct Shard: WireValue {
    public let shard: Int
    public let position: Int
    public let head: Int
    public let lagEvents: Int

    public init(shard: Int, position: Int, head: Int, lagEvents: Int) {
      self.shard = shard
      self.position = position
      self.head = head
      self.lagEvents = lagEvents
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      shard = try members.int("shard")
      position = try members.int("position")
      head = try members.int("head")
      let lag = try members.int("lag")
      lagEvents = try members.intIfAny("lagEvents") ?? lag
    }

    public var json: JSON {
      .members([
        "shard": .int(shard), "position": .int(position), "head": .int(head), "lagEvents": .int(lagEvents),
        "lag": .int(lagEvents),
      ])
    }
  }

  /// A rebuild of the lists that is under way.
  public struct Rebuild: WireValue {
    public let generation: Int
    public let since: Timestamp?
    public let events: Int
    public let of: Int

    public init(generation: Int, since: Timestamp? = nil, events: Int, of: Int) {
      self.generation = generation
      self.since = since
      self.events = events
      self.of = of
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      generation = try members.int("generation")
      since = try members.timeIfAny("since")
      events = try members.int("events")
      of = try members.int("of")
    }

    public var json: JSON {
      .members([
        "generation": .int(generation), "since": .time(since), "events": .int(events), "of": .int(of),
      ])
    }
  }
}

/// The answer of `GET /v1/stats`.
public struct StatsResponse: WireValue {
  public let at: Timestamp
  /// The number of sagas by status.
  public let sagas: Counts
  public let held: [HeldSaga]
  public let lists: Lists

  public init(at: Timestamp, sagas: Counts, held: [HeldSaga], lists: Lists) {
    self.at = at
    self.sagas = sagas
    self.held = held
    self.lists = lists
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    at = try members.time("at")
    sagas = try members.counts("sagas")
    held = try members.list("held")
    lists = try members.one("lists")
  }

  public var json: JSON {
    .members([
      "at": .time(at), "sagas": sagas.json, "held": .list(held), "lists": lists.json,
    ])
  }

  /// A saga that the engine holds back.
  public struct HeldSaga: WireValue {
    public let id: String
    public let since: Timestamp
    public let paused: Bool

    public init(id: String, since: Timestamp, paused: Bool) {
      self.id = id
      self.since = since
      self.paused = paused
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      id = try members.text("id")
      since = try members.time("since")
      paused = try members.bool("paused")
    }

    public var json: JSON {
      .members([
        "id": .string(id), "since": .time(since), "paused": .bool(paused),
      ])
    }
  }

  /// How far the lists are behind the events.
  public struct Lists: WireValue {
    public let lagEvents: Int
    public let lagSeconds: Duration
    /// Whether that is so much that the numbers of lists are those of an earlier time.
    public let behind: Bool

    public init(lagEvents: Int, lagSeconds: Duration, behind: Bool = false) {
      self.lagEvents = lagEvents
      self.lagSeconds = lagSeconds
      self.behind = behind
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      lagEvents = try members.int("lagEvents")
      lagSeconds = try members.seconds("lagSeconds")
      behind = try members.boolIfAny("behind") ?? false
    }

    public var json: JSON {
      .members([
        "lagEvents": .int(lagEvents), "lagSeconds": .seconds(lagSeconds), "behind": .flag(behind),
      ])
    }
  }
}
