import JSON
import Values

/// A stored event that this version can't read. It is never guessed at.
public struct UnreadableEvent: CodedError, Hashable {
  public var code: String { EngineErrorCode.eventUnreadable }
  public let message: String
}

extension SagaEvent {
  /// Reads an event as it was stored.
  /// - Parameters:
  ///   - type: its name in the store.
  ///   - schema: the version of the shape that it was written in.
  ///   - data: the event as it was stored.
  ///   - upcasters: lift what was written in an older shape to the one that is read here.
  public init(
    type: String, schema: Int, data: JSON, upcasters: SagaEventUpcasters = .production
  ) throws(UnreadableEvent) {
    guard let kind = Kind(rawValue: type) else {
      throw UnreadableEvent(message: "“\(type)” is no event that this version knows.")
    }
    let reader = EventReader(type: type, data: try upcasters.lift(data, of: kind, from: schema))
    self.init(at: try reader.moment("at"), try Self.occurrence(kind, reader))
  }

  private static func occurrence(_ kind: Kind, _ data: EventReader) throws(UnreadableEvent) -> Occurrence {
    switch kind {
    case .sagaStarted:
      .sagaStarted(try SagaStart(data.nested("saga")))
    case .stepSkipped:
      .stepSkipped(step: try data.string("step"))
    case .waitStarted:
      .waitStarted(
        step: try data.string("step"), until: try data.optionalMoment("until"), signal: data.optionalString("signal"))
    case .attemptStarted:
      .attemptStarted(
        step: try data.string("step"), phase: try data.word("phase"), round: try data.int("round"),
        attempt: try data.int("attempt"), deadline: try data.moment("deadline"))
    case .attemptFailed:
      .attemptFailed(
        step: try data.string("step"), phase: try data.word("phase"), attempt: try data.int("attempt"),
        isUnknown: try data.bool("unknown"), failure: try StepFailure(data.nested("failure")),
        retryAt: try data.moment("retryAt"))
    case .attemptNotMade:
      .attemptNotMade(
        step: try data.string("step"), phase: try data.word("phase"), attempt: try data.int("attempt"),
        failure: try StepFailure(data.nested("failure")), retryAt: try data.moment("retryAt"))
    case .stepProgressed:
      .stepProgressed(
        step: try data.string("step"), phase: try data.word("phase"), attempt: try data.int("attempt"),
        progress: try StepProgress(data))
    case .answerIgnored:
      .answerIgnored(
        step: try data.string("step"), phase: try data.word("phase"), attempt: try data.int("attempt"),
        answer: IgnoredAnswer(
          round: try data.int("round"), id: try data.string("answer"), outcome: try data.string("outcome"),
          code: data.optionalString("code"), why: try data.word("why")))
    case .stepSucceeded:
      .stepSucceeded(step: try data.string("step"), output: try StepOutput(data), isPivot: data.flag("pivot"))
    case .stepFailed:
      .stepFailed(
        step: try data.string("step"), outcome: try data.word("outcome"),
        failure: try StepFailure(data.nested("failure")), consequence: try data.word("consequence"))
    case .signalReceived:
      .signalReceived(try SignalGiven(data), step: data.optionalString("step"))
    case .signalRefused:
      .signalRefused(try SignalRefusal(data))
    case .keptSignalTaken:
      .keptSignalTaken(
        name: try data.string("signal"), step: try data.string("step"), received: try data.int("received"))
    case .keptSignalRefused:
      .keptSignalRefused(
        name: try data.string("signal"), step: try data.string("step"),
        received: data.has("received") ? try data.int("received") : nil)
    case .turnBackRequested:
      .turnBackRequested(try TurnBack(data.nested("reason")))
    case .turnBackLapsed:
      .turnBackLapsed
    case .turnedBack:
      .turnedBack(try TurnBack(data.nested("reason")))
    case .undoSucceeded:
      .undoSucceeded(step: try data.string("step"), how: try data.word("how"))
    case .undoFailed:
      .undoFailed(
        step: try data.string("step"), failure: try StepFailure(data.nested("failure")), blocks: try data.bool("blocks")
      )
    case .operatorRetried:
      .operatorRetried(
        step: try data.string("step"), phase: try data.word("phase"), input: data.data["input"],
        try OperatorAct(data))
    case .operatorResolved:
      .operatorResolved(
        step: try data.string("step"), resolution: try Resolution(data), isPivot: data.flag("pivot"),
        goesOn: data.flag("goesOn"), try OperatorAct(data))
    case .operatorSkipped:
      .operatorSkipped(
        step: try data.string("step"), output: data.data["output"], isPivot: data.flag("pivot"), try OperatorAct(data))
    case .operatorRanNow:
      .operatorRanNow(steps: try data.strings("steps"), try OperatorAct(data))
    case .operatorExtended:
      .operatorExtended(
        step: data.optionalString("step"), until: try data.moment("until"), try OperatorAct(data))
    case .rewindStarted:
      .rewindStarted(step: try data.string("step"), steps: try data.strings("steps"), try OperatorAct(data))
    case .rewindFinished:
      .rewindFinished(step: try data.string("step"), steps: try data.strings("steps"))
    case .sagaPaused:
      .sagaPaused(try OperatorAct(data))
    case .sagaResumed:
      .sagaResumed(try OperatorAct(data))
    case .stepOverdue:
      .stepOverdue(step: try data.string("step"), phase: try data.word("phase"), try StepOverdue(data))
    case .sagaOverdue:
      .sagaOverdue
    case .sagaCompleted:
      .sagaCompleted(
        output: try data.value("output"), errors: try OutputError.all(in: data))
    case .sagaCompensated:
      .sagaCompensated
    case .sagaAbandoned:
      .sagaAbandoned(try OperatorAct(data))
    }
  }
}

