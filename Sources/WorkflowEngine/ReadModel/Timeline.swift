public import Values

/// What happened in a saga when: spans that have a beginning and an end, and marks.
public struct Timeline: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable, CaseIterable { case attempt, wait, delay, backoff }
  public struct Span: Sendable, Hashable {
    public let step: String
    public let phase: StepPhase
    public let kind: Kind
    public let attempt: Int?
    public let from: Timestamp
    /// Nil while it goes on.
    public internal(set) var to: Timestamp?
    /// `succeeded`, `failed`, `unknown`, `notMade`, `over` or `cut`.
    public internal(set) var outcome: String?
    public internal(set) var code: String?
  }
  public struct Mark: Sendable, Hashable {
    public let at: Timestamp
    public let what: String
    public let by: String?
    public let reason: String?
  }

  public private(set) var start: Timestamp?
  public private(set) var end: Timestamp?
  public private(set) var spans: [Span] = []
  public private(set) var marks: [Mark] = []
  /// The span under way of each step.
  private var open: [String: Int] = [:]

  public init() {}

  /// Takes in the next event.
  public mutating func note(_ event: SagaEvent) {
    let at = event.at
    switch event.what {
    case .sagaStarted(let saga):
      start = at
      mark(at, "started", by: saga.by)
    case .stepSkipped(let step): mark(at, "skipped \(step)")
    case .waitStarted(let step, _, let signal): begin(step, .forward, signal == nil ? .delay : .wait, at)
    case .attemptStarted(let step, let phase, _, let attempt, _):
      close(step, at, "over")
      begin(step, phase, .attempt, at, attempt: attempt)
    case .attemptFailed(let step, let phase, _, let isUnknown, let failure, _):
      close(step, at, isUnknown ? "unknown" : "failed", failure.code)
      begin(step, phase, .backoff, at)
    case .attemptNotMade(let step, let phase, _, let failure, _):
      close(step, at, "notMade", failure.code)
      begin(step, phase, .backoff, at)
    case .stepSucceeded(let step, _, _): close(step, at, "succeeded")
    case .stepFailed(let step, let outcome, let failure, _):
      close(step, at, outcome == .unknown ? "unknown" : "failed", failure.code)
    case .undoSucceeded(let step, _): close(step, at, "succeeded")
    case .undoFailed(let step, let failure, let blocks):
      close(step, at, "failed", failure.code)
      if blocks { mark(at, "stuck on \(step)") }
    case .signalReceived(let signal, let step):
      mark(at, "signal \(signal.name)\(step.map { " taken by \($0)" } ?? "")", by: signal.by)
    case .signalRefused(let refused): mark(at, "signal \(refused.name) refused", by: refused.by)
    case .keptSignalTaken(let name, let step, _): mark(at, "signal \(name) taken by \(step)")
    case .keptSignalRefused(let name, _, _): mark(at, "signal \(name) refused")
    case .turnBackRequested(let reason): mark(at, "turn back requested", by: reason.by, reason: reason.told)
    case .turnBackLapsed: mark(at, "turn back lapsed")
    case .turnedBack(let reason): mark(at, "turned back", by: reason.by, reason: reason.told)
    case .operatorRetried(let step, let phase, _, let act):
      close(step, at, "over")
      begin(step, phase, .backoff, at)
      mark(at, "retry \(step)", act)
    case .operatorResolved(let step, let resolution, _, _, let act):
      close(step, at, "over")
      mark(at, "resolve \(step) \(resolution.word)", act)
    case .operatorSkipped(let step, _, _, let act):
      close(step, at, "over")
      mark(at, "skip \(step)", act)
    case .operatorRanNow(let steps, let act): mark(at, "run now \(steps.joined(separator: ", "))", act)
    case .operatorExtended(let step, _, let act): mark(at, step.map { "extend \($0)" } ?? "extend", act)
    case .rewindStarted(let step, _, let act): mark(at, "rewind to \(step)", act)
    case .rewindFinished(let step, _): mark(at, "rewound to \(step)")
    case .sagaPaused(let act): mark(at, "paused", act)
    case .sagaResumed(let act): mark(at, "resumed", act)
    case .stepOverdue(let step, let phase, _): mark(at, "overdue \(phase == .undo ? "undo of " : "")\(step)")
    case .sagaOverdue: mark(at, "overdue")
    case .sagaCompleted: finish(at, "completed")
    case .sagaCompensated: finish(at, "compensated")
    case .sagaAbandoned(let act): finish(at, "abandoned", by: act.by, reason: act.reason)
    case .stepProgressed, .answerIgnored: break
    }
  }

  private mutating func begin(
    _ step: String, _ phase: StepPhase, _ kind: Kind, _ at: Timestamp, attempt: Int? = nil
  ) {
    close(step, at, "over")
    open[step] = spans.count
    spans.append(Span(step: step, phase: phase, kind: kind, attempt: attempt, from: at))
  }

  private mutating func close(_ step: String, _ at: Timestamp, _ outcome: String, _ code: String? = nil) {
    guard let index = open.removeValue(forKey: step) else { return }
    spans[index].to = at
    spans[index].outcome = outcome
    spans[index].code = code
  }

  private mutating func mark(_ at: Timestamp, _ what: String, by: String? = nil, reason: String? = nil) {
    marks.append(Mark(at: at, what: what, by: by, reason: reason))
  }

  private mutating func mark(_ at: Timestamp, _ what: String, _ act: OperatorAct) {
    mark(at, what, by: act.by, reason: act.reason)
  }

  private mutating func finish(_ at: Timestamp, _ what: String, by: String? = nil, reason: String? = nil) {
    end = at
    for step in open.keys.sorted() { close(step, at, "cut") }
    mark(at, what, by: by, reason: reason)
  }
}

extension TurnBack {
  /// The operator's words, or else what went wrong.
  fileprivate var told: String { reason ?? "\(code): \(message)" }
}
