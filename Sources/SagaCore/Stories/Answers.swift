import JSON
import Values

// Answers that come as messages: at any time, in any order, more than once.

/// A participant's answer for an attempt.
public struct StepAnswer: Sendable, Hashable {
  public let step: String
  public let phase: StepPhase
  public let round: Int
  /// The attempt that it answers.
  public let attempt: Int
  /// The id of the answer itself. It helps to find the message that contained it.
  public let id: String
  public let content: Content

  public enum Content: Sendable, Hashable {
    case settled(StepOutcome)
    /// The participant reports progress.
    case progress(StepProgress)
  }

  public init(step: String, phase: StepPhase, round: Int, attempt: Int, id: String, content: Content) {
    self.step = step
    self.phase = phase
    self.round = round
    self.attempt = attempt
    self.id = id
    self.content = content
  }

  /// The content in one word, for the history.
  var word: String {
    switch content {
    case .settled(.succeeded), .settled(.succeededUnread), .settled(.answered): "succeeded"
    case .settled(.failed): "failed"
    case .settled(.unknown): "unknown"
    case .settled(.notSent): "notMade"
    case .progress: "progress"
    }
  }

  /// The code of the failure that it reports, if it reports one.
  var code: String? {
    switch content {
    case .settled(.failed(let failure)), .settled(.unknown(let failure)), .settled(.notSent(let failure)): failure.code
    case .settled(.succeeded), .settled(.succeededUnread), .settled(.answered), .progress: nil
    }
  }
}

/// The progress of an attempt, in its participant's words.
public struct StepProgress: Sendable, Hashable {
  /// The longest message, in Unicode scalars. The history keeps it for years, so its length is limited.
  public static let longestMessage = 1_000

  public let message: String
  /// From 0 to 1, when the participant knows it.
  public let fraction: Double?

  /// - Parameters:
  ///   - message: cut to its first 1,000 Unicode scalars, because a character may consist of any number of scalars.
  ///   - fraction: a value outside 0 to 1 becomes the nearer end.
  public init(message: String, fraction: Double? = nil) {
    self.message = String(String.UnicodeScalarView(message.unicodeScalars.prefix(Self.longestMessage)))
    self.fraction = fraction.flatMap { $0.isNaN ? nil : min(max($0, 0), 1) }
  }

  init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(message: try data.string("message"), fraction: data.optionalValue("fraction")?.doubleValue)
  }

  func add(to data: inout JSONObject) {
    data["fraction"] = fraction.map { .number(JSONNumber($0)) }
    data["message"] = .string(message)
  }
}

/// An answer that changed nothing, as it is recorded.
public struct IgnoredAnswer: Sendable, Hashable {
  public enum Why: String, Sendable, Hashable, CaseIterable {
    /// The history already contains the answer.
    case repeated
    /// The saga does not wait for the attempt any more.
    case late
  }
  public let round: Int
  public let id: String
  /// `succeeded`, `failed`, `unknown`, `progress`.
  public let outcome: String
  /// The code of the failure that it reports.
  public let code: String?
  public let why: Why
}

extension Decider {
  mutating func take(_ answer: StepAnswer) throws(Refusal) {
    if let item = ItemID(answer.step), state.index(of: answer.step) == nil, let owner = state.index(of: item.step),
      hasItems(owner)
    {
      // A rewind has dropped the item, and it has not begun again.
      emit(
        AnswerIgnored(
          step: answer.step, phase: answer.phase, attempt: answer.attempt,
          answer: IgnoredAnswer(
            round: answer.round, id: answer.id, outcome: answer.word, code: answer.code, why: .late)))
      return
    }
    let step = try knownStep(answer.step)
    guard let attempt = attempt(answeredBy: answer, of: state.steps[step]) else {
      emit(
        AnswerIgnored(
          step: id(step), phase: answer.phase, attempt: answer.attempt,
          answer: IgnoredAnswer(
            round: answer.round, id: answer.id, outcome: answer.word, code: answer.code,
            why: isRepeat(answer, of: state.steps[step]) ? .repeated : .late)))
      return
    }
    switch answer.content {
    case .settled(let outcome): settle(step, phase: answer.phase, attempt: attempt, outcome: outcome)
    case .progress(let progress):
      emit(StepProgressed(step: id(step), phase: answer.phase, attempt: attempt, progress: progress))
    }
  }

