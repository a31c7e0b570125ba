public import JSON
public import Values

extension SagaResponse {
  /// Why the saga is in its current state, and what an operator can do next.
  public struct Why: WireValue {
    public let kind: String
    public let sentence: String
    public let step: String?
    public let phase: String?
    public let code: String?
    public let outcome: String?
    /// The time at which this began.
    public let since: Timestamp?
    /// The time at which this ends by itself.
    public let until: Timestamp?
    /// The options that help, the nearest first.
    public let next: [Option]

    public init(
      kind: String, sentence: String, step: String? = nil, phase: String? = nil, code: String? = nil,
      outcome: String? = nil, since: Timestamp? = nil, until: Timestamp? = nil, next: [Option]
    ) {
      self.kind = kind
      self.sentence = sentence
      self.step = step
      self.phase = phase
      self.code = code
      self.outcome = outcome
      self.since = since
      self.until = until
      self.next = next
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      kind = try members.text("kind")
      sentence = try members.text("sentence")
      step = try members.textIfAny("step")
      phase = try members.textIfAny("phase")
      code = try members.textIfAny("code")
      outcome = try members.textIfAny("outcome")
      since = try members.timeIfAny("since")
      until = try members.timeIfAny("until")
      next = try members.list("next")
    }

    public var json: JSON {
      .members([
        "kind": .string(kind), "sentence": .string(sentence), "step": .text(step), "phase": .text(phase),
        "code": .text(code), "outcome": .text(outcome), "since": .time(since), "until": .time(until),
        "next": .list(next),
      ])
    }
  }

  /// One thing that an operator can do next.
  public struct Option: WireValue {
    /// The name of a verb, or `signal`.
    public let verb: String
    public let step: String?
    public let signal: String?
    public let outcome: String?
    public let purpose: String
    public let command: String

    public init(
      verb: String, step: String? = nil, signal: String? = nil, outcome: String? = nil, purpose: String,
      command: String
    ) {
      self.verb = verb
      self.step = step
      self.signal = signal
      self.outcome = outcome
      self.purpose = purpose
      self.command = command
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      verb = try members.text("verb")
      step = try members.textIfAny("step")
      signal = try members.textIfAny("signal")
      outcome = try members.textIfAny("outcome")
      purpose = try members.text("purpose")
      command = try members.text("command")
    }

    public var json: JSON {
      .members([
        "verb": .string(verb), "step": .text(step), "signal": .text(signal), "outcome": .text(outcome),
        "purpose": .string(purpose), "command": .string(command),
      ])
    }
  }
}
