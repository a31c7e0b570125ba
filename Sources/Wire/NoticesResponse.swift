import JSON
import Values

/// The answer of `GET /v1/notices`.
public struct NoticesResponse: WireValue {
  public let destinations: [Destination]

  public init(destinations: [Destination]) {
    self.destinations = destinations
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    destinations = try members.list("destinations")
  }

  public var json: JSON {
    .members([
      "destinations": .list(destinations)
    ])
  }

  /// A destination of notices.
  public struct Destination: WireValue {
    public let name: String
    public let kind: String
    public let target: String
    public let types: [String]
    public let state: String
    public let pending: Int
    /// Whether more notices wait than `pending` counts.
    public let pendingIsMore: Bool
    public let oldestPending: Timestamp?
    public let delivered: Int
    public let lastDeliveredAt: Timestamp?
    public let failingSince: Timestamp?
    public let failures: Int
    public let problem: Problem?
    public let nextTryAt: Timestamp?
    public let givenUp: Int
    public let lastGivenUpAt: Timestamp?
    /// The last notices that the engine gave up.
    public let letters: [DeadLetter]

    public init(
      name: String, kind: String, target: String, types: [String], state: String, pending: Int, pendingIsMore: Bool,
      oldestPending: Timestamp? = nil, delivered: Int, lastDeliveredAt: Timestamp? = nil,
      failingSince: Timestamp? = nil, failures: Int, problem: Problem? = nil, nextTryAt: Timestamp? = nil, givenUp: Int,
      lastGivenUpAt: Timestamp? = nil, letters: [DeadLetter]
    ) {
      self.name = name
      self.kind = kind
      self.target = target
      self.types = types
      self.state = state
      self.pending = pending
      self.pendingIsMore = pendingIsMore
      self.oldestPending = oldestPending
      self.delivered = delivered
      self.lastDeliveredAt = lastDeliveredAt
      self.failingSince = failingSince
      self.failures = failures
      self.problem = problem
      self.nextTryAt = nextTryAt
      self.givenUp = givenUp
      self.lastGivenUpAt = lastGivenUpAt
      self.letters = letters
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      name = try members.text("name")
      kind = try members.text("kind")
      target = try members.text("target")
      types = try members.texts("types")
      state = try members.text("state")
      pending = try members.int("pending")
      pendingIsMore = try members.bool("pendingIsMore")
      oldestPending = try members.timeIfAny("oldestPending")
      delivered = try members.int("delivered")
      lastDeliveredAt = try members.timeIfAny("lastDeliveredAt")
      failingSince = try members.timeIfAny("failingSince")
      failures = try members.int("failures")
      problem = try members.oneIfAny("problem")
      nextTryAt = try members.timeIfAny("nextTryAt")
      givenUp = try members.int("givenUp")
      lastGivenUpAt = try members.timeIfAny("lastGivenUpAt")
      letters = try members.list("letters")
    }

    public var json: JSON {
      .members([
        "name": .string(name), "kind": .string(kind), "target": .string(target), "types": .texts(types),
        "state": .string(state), "pending": .int(pending), "pendingIsMore": .bool(pendingIsMore),
        "oldestPending": .time(oldestPending), "delivered": .int(delivered),
        "lastDeliveredAt": .time(lastDeliveredAt), "failingSince": .time(failingSince), "failures": .int(failures),
        "problem": problem?.json, "nextTryAt": .time(nextTryAt), "givenUp": .int(givenUp),
        "lastGivenUpAt": .time(lastGivenUpAt), "letters": .list(letters),
      ])
    }
  }

  /// Why the last delivery failed.
  public struct Problem: WireValue {
    public let code: String
    public let message: String
    public let at: Timestamp

    public init(code: String, message: String, at: Timestamp) {
      self.code = code
      self.message = message
      self.at = at
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      code = try members.text("code")
      message = try members.text("message")
      at = try members.time("at")
    }

