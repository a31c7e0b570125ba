import JSON
import Values

// The events of a turn. An end of the saga releases its turns without an event of their own.

extension SagaEvent {
  /// Changes the turns of a saga by this event alone, for a caller that can't fold the whole saga.
  /// - Parameter turns: the turns by their steps.
  package func fold(into turns: inout [String: Turn]) {
    switch what {
    case let asked as TurnAsked:
      turns[asked.step ?? Turn.saga] = Turn(
        step: asked.step, phase: asked.phase, key: asked.key, limit: asked.limit, askedAt: at)
    case let taken as TurnTaken: turns[taken.step ?? Turn.saga]?.takenAt = at
    case let released as TurnReleased: turns[released.step] = nil
    case is SagaCompleted, is SagaCompensated, is SagaAbandoned: turns = [:]
    // No other event changes a turn.
    default: break
    }
  }
}

/// A step, a group or the saga waits for its turn.
public struct TurnAsked: SagaEventContent {
  public static let typeName = "turnAsked"
  /// Nil for the saga itself.
  public let step: String?
  public let phase: StepPhase
  public let key: String
  public let limit: Int
  /// The time until which a step waits for its turn; nil when it has none of its own.
  public let until: Timestamp?
  public var stepID: String? { step }

  init(step: String?, phase: StepPhase, key: String, limit: Int, until: Timestamp? = nil) {
    self.step = step
    self.phase = phase
    self.key = key
    self.limit = limit
    self.until = until
  }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      step: data.optionalString("step"), phase: try data.word("phase"), key: try data.string("key"),
      limit: try data.int("limit"), until: try data.optionalTimestamp("until"))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = step.map(JSON.string)
    data["phase"] = .word(phase)
    data["key"] = .string(key)
    data["limit"] = .int(limit)
    data["until"] = until.map(JSON.timestamp)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    guard saga.turnsByOwner[step ?? Turn.saga] == nil else {
      throw HistoryError("A turn is asked for once at a time.")
    }
    if let step {
      try saga.update(step, by: Self.typeName, at: at) { step in
        switch (phase, step.stage) {
        case (.forward, .pending), (.forward, .backingOff): step.stage = .queued(until: until)
        case (.undo, .succeeded), (.undo, .failed): break
        case (.forward, _), (.undo, _): return false
        }
        return true
      }
    }
    var turn = Turn(step: step, phase: phase, key: key, limit: limit, askedAt: at)
    // During a pause the clock has stopped, so a wait that begins meanwhile begins at the pause.
    turn.waitsSince = saga.pausedAt ?? at
    saga.turnsByOwner[step ?? Turn.saga] = turn
  }

  public var timeline: [TimelineNote] {
    guard let step else { return [.mark("waits for its turn of \(key)")] }
    return [.begin(step: step, phase, .turn)]
  }
}

/// The turn has come. The asker holds it until it is released.
public struct TurnTaken: SagaEventContent {
  public static let typeName = "turnTaken"
  /// Nil for the saga itself.
  public let step: String?
  public let phase: StepPhase
  public let key: String
  public var stepID: String? { step }

  init(step: String?, phase: StepPhase, key: String) {
    self.step = step
    self.phase = phase
    self.key = key
  }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(step: data.optionalString("step"), phase: try data.word("phase"), key: try data.string("key"))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = step.map(JSON.string)
    data["phase"] = .word(phase)
    data["key"] = .string(key)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    guard var turn = saga.turnsByOwner[step ?? Turn.saga], !turn.isTaken, turn.key == key, turn.phase == phase else {
      throw HistoryError("A turn is taken by the one that waits for it.")
    }
    if let step {
      try saga.update(step, by: Self.typeName, at: at) { step in
        step.turnKey = key
        return true
      }
    } else {
      // The saga's timeout begins when its turn comes.
      saga.deadline = saga.deadline + max(.zero, (saga.pausedAt ?? at) - turn.waitsSince)
    }
    turn.takenAt = at
    saga.turnsByOwner[step ?? Turn.saga] = turn
  }

  public var timeline: [TimelineNote] {
    guard let step else { return [.mark("turn of \(key) taken")] }
    return [.close(step: step, outcome: "over"), .mark("turn of \(key) taken for \(step)")]
  }
}

/// The turn is free for the next one. A wait that is given up ends with the same event.
public struct TurnReleased: SagaEventContent {
  public static let typeName = "turnReleased"
  public let step: String
  public let key: String
  public var stepID: String? { step }

  init(step: String, key: String) {
    self.step = step
    self.key = key
  }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(step: try data.string("step"), key: try data.string("key"))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["key"] = .string(key)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    guard saga.turnsByOwner[step]?.key == key else {
      throw HistoryError("A turn is released by the one that asked for it.")
    }
    try saga.update(step, by: Self.typeName, at: at) { step in
      if case .queued = step.stage { return false }
      return true
    }
    saga.turnsByOwner[step] = nil
  }

  public var timeline: [TimelineNote] { [.mark("turn of \(key) released by \(step)")] }
}
