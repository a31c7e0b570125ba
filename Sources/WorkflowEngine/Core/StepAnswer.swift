import JSON

/// What a participant says of an attempt that it was sent, in its own time: an answer that comes back as a message.
public struct StepAnswer: Sendable, Hashable {
  public let step: String
  public let phase: StepPhase
  public let round: Int
  /// The attempt that it answers.
  public let attempt: Int
  /// Names the answer itself, for whoever looks for the message that brought it.
  public let id: String
  public let content: Content

  public enum Content: Sendable, Hashable {
    case settled(StepOutcome)
    /// It is being worked at.
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

  /// In one word, as a history shows it.
  var word: String {
    switch content {
    case .settled(.succeeded), .settled(.succeededUnread): "succeeded"
    case .settled(.failed): "failed"
    case .settled(.unknown): "unknown"
    case .settled(.notMade): "notMade"
    case .progress: "progress"
    }
  }

  /// The code of the failure that it reports, if it reports one.
  var code: String? {
    switch content {
    case .settled(.failed(let failure)), .settled(.unknown(let failure)), .settled(.notMade(let failure)): failure.code
    case .settled(.succeeded), .settled(.succeededUnread), .progress: nil
    }
  }
}

/// How far an attempt has come, in its participant's words.
public struct StepProgress: Sendable, Hashable {
  /// It is kept in the history for years: long enough to help, bounded all the same.
  public static let longestMessage = 1_000

  public let message: String
  /// From 0 to 1, when the participant can tell.
  public let fraction: Double?

  /// - Parameters:
  ///   - message: cut to its first 1,000 characters, which are Unicode scalars: a letter may carry any number of marks.
  ///   - fraction: what lies outside 0 to 1 is taken for the nearer end.
  public init(message: String, fraction: Double? = nil) {
    self.message = String(String.UnicodeScalarView(message.unicodeScalars.prefix(Self.longestMessage)))
    self.fraction = fraction.flatMap { $0.isNaN ? nil : min(max($0, 0), 1) }
  }
}

/// An answer that changed nothing, as it is recorded.
public struct IgnoredAnswer: Sendable, Hashable {
  public enum Why: String, Sendable, Hashable, CaseIterable {
    /// What it says has been recorded before.
    case repeated
    /// The attempt that it answers is not waited for any more.
    case late
  }
  public let round: Int
  public let id: String
  /// `succeeded`, `failed`, `unknown`, `progress`.
  public let outcome: String
  /// Of the failure that it reports.
  public let code: String?
  public let why: Why

  public init(round: Int, id: String, outcome: String, code: String?, why: Why) {
    self.round = round
    self.id = id
    self.outcome = outcome
    self.code = code
    self.why = why
  }
}
