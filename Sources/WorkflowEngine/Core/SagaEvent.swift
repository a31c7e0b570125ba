import JSON
import Runtime
import Values

/// Something that happened to a saga. Once appended it never changes; a saga's state is the fold of its events.
public struct SagaEvent: Sendable, Hashable {
  /// When it was decided.
  public let at: Timestamp
  public let what: Occurrence

  public init(at: Timestamp, _ what: Occurrence) {
    self.at = at
    self.what = what
  }

  public enum Occurrence: Sendable, Hashable {
    case sagaStarted(SagaStart)
    case stepSkipped(step: String)
    /// A signal step waits (until its timeout, if it has one), or a delay step until its moment.
    case waitStarted(step: String, until: Timestamp?, signal: String?)
    case attemptStarted(step: String, phase: StepPhase, round: Int, attempt: Int, deadline: Timestamp)
    /// An attempt failed and another will follow at `retryAt`.
    case attemptFailed(
      step: String, phase: StepPhase, attempt: Int, isUnknown: Bool, failure: StepFailure, retryAt: Timestamp)
    /// An attempt never left the engine; it is not counted, and made again at `retryAt`.
    case attemptNotMade(step: String, phase: StepPhase, attempt: Int, failure: StepFailure, retryAt: Timestamp)
    /// The participant says how far the attempt under way has come.
    case stepProgressed(step: String, phase: StepPhase, attempt: Int, progress: StepProgress)
    /// A participant's answer came when nothing was to be learnt from it. It changes no state.
    case answerIgnored(step: String, phase: StepPhase, attempt: Int, answer: IgnoredAnswer)
    case stepSucceeded(step: String, output: StepOutput, isPivot: Bool)
    /// The step failed for good; `outcome` is what is known of its round.
    case stepFailed(step: String, outcome: RoundOutcome, failure: StepFailure, consequence: FailureConsequence)
    /// A step that waited takes the signal; without a step it is kept. Older versions never said which step.
    case signalReceived(SignalGiven, step: String?)
    /// A signal was refused, and will not be taken later.
    case signalRefused(SignalRefusal)
    /// A step that has begun to wait takes a signal that was kept: that of event `received`.
    case keptSignalTaken(name: String, step: String, received: Int)
    /// A signal that was kept is refused by the `accept` of the last step that could have taken it. Older versions kept
    /// one signal of a name, and did not say which.
    case keptSignalRefused(name: String, step: String, received: Int?)
    /// A reason to turn back came while a pivot was undecided. It is decided when the pivot settles.
    case turnBackRequested(TurnBack)
    /// A pivot was passed: nothing is undone any more, and the request lapsed.
    case turnBackLapsed
    case turnedBack(TurnBack)
    case undoSucceeded(step: String, how: UndoSuccess)
    /// The compensation failed for good; `blocks` unless it is only a courtesy (`onFailure: continue`).
    case undoFailed(step: String, failure: StepFailure, blocks: Bool)
    /// With `input` it is a new round, rendered with that input instead of the saga's.
    case operatorRetried(step: String, phase: StepPhase, input: JSON?, OperatorAct)
    /// `isPivot`: the step is a point of no return. `goesOn`: that it did not happen is no reason to turn back.
    case operatorResolved(step: String, resolution: Resolution, isPivot: Bool, goesOn: Bool, OperatorAct)
    /// The saga goes on without the step, whose output, if there is one, is the operator's. `isPivot`: the step is a
    /// point of no return, and it is passed.
    case operatorSkipped(step: String, output: JSON?, isPivot: Bool, OperatorAct)
    /// What these steps wait for is due now: the next attempt, or the end of a delay.
    case operatorRanNow(steps: [String], OperatorAct)
    /// The saga's deadline, or the moment up to which a step waits, is later.
    case operatorExtended(step: String?, until: Timestamp, OperatorAct)
    /// `steps`, the step and all that comes after it, are undone and then begin again.
    case rewindStarted(step: String, steps: [String], OperatorAct)
    /// All of them are undone: they are pending again, in a new round.
    case rewindFinished(step: String, steps: [String])
    /// Nothing new starts, and the saga's clock stands.
    case sagaPaused(OperatorAct)
    /// The saga goes on. What was to come at a moment comes later by the length of the pause.
    case sagaResumed(OperatorAct)
    /// The step takes longer than was expected of it. It goes on; once for each time that it, or its undo, begins.
    case stepOverdue(step: String, phase: StepPhase, StepOverdue)
    /// The saga's timeout passed after its pivot: it only goes forward, late.
    case sagaOverdue
    /// `errors`: the members of the output that could not be made, and are null.
    case sagaCompleted(output: JSON, errors: [OutputError])
    case sagaCompensated
    case sagaAbandoned(OperatorAct)
  }
}

