import JSON
import Values

/// The answer of `GET /v1/sagas/{id}/timeline`.
public struct TimelineResponse: WireValue {
  public let start: Timestamp
  public let end: Timestamp?
  public let spans: [Span]
  public let marks: [Mark]
  /// The number of spans and single events of items that are left out. Nil: none.
  public let leftOut: Int?

  public init(start: Timestamp, end: Timestamp? = nil, spans: [Span], marks: [Mark], leftOut: Int? = nil) {
    self.start = start
    self.end = end
    self.spans = spans
    self.marks = marks
    self.leftOut = leftOut
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    start = try members.time("start")
    end = try members.timeIfAny("end")
    spans = try members.list("spans")
    marks = try members.list("marks")
    leftOut = try members.intIfAny("leftOut")
  }

  public var json: JSON {
    .members([
      "start": .time(start), "end": .time(end), "spans": .list(spans), "marks": .list(marks),
      "leftOut": .integer(leftOut),
    ])
  }

  /// A time span of a step: an attempt, a wait, a delay or a backoff.
  public struct Span: WireValue {
    public let step: String
    public let phase: String
    public let kind: String
    public let attempt: Int?
    public let from: Timestamp
    /// The end; nil while the span goes on.
    public let to: Timestamp?
    public let outcome: String?
    public let code: String?

    public init(
      step: String, phase: String, kind: String, attempt: Int? = nil, from: Timestamp, to: Timestamp? = nil,
      outcome: String? = nil, code: String? = nil
    ) {
      self.step = step
      self.phase = phase
      self.kind = kind
      self.attempt = attempt
      self.from = from
      self.to = to
      self.outcome = outcome
      self.code = code
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      step = try members.text("step")
      phase = try members.text("phase")
      kind = try members.text("kind")
      attempt = try members.intIfAny("attempt")
      from = try members.time("from")
      to = try members.timeIfAny("to")
      outcome = try members.textIfAny("outcome")
      code = try members.textIfAny("code")
    }

    public var json: JSON {
      .members([
        "step": .string(step), "phase": .string(phase), "kind": .string(kind), "attempt": .integer(attempt),
        "from": .time(from), "to": .time(to), "outcome": .text(outcome), "code": .text(code),
      ])
    }
  }

  /// Something that happened at one time.
  public struct Mark: WireValue {
    public let at: Timestamp
    public let what: String
    public let by: String?
    public let reason: String?

    public init(at: Timestamp, what: String, by: String? = nil, reason: String? = nil) {
      self.at = at
      self.what = what
      self.by = by
      self.reason = reason
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      at = try members.time("at")
      what = try members.text("what")
      by = try members.textIfAny("by")
      reason = try members.textIfAny("reason")
    }

    public var json: JSON {
      .members([
        "at": .time(at), "what": .string(what), "by": .text(by), "reason": .text(reason),
      ])
    }
  }
}
