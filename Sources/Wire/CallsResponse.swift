import JSON
import Values

/// The answer of `GET /v1/sagas/{id}/calls`: one page of what a saga sent and what was answered. Secrets are masked.
public struct CallsResponse: WireValue {
  /// The newest last.
  public let calls: [Call]
  /// The cursor of the next page.
  public let next: String?

  public init(calls: [Call], next: String? = nil) {
    self.calls = calls
    self.next = next
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    calls = try members.list("calls")
    next = try members.textIfAny("next")
  }

  public var json: JSON { .members(["calls": .list(calls), "next": .text(next)]) }

  /// One call.
  public struct Call: WireValue {
    public let step: String
    public let phase: String
    public let round: Int
    public let attempt: Int?
    /// The number of the look in its poll's timetable.
    public let look: Int?
    public let at: Timestamp
    /// The end; nil while the call is under way.
    public let endedAt: Timestamp?
    public let outcome: String?
    public let sent: Sent?
    public let answered: Answered?
    /// Why the call failed, or why no answer came.
    public let error: SagaResponse.Failure?

    public init(
      step: String, phase: String, round: Int, attempt: Int? = nil, look: Int? = nil, at: Timestamp,
      endedAt: Timestamp? = nil, outcome: String? = nil, sent: Sent? = nil, answered: Answered? = nil,
      error: SagaResponse.Failure? = nil
    ) {
      self.step = step
      self.phase = phase
      self.round = round
      self.attempt = attempt
      self.look = look
      self.at = at
      self.endedAt = endedAt
      self.outcome = outcome
      self.sent = sent
      self.answered = answered
      self.error = error
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      step = try members.text("step")
      phase = try members.text("phase")
      round = try members.int("round")
      attempt = try members.intIfAny("attempt")
      look = try members.intIfAny("look")
      at = try members.time("at")
      endedAt = try members.timeIfAny("endedAt")
      outcome = try members.textIfAny("outcome")
      sent = try members.oneIfAny("sent")
      answered = try members.oneIfAny("answered")
      error = try members.oneIfAny("error")
    }

    public var json: JSON {
      .members([
        "step": .string(step), "phase": .string(phase), "round": .int(round), "attempt": .integer(attempt),
        "look": .integer(look), "at": .time(at), "endedAt": .time(endedAt), "outcome": .text(outcome),
        "sent": sent?.json, "answered": answered?.json, "error": error?.json,
      ])
    }
  }

  /// What was sent.
  public struct Sent: WireValue {
    /// `http`, `kafka`, `task` or `workflow`.
    public let kind: String
    /// Nil for a task.
    public let service: String?
    /// Over HTTP.
    public let method: String?
    /// Over HTTP: the path with its query, percent-encoded.
    public let path: String?
    /// Over Kafka.
    public let command: String?
    /// Of a task.
    public let queue: String?
    /// The idempotency key.
    public let key: String
    public let headers: [Field]
    public let body: Body?

    public init(
      kind: String, service: String? = nil, method: String? = nil, path: String? = nil, command: String? = nil,
      queue: String? = nil, key: String, headers: [Field], body: Body? = nil
    ) {
      self.kind = kind
      self.service = service
      self.method = method
      self.path = path
      self.command = command
      self.queue = queue
      self.key = key
      self.headers = headers
      self.body = body
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      kind = try members.text("kind")
      service = try members.textIfAny("service")
      method = try members.textIfAny("method")
      path = try members.textIfAny("path")
      command = try members.textIfAny("command")
      queue = try members.textIfAny("queue")
      key = try members.text("key")
      headers = try members.list("headers")
      body = try members.oneIfAny("body")
    }

    public var json: JSON {
      .members([
        "kind": .string(kind), "service": .text(service), "method": .text(method), "path": .text(path),
        "command": .text(command), "queue": .text(queue), "key": .string(key), "headers": .list(headers),
        "body": body?.json,
      ])
    }
  }

  /// What was answered.
  public struct Answered: WireValue {
    /// Over HTTP.
    public let status: Int?
    /// The headers that the history keeps.
    public let headers: [Field]
    public let body: Body?

    public init(status: Int? = nil, headers: [Field], body: Body? = nil) {
      self.status = status
      self.headers = headers
      self.body = body
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      status = try members.intIfAny("status")
      headers = try members.list("headers")
      body = try members.oneIfAny("body")
    }

    public var json: JSON {
      .members(["status": .integer(status), "headers": .list(headers), "body": body?.json])
    }
  }

  /// A header.
  public struct Field: WireValue {
    public let name: String
    public let value: String

    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      name = try members.text("name")
      value = try members.text("value")
    }

    public var json: JSON { .members(["name": .string(name), "value": .string(value)]) }
  }

  /// The beginning of a body, at most 2 KB.
  public struct Body: WireValue {
    public let text: String
    /// Whether the body goes on.
    public let cut: Bool

    public init(text: String, cut: Bool) {
      self.text = text
      self.cut = cut
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      text = try members.text("text")
      cut = try members.bool("cut")
    }

    public var json: JSON { .members(["text": .string(text), "cut": .bool(cut)]) }
  }
}
