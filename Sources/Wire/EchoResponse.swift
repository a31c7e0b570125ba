import JSON
import Values

/// The answer of `GET /v1/echo`: how far Kafka is behind the store.
public struct EchoResponse: WireValue {
  public let topic: String
  public let state: String
  public let lagEvents: Int
  public let lagSeconds: Duration
  public let problem: Problem?
  public let delivered: Int
  public let deadLettered: Int
  public let shards: [Shard]
  public let consumers: [Consumer]

  public init(
    topic: String, state: String, lagEvents: Int, lagSeconds: Duration, problem: Problem? = nil, delivered: Int,
    deadLettered: Int, shards: [Shard], consumers: [Consumer]
  ) {
    self.topic = topic
    self.state = state
    self.lagEvents = lagEvents
    self.lagSeconds = lagSeconds
    self.problem = problem
    self.delivered = delivered
    self.deadLettered = deadLettered
    self.shards = shards
    self.consumers = consumers
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    topic = try members.text("topic")
    state = try members.text("state")
    lagEvents = try members.int("lagEvents")
    lagSeconds = try members.seconds("lagSeconds")
    problem = try members.oneIfAny("problem")
    delivered = try members.int("delivered")
    deadLettered = try members.int("deadLettered")
    shards = try members.list("shards")
    consumers = try members.list("consumers")
  }

  public var json: JSON {
    .members([
      "topic": .string(topic), "state": .string(state), "lagEvents": .int(lagEvents),
      "lagSeconds": .seconds(lagSeconds), "problem": problem?.json, "delivered": .int(delivered),
      "deadLettered": .int(deadLettered), "shards": .list(shards), "consumers": .list(consumers),
    ])
  }

  /// Why the echo can send no events.
  public struct Problem: WireValue {
    public let code: String
    public let message: String
    public let since: Timestamp

    public init(code: String, message: String, since: Timestamp) {
      self.code = code
      self.message = message
      self.since = since
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      code = try members.text("code")
      message = try members.text("message")
      since = try members.time("since")
    }

    public var json: JSON {
      .members([
        "code": .string(code), "message": .string(message), "since": .time(since),
      ])
    }
  }

  /// The echo of one shard.
  public struct Shard: WireValue {
    public let shard: Int
    public let head: Int
    public let delivered: Int
    public let checkpoint: Int

    public init(shard: Int, head: Int, delivered: Int, checkpoint: Int) {
      self.shard = shard
      self.head = head
      self.delivered = delivered
      self.checkpoint = checkpoint
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      shard = try members.int("shard")
      head = try members.int("head")
      delivered = try members.int("delivered")
      checkpoint = try members.int("checkpoint")
    }

    public var json: JSON {
      .members([
        "shard": .int(shard), "head": .int(head), "delivered": .int(delivered), "checkpoint": .int(checkpoint),
      ])
    }
  }

  /// One of the engine's own consumers.
  public struct Consumer: WireValue {
    public let group: String
    public let topics: [String]
    public let partitions: Int
    public let lag: Int
    public let handled: Int
    public let deadLettered: Int
    public let problem: String?

    public init(
      group: String, topics: [String], partitions: Int, lag: Int, handled: Int, deadLettered: Int,
      problem: String? = nil
    ) {
      self.group = group
      self.topics = topics
      self.partitions = partitions
      self.lag = lag
      self.handled = handled
      self.deadLettered = deadLettered
      self.problem = problem
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      group = try members.text("group")
      topics = try members.texts("topics")
      partitions = try members.int("partitions")
      lag = try members.int("lag")
      handled = try members.int("handled")
      deadLettered = try members.int("deadLettered")
      problem = try members.textIfAny("problem")
    }

    public var json: JSON {
      .members([
        "group": .string(group), "topics": .texts(topics), "partitions": .int(partitions), "lag": .int(lag),
        "handled": .int(handled), "deadLettered": .int(deadLettered), "problem": .text(problem),
      ])
    }
  }
}

/// The answer to a rewind of the echo.
public struct EchoRewindResponse: WireValue {
  /// The number of events that the echo sends again.
  public let events: Int

  public init(events: Int) {
    self.events = events
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    events = try members.int("events")
  }

  public var json: JSON {
    .members([
      "events": .int(events)
    ])
  }
}