    public var json: JSON {
      .members([
        "code": .string(code), "message": .string(message), "at": .time(at),
      ])
    }
  }

  /// A notice that the engine gave up.
  public struct DeadLetter: WireValue {
    public let id: String
    public let type: String
    public let at: Timestamp
    public let summary: String
    public let attempts: Int
    public let givenUpAt: Timestamp
    public let code: String
    public let message: String

    public init(
      id: String, type: String, at: Timestamp, summary: String, attempts: Int, givenUpAt: Timestamp, code: String,
      message: String
    ) {
      self.id = id
      self.type = type
      self.at = at
      self.summary = summary
      self.attempts = attempts
      self.givenUpAt = givenUpAt
      self.code = code
      self.message = message
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      id = try members.text("id")
      type = try members.text("type")
      at = try members.time("at")
      summary = try members.text("summary")
      attempts = try members.int("attempts")
      givenUpAt = try members.time("givenUpAt")
      code = try members.text("code")
      message = try members.text("message")
    }

    public var json: JSON {
      .members([
        "id": .string(id), "type": .string(type), "at": .time(at), "summary": .string(summary),
        "attempts": .int(attempts), "givenUpAt": .time(givenUpAt), "code": .string(code), "message": .string(message),
      ])
    }
  }
}

/// The answer to a test notice.
public struct NoticeTestResponse: WireValue {
  public let destination: String
  public let id: String
  public let delivered: Bool
  public let answer: String?
  public let problem: CodeAndMessage?
  public let tookSeconds: Duration

  public init(
    destination: String, id: String, delivered: Bool, answer: String? = nil, problem: CodeAndMessage? = nil,
    tookSeconds: Duration
  ) {
    self.destination = destination
    self.id = id
    self.delivered = delivered
    self.answer = answer
    self.problem = problem
    self.tookSeconds = tookSeconds
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    destination = try members.text("destination")
    id = try members.text("id")
    delivered = try members.bool("delivered")
    answer = try members.textIfAny("answer")
    problem = try members.oneIfAny("problem")
    tookSeconds = try members.seconds("tookSeconds")
  }

  public var json: JSON {
    .members([
      "destination": .string(destination), "id": .string(id), "delivered": .bool(delivered), "answer": .text(answer),
      "problem": problem?.json, "tookSeconds": .seconds(tookSeconds),
    ])
  }
}

/// The answer to a resend of notices that were given up.
public struct NoticeResendResponse: WireValue {
  public let destination: String
  public let delivered: [String]
  public let failed: [Failed]
  public let left: Int
  public let tookSeconds: Duration

  public init(destination: String, delivered: [String], failed: [Failed], left: Int, tookSeconds: Duration) {
    self.destination = destination
    self.delivered = delivered
    self.failed = failed
    self.left = left
    self.tookSeconds = tookSeconds
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    destination = try members.text("destination")
    delivered = try members.texts("delivered")
    failed = try members.list("failed")
    left = try members.int("left")
    tookSeconds = try members.seconds("tookSeconds")
  }

  public var json: JSON {
    .members([
      "destination": .string(destination), "delivered": .texts(delivered), "failed": .list(failed),
      "left": .int(left), "tookSeconds": .seconds(tookSeconds),
    ])
  }

  /// A notice that failed again.
  public struct Failed: WireValue {
    public let id: String
    public let problem: CodeAndMessage

    public init(id: String, problem: CodeAndMessage) {
      self.id = id
      self.problem = problem
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      id = try members.text("id")
      problem = try members.one("problem")
    }

    public var json: JSON {
      .members([
        "id": .string(id), "problem": problem.json,
      ])
    }
  }
}

/// An error code and its message.
public struct CodeAndMessage: WireValue {
  public let code: String
  public let message: String

  public init(code: String, message: String) {
    self.code = code
    self.message = message
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    code = try members.text("code")
    message = try members.text("message")
  }

  public var json: JSON {
    .members([
      "code": .string(code), "message": .string(message),
    ])
  }
}
