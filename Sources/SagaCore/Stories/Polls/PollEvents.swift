import JSON
import Values

/// A step begins to poll: its first look is made now, and then one each `every`, until an event says otherwise.
public struct PollStarted: SagaEventContent {
  public static let typeName = "pollStarted"
  public let step: String
  /// The time from one look to the next.
  public let every: Duration
  /// The time at which the poll ends; nil when only the saga's timeout limits it.
  public let until: Timestamp?
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      step: try data.string("step"), every: .milliseconds(try data.int("everyMs")),
      until: try data.optionalTimestamp("until"))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["everyMs"] = .int(every.wholeMilliseconds)
    data["until"] = until.map(JSON.timestamp)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      // A poll that begins again after an operator's retry was backing off until then.
      guard step.status == .pending || step.isQueued || step.status == .backingOff else { return false }
      step.stage = .polling(StepStage.Polling(every: every, until: until, next: at, look: 1))
      step.startedAt = step.startedAt ?? at
      return true
    }
  }

  public var timeline: [TimelineNote] { [.begin(step: step, .forward, .poll)] }
}

/// A look was answered, and the poll goes on. The answer says something new, or it is the first after a look that failed,
/// or the look is an attempt because it may change something.
public struct PollAnswered: SagaEventContent {
  public static let typeName = "pollAnswered"
  public let step: String
  /// The number of the look in the timetable.
  public let look: Int
  /// When the look began. The timetable goes on from here.
  public let lookedAt: Timestamp
  /// The number of the attempt that it ends; nil when the history does not have the look as an attempt.
  public let attempt: Int?
  public let answer: StepStage.Polling.Answer
  /// The time of the next look.
  public let next: Timestamp
  /// The headers and the beginning of the body; nil in events of earlier versions.
  public var reply: CallAnswer?
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      step: try data.string("step"), look: try data.int("look"), lookedAt: try data.timestamp("lookedAt"),
      attempt: try data.optionalInt("attempt"),
      answer: StepStage.Polling.Answer(
        status: try data.int("status"), digest: try data.string("digest"), shown: data.optionalString("shown"),
        since: try data.timestamp("since")),
      next: try data.timestamp("next"), reply: try data.answer())
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["look"] = .int(look)
    data["lookedAt"] = .timestamp(lookedAt)
    data["attempt"] = attempt.map(JSON.int)
    data["status"] = .int(answer.status)
    data["digest"] = .string(answer.digest)
    data["shown"] = answer.shown.map(JSON.string)
    data["since"] = .timestamp(answer.since)
    data["next"] = .timestamp(next)
    data["answer"] = reply?.json
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      guard var polling = step.polling, step.inFlight?.attempt.number == attempt else { return false }
      polling.next = next
      polling.look = look + 1
      polling.isRetry = false
      polling.answer = answer
      step.stage = .polling(polling)
      step.failure = nil
      if step.outcome == .failed { step.outcome = .none }
      // The looks before this one no longer count against the retry policy.
      step.forward.budgetStart = step.forward.count
      return true
    }
  }

  public var timeline: [TimelineNote] {
    [.begin(step: step, .forward, .poll), .mark("\(step) answers \(answer.shown ?? "\(answer.status)")")]
  }
}
