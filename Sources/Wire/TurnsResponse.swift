import JSON
import Values

/// The answer of `GET /v1/concurrency`: the keys that have holders or waiters, in their order.
public struct TurnsResponse: WireValue {
  public let keys: [Key]
  public let next: String?

  public init(keys: [Key], next: String? = nil) {
    self.keys = keys
    self.next = next
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    keys = try members.list("keys")
    next = try members.textIfAny("next")
  }

  public var json: JSON { .members(["keys": .list(keys), "next": .text(next)]) }

  /// A key with the first of those who hold a turn and the first of those who wait.
  public struct Key: WireValue {
    public let key: String
    /// The number of turns that are held.
    public let held: Int
    /// The number of waiters.
    public let waiting: Int
    public let holders: [Claim]
    public let waiters: [Claim]

    public init(key: String, held: Int, waiting: Int, holders: [Claim], waiters: [Claim]) {
      self.key = key
      self.held = held
      self.waiting = waiting
      self.holders = holders
      self.waiters = waiters
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      key = try members.text("key")
      held = try members.int("held")
      waiting = try members.int("waiting")
      holders = try members.list("holders")
      waiters = try members.list("waiters")
    }

    public var json: JSON {
      .members([
        "key": .string(key), "held": .int(held), "waiting": .int(waiting), "holders": .list(holders),
        "waiters": .list(waiters),
      ])
    }
  }

  /// One who holds a turn, or waits for it.
  public struct Claim: WireValue {
    public let saga: String
    /// What people see first of the saga; nil when it has no title, or the lists do not have it yet.
    public let title: String?
    public let workflow: String
    /// The step or the group; nil for the saga itself.
    public let step: String?
    public let phase: String
    public let limit: Int
    public let askedAt: Timestamp
    /// Nil while it waits, and until the saga has taken a turn that is offered to it.
    public let takenAt: Timestamp?
    /// Whether its saga is paused. A paused saga keeps its place and gets no turn.
    public let paused: Bool

    public init(
      saga: String, title: String? = nil, workflow: String, step: String? = nil, phase: String, limit: Int,
      askedAt: Timestamp,
      takenAt: Timestamp? = nil, paused: Bool
    ) {
      self.saga = saga
      self.title = title
      self.workflow = workflow
      self.step = step
      self.phase = phase
      self.limit = limit
      self.askedAt = askedAt
      self.takenAt = takenAt
      self.paused = paused
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      saga = try members.text("saga")
      title = try members.textIfAny("title")
      workflow = try members.text("workflow")
      step = try members.textIfAny("step")
      phase = try members.text("phase")
      limit = try members.int("limit")
      askedAt = try members.time("askedAt")
      takenAt = try members.timeIfAny("takenAt")
      paused = try members.bool("paused")
    }

    public var json: JSON {
      .members([
        "saga": .string(saga), "title": .text(title), "workflow": .string(workflow), "step": .text(step),
        "phase": .string(phase), "limit": .int(limit), "askedAt": .time(askedAt), "takenAt": .time(takenAt),
        "paused": .bool(paused),
      ])
    }
  }
}

extension SagaResponse {
  /// The turn that a saga, a step or a group holds or waits for.
  public struct Turn: WireValue {
    public let key: String
    public let limit: Int
    public let phase: String
    public let askedAt: Timestamp
    /// Nil while it waits.
    public let takenAt: Timestamp?
    /// The number of waiters before it; nil when it is taken, and for an earlier state of the saga.
    public let ahead: Int?
    /// The first of the others that hold a turn of the key.
    public let holders: [TurnsResponse.Claim]

    public init(
      key: String, limit: Int, phase: String, askedAt: Timestamp, takenAt: Timestamp? = nil, ahead: Int? = nil,
      holders: [TurnsResponse.Claim] = []
    ) {
      self.key = key
      self.limit = limit
      self.phase = phase
      self.askedAt = askedAt
      self.takenAt = takenAt
      self.ahead = ahead
      self.holders = holders
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      key = try members.text("key")
      limit = try members.int("limit")
      phase = try members.text("phase")
      askedAt = try members.time("askedAt")
      takenAt = try members.timeIfAny("takenAt")
      ahead = try members.intIfAny("ahead")
      holders = try members.list("holders")
    }

    public var json: JSON {
      .members([
        "key": .string(key), "limit": .int(limit), "phase": .string(phase), "askedAt": .time(askedAt),
        "takenAt": .time(takenAt), "ahead": .integer(ahead), "holders": .list(holders),
      ])
    }
  }
}
