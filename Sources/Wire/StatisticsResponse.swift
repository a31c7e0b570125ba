import JSON
import Values

/// The answer of `GET /v1/workflows/{name}/statistics`.
public struct StatisticsResponse: WireValue {
  public let steps: [Step]
  /// How far the counts are behind the events. Nil in the answer of an older engine.
  public let lists: StatsResponse.Lists?

  public init(steps: [Step], lists: StatsResponse.Lists?) {
    self.steps = steps
    self.lists = lists
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    steps = try members.list("steps")
    lists = try members.oneIfAny("lists")
  }

  public var json: JSON {
    .members([
      "steps": .list(steps), "lists": lists?.json,
    ])
  }

  /// The counts of one step.
  public struct Step: WireValue {
    public let step: String
    public let minutes: [Minute]
    public let total: Total

    public init(step: String, minutes: [Minute], total: Total) {
      self.step = step
      self.minutes = minutes
      self.total = total
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      step = try members.text("step")
      minutes = try members.list("minutes")
      total = try members.one("total")
    }

    public var json: JSON {
      .members([
        "step": .string(step), "minutes": .list(minutes), "total": total.json,
      ])
    }
  }

  /// What a step did within one minute.
  public struct Minute: WireValue {
    /// The start of the minute.
    public let at: Timestamp
    public let started: Int
    public let succeeded: Int
    public let failed: Int
    public let retried: Int
    public let undone: Int
    public let p50Ms: Int?
    public let p95Ms: Int?
    public let p99Ms: Int?

    public init(
      at: Timestamp, started: Int, succeeded: Int, failed: Int, retried: Int, undone: Int, p50Ms: Int? = nil,
      p95Ms: Int? = nil, p99Ms: Int? = nil
    ) {
      self.at = at
      self.started = started
      self.succeeded = succeeded
      self.failed = failed
      self.retried = retried
      self.undone = undone
      self.p50Ms = p50Ms
      self.p95Ms = p95Ms
      self.p99Ms = p99Ms
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      at = try members.time("at")
      started = try members.int("started")
      succeeded = try members.int("succeeded")
      failed = try members.int("failed")
      retried = try members.int("retried")
      undone = try members.int("undone")
      p50Ms = try members.intIfAny("p50Ms")
      p95Ms = try members.intIfAny("p95Ms")
      p99Ms = try members.intIfAny("p99Ms")
    }

    public var json: JSON {
      .members([
        "at": .time(at), "started": .int(started), "succeeded": .int(succeeded), "failed": .int(failed),
        "retried": .int(retried), "undone": .int(undone), "p50Ms": .integer(p50Ms), "p95Ms": .integer(p95Ms),
        "p99Ms": .integer(p99Ms),
      ])
    }
  }

  /// What a step did in all minutes.
  public struct Total: WireValue {
    public let started: Int
    public let succeeded: Int
    public let failed: Int
    public let retried: Int
    public let undone: Int
    public let p50Ms: Int?
    public let p95Ms: Int?
    public let p99Ms: Int?

    public init(
      started: Int, succeeded: Int, failed: Int, retried: Int, undone: Int, p50Ms: Int? = nil, p95Ms: Int? = nil,
      p99Ms: Int? = nil
    ) {
      self.started = started
      self.succeeded = succeeded
      self.failed = failed
      self.retried = retried
      self.undone = undone
      self.p50Ms = p50Ms
      self.p95Ms = p95Ms
      self.p99Ms = p99Ms
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      started = try members.int("started")
      succeeded = try members.int("succeeded")
      failed = try members.int("failed")
      retried = try members.int("retried")
      undone = try members.int("undone")
      p50Ms = try members.intIfAny("p50Ms")
      p95Ms = try members.intIfAny("p95Ms")
      p99Ms = try members.intIfAny("p99Ms")
    }

    public var json: JSON {
      .members([
        "started": .int(started), "succeeded": .int(succeeded), "failed": .int(failed), "retried": .int(retried),
        "undone": .int(undone), "p50Ms": .integer(p50Ms), "p95Ms": .integer(p95Ms), "p99Ms": .integer(p99Ms),
      ])
    }
  }
}
