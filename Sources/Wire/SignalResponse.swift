import JSON
import Values

/// The answer to a signal: what became of it.
public struct SignalResponse: WireValue {
  /// The id of the saga. Servers of older versions leave it out.
  public let saga: String?
  public let signal: String
  /// `taken`, `kept`, or `repeated` when the same signal came before.
  public let answer: String
  /// What became of a repeated signal when it came first.
  public let became: String?
  public let step: String?
  /// `undo` when the undo of the step has taken the signal; otherwise nil.
  public let phase: String?
  /// The steps that can still take the signal.
  public let candidates: [String]
  public let by: String
  public let at: Timestamp
  /// The number of the signal's event in the history of the saga.
  public let version: Int

  public init(
    saga: String? = nil, signal: String, answer: String, became: String? = nil, step: String? = nil,
    phase: String? = nil, candidates: [String] = [], by: String, at: Timestamp, version: Int
  ) {
    self.saga = saga
    self.signal = signal
    self.answer = answer
    self.became = became
    self.step = step
    self.phase = phase
    self.candidates = candidates
    self.by = by
    self.at = at
    self.version = version
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    saga = try members.textIfAny("saga")
    signal = try members.text("signal")
    answer = try members.text("answer")
    became = try members.textIfAny("became")
    step = try members.textIfAny("step")
    phase = try members.textIfAny("phase")
    candidates = try members.textsIfAny("candidates") ?? []
    by = try members.text("by")
    at = try members.time("at")
    let event = try members.int("event")
    version = try members.intIfAny("version") ?? event
  }

  public var json: JSON {
    .members([
      "saga": .text(saga), "signal": .string(signal), "answer": .string(answer), "became": .text(became),
      "step": .text(step), "phase": .text(phase),
      "candidates": .textsIfAny(candidates), "by": .string(by), "at": .time(at), "version": .int(version),
      "event": .int(version),
    ])
  }
}