extension OperatorAct {
  init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      by: try data.string("by"), reason: try data.string("reason"), from: data.optionalString("from"),
      commandID: data.optionalString("commandId"), commandDigest: data.optionalString("commandDigest"))
  }
}

extension StepOverdue {
  init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      since: try data.moment("since"),
      expected: ExpectedTime(
        .milliseconds(try data.int("expectedMs")), try data.word("basis"),
        samples: data.has("samples") ? try data.int("samples") : nil))
  }
}

extension SagaStart {
  init(_ data: EventReader) throws(UnreadableEvent) {
    let text = try data.string("id")
    guard let id = UniqueID(text) else { throw data.unreadable("id") }
    self.init(
      id: id, workflow: try data.string("workflow"), version: try data.int("version"),
      definitionDigest: try data.string("definition"), steps: try data.strings("steps"), input: try data.value("input"),
      deadline: try data.moment("deadline"), idempotencyKey: data.optionalString("idempotencyKey"),
      tags: data.has("tags") ? try data.strings("tags") : [], by: try data.string("by"),
      from: data.optionalString("from"))
  }
}

extension StepFailure {
  init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      code: try data.string("code"), classes: data.has("classes") ? try data.strings("classes") : [],
      message: try data.string("message"), isRetryable: data.flag("retryable"),
      retryAfter: data.has("retryAfterMs") ? .milliseconds(try data.int("retryAfterMs")) : nil,
      isGone: data.flag("gone"), keepsTombstones: data.flag("tombstones"))
  }
}

extension StepProgress {
  init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(message: try data.string("message"), fraction: data.data["fraction"]?.doubleValue)
  }
}

extension TurnBack {
  init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      cause: try data.word("cause"), step: data.optionalString("step"), code: try data.string("code"),
      message: try data.string("message"), by: data.optionalString("by"), reason: data.optionalString("reason"),
      from: data.optionalString("from"), commandID: data.optionalString("commandId"))
  }
}

extension StepOutput {
  init(_ data: EventReader) throws(UnreadableEvent) {
    let value = try data.value("output")
    if data.has("outputProblem") {
      self.init(problem: try StepFailure(data.nested("outputProblem")))
    } else {
      self.init(value)
    }
  }
}

extension Resolution {
  init(_ data: EventReader) throws(UnreadableEvent) {
    switch try data.string("resolution") {
    case "happened": self = .happened(output: try data.value("output"))
    case "didNotHappen": self = .didNotHappen
    case "undone": self = .undone
    default: throw data.unreadable("resolution")
    }
  }
}

/// Takes an event's data apart; what is missing or of another type is an error that names it.
struct EventReader {
  let type: String
  let data: JSON

  func unreadable(_ name: String) -> UnreadableEvent {
    UnreadableEvent(message: "The stored \(type) has no readable “\(name)”.")
  }

  func has(_ name: String) -> Bool { data[name] != nil }
  func flag(_ name: String) -> Bool { data[name]?.boolValue ?? false }
  func optionalString(_ name: String) -> String? { data[name]?.stringValue }

  func value(_ name: String) throws(UnreadableEvent) -> JSON {
    guard let value = data[name] else { throw unreadable(name) }
    return value
  }
  func string(_ name: String) throws(UnreadableEvent) -> String {
    guard let value = data[name]?.stringValue else { throw unreadable(name) }
    return value
  }
  func strings(_ name: String) throws(UnreadableEvent) -> [String] {
    guard let values = data[name]?.arrayValue else { throw unreadable(name) }
    let strings = values.compactMap(\.stringValue)
    guard strings.count == values.count else { throw unreadable(name) }
    return strings
  }
  func int(_ name: String) throws(UnreadableEvent) -> Int {
    guard let value = data[name]?.intValue else { throw unreadable(name) }
    return value
  }
  func bool(_ name: String) throws(UnreadableEvent) -> Bool {
    guard let value = data[name]?.boolValue else { throw unreadable(name) }
    return value
  }
  func moment(_ name: String) throws(UnreadableEvent) -> Timestamp {
    guard let value = data[name]?.stringValue.flatMap(Timestamp.init(_:)) else { throw unreadable(name) }
    return value
  }
  func optionalMoment(_ name: String) throws(UnreadableEvent) -> Timestamp? {
    has(name) ? try moment(name) : nil
  }
  func word<Word: RawRepresentable>(_ name: String) throws(UnreadableEvent) -> Word where Word.RawValue == String {
    guard let word = data[name]?.stringValue.flatMap(Word.init(rawValue:)) else { throw unreadable(name) }
    return word
  }
  func nested(_ name: String) throws(UnreadableEvent) -> EventReader {
    EventReader(type: "\(type).\(name)", data: try value(name))
  }
}
