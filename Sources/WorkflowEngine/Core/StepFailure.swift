import JSON

/// Why an attempt, or a step, failed.
public struct StepFailure: Error, Sendable, Hashable {
  /// The participant's own code (`QC_FAILED`), or one of ours (`http.503`, `timeout`).
  public var code: String
  /// Further codes that a retry policy may name, from the exact to the general: `http.422`, `http.4xx`.
  public var classes: [String]
  public var message: String
  /// Whether another attempt may help, as far as the executor can tell; a retry policy may say otherwise.
  public var isRetryable: Bool
  /// How long the participant asked us to wait.
  public var retryAfter: Duration?
  /// The participant says there is nothing by that name (404, 410).
  public var isGone: Bool
  /// The participant is declared to keep tombstones: an undo that comes first makes the late command refuse.
  public var keepsTombstones: Bool

  public init(
    code: String, classes: [String] = [], message: String, isRetryable: Bool = false, retryAfter: Duration? = nil,
    isGone: Bool = false, keepsTombstones: Bool = false
  ) {
    self.code = code
    self.classes = classes
    self.message = message
    self.isRetryable = isRetryable
    self.retryAfter = retryAfter
    self.isGone = isGone
    self.keepsTombstones = keepsTombstones
  }

  public var codes: [String] { [code] + classes }
}

/// How an attempt ended, as its executor reports it. What follows from it is the core's business.
public enum StepOutcome: Sendable, Hashable {
  case succeeded(JSON)
  /// It happened, but its answer can't be read, for this reason. A step that reads the answer fails with it.
  case succeededUnread(StepFailure)
  /// A clean refusal: it has not happened.
  case failed(StepFailure)
  /// It may have happened.
  case unknown(StepFailure)
  /// The attempt never left the engine, for a reason of the engine's own: it doesn't count, and is made again.
  case notMade(StepFailure)
}