  /// Returns the current attempt if the answer changes something for it; nil otherwise.
  private func attempt(answeredBy answer: StepAnswer, of step: StepState) -> Int? {
    guard answer.round == step.round, let inFlight = step.inFlight, inFlight.phase == answer.phase else { return nil }
    let number = inFlight.attempt.number
    if answer.attempt == number { return number }
    // All attempts of a round request the same work under one key. When an earlier attempt succeeded, the work is done.
    // The failure of an earlier attempt says nothing about the current one.
    if case .settled(.succeeded) = answer.content, (1..<number).contains(answer.attempt) { return number }
    return nil
  }

  /// Returns whether the history contains the answer already: of the step, of its undo, or of the last settled attempt.
  private func isRepeat(_ answer: StepAnswer, of step: StepState) -> Bool {
    guard answer.round == step.round, case .settled(let outcome) = answer.content else { return false }
    switch (answer.phase, outcome) {
    case (.forward, .succeeded), (.forward, .succeededUnread), (.forward, .answered):
      return step.outcome == .succeeded
    case (.undo, .succeeded), (.undo, .succeededUnread), (.undo, .answered): return step.status == .undone
    case (.undo, .failed(let failure)) where step.status == .undone:
      return failure.isGone && step.undoHow == UndoSuccess.alreadyGone.rawValue
    case (.forward, .failed(let failure)), (.forward, .unknown(let failure)):
      return isLastFailure(failure, step.failure, answer, step)
    case (.undo, .failed(let failure)), (.undo, .unknown(let failure)):
      return isLastFailure(failure, step.undoFailure, answer, step)
    case (_, .notSent): return false
    }
  }

  private func isLastFailure(
    _ failure: StepFailure, _ recorded: StepFailure?, _ answer: StepAnswer, _ step: StepState
  ) -> Bool {
    let settled = step.attempts(answer.phase).count - (step.inFlight?.phase == answer.phase ? 1 : 0)
    guard let recorded, answer.attempt == settled else { return false }
    return recorded.code.hasSameScalars(as: failure.code)
  }
}

// MARK: Events

/// The participant says how far the attempt under way has come.
public struct StepProgressed: SagaEventContent {
  public static let typeName = "stepProgressed"
  public let step: String
  public let phase: StepPhase
  public let attempt: Int
  public let progress: StepProgress
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      step: try data.string("step"), phase: try data.word("phase"), attempt: try data.int("attempt"),
      progress: try StepProgress(data))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["phase"] = .word(phase)
    data["attempt"] = .int(attempt)
    progress.add(to: &data)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      guard let inFlight = step.inFlight, inFlight.phase == phase, inFlight.attempt.number == attempt else {
        return false
      }
      step.progress = Dated(at: at, value: progress)
      return true
    }
  }
}

/// A participant's answer came that contains nothing new. It changes no state.
public struct AnswerIgnored: SagaEventContent {
  public static let typeName = "answerIgnored"
  public let step: String
  public let phase: StepPhase
  public let attempt: Int
  public let answer: IgnoredAnswer
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      step: try data.string("step"), phase: try data.word("phase"), attempt: try data.int("attempt"),
      answer: IgnoredAnswer(
        round: try data.int("round"), id: try data.string("answer"), outcome: try data.string("outcome"),
        code: data.optionalString("code"), why: try data.word("why")))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["phase"] = .word(phase)
    data["round"] = .int(answer.round)
    data["attempt"] = .int(attempt)
    data["why"] = .word(answer.why)
    data["outcome"] = .string(answer.outcome)
    data["code"] = answer.code.map(JSON.string)
    data["answer"] = .string(answer.id)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    guard saga.index(of: ItemID.step(of: step)) != nil else {
      throw HistoryError("\(Self.typeName) names a step that the saga doesn't have.")
    }
  }
}