/// How a saga began.
public struct SagaStart: Sendable, Hashable {
  public let id: UniqueID
  public let workflow: String
  public let version: Int
  /// SHA-256 of the definition, in hexadecimal: the proof of what the saga runs on.
  public let definitionDigest: String
  /// Ids of the definition's steps, in its order.
  public let steps: [String]
  public let input: JSON
  public let deadline: Timestamp
  public let idempotencyKey: String?
  public let tags: [String]
  public let by: String
  /// The way it came: `rest 10.0.0.7`, `kafka saga.commands`. Older events don't say.
  public let from: String?

  public init(
    id: UniqueID, workflow: String, version: Int, definitionDigest: String, steps: [String], input: JSON,
    deadline: Timestamp, idempotencyKey: String?, tags: [String], by: String, from: String? = nil
  ) {
    self.id = id
    self.workflow = workflow
    self.version = version
    self.definitionDigest = definitionDigest
    self.steps = steps
    self.input = input
    self.deadline = deadline
    self.idempotencyKey = idempotencyKey
    self.tags = tags
    self.by = by
    self.from = from
  }
}

/// Why a saga turned back, or wanted to.
public struct TurnBack: Sendable, Hashable {
  public enum Cause: String, Sendable, Hashable, CaseIterable { case stepFailed, timeout, cancelled, compensate }
  public let cause: Cause
  /// The step that failed, for `stepFailed`.
  public let step: String?
  public let code: String
  public let message: String
  /// Who turned it back, and why, for `cancelled` and `compensate`.
  public let by: String?
  public let reason: String?
  /// The way that it came, as an `OperatorAct` has it.
  public let from: String?
  /// The message that turned it back, if one did: the same one again is a repeat.
  public let commandID: String?

  public init(
    cause: Cause, step: String? = nil, code: String, message: String, by: String? = nil, reason: String? = nil,
    from: String? = nil, commandID: String? = nil
  ) {
    self.cause = cause
    self.step = step
    self.code = code
    self.message = message
    self.by = by
    self.reason = reason
    self.from = from
    self.commandID = commandID
  }
}

/// A member of the workflow's `output` that could not be made. The output has null in its place.
public struct OutputError: Sendable, Hashable {
  /// The member: an RFC 6901 JSON pointer into the output. Empty for the whole output.
  public let path: String
  /// The `${…}` that failed, without `${` and `}`. Nil in histories of older versions, which have one failure for the
  /// whole output.
  public let expression: String?
  let failure: StepFailure

  public var code: String { failure.code }
  public var message: String { failure.message }

  init(path: String, expression: String?, _ failure: StepFailure) {
    self.path = path
    self.expression = expression
    self.failure = failure
  }
}

/// How a compensation came to its end.
public enum UndoSuccess: String, Sendable, Hashable, CaseIterable {
  case answered
  /// The participant had nothing by that name any more (404, 410).
  case alreadyGone
}

/// What an operator found out about a step by looking at the world.
public enum Resolution: Sendable, Hashable {
  /// The step did happen; its output, as far as later steps need it.
  case happened(output: JSON)
  /// The step did not happen.
  case didNotHappen
  /// What the step did has been undone by hand.
  case undone

  public var word: String {
    switch self {
    case .happened: "happened"
    case .didNotHappen: "didNotHappen"
    case .undone: "undone"
    }
  }
}
