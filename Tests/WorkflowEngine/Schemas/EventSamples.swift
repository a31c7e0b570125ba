import JSON
import Values

@testable import WorkflowEngine

/// Events of every kind. The first of a kind has every member that there is, the second as few as there can be.
enum EventSamples {
  static let at = Timestamp(milliseconds: 1_772_352_000_000)
  static let later = Timestamp(milliseconds: 1_772_352_061_250)
  static let id = UniqueID.version7(at: at, random: (7, 11))

  static let fullFailure = StepFailure(
    code: "QC_FAILED", classes: ["http.422", "http.4xx"], message: "The concentration is too low.", isRetryable: true,
    retryAfter: .milliseconds(2_500), isGone: true, keepsTombstones: true)
  static let bareFailure = StepFailure(code: "timeout", message: "No answer came in time.")

  static let fullAct = OperatorAct(
    by: "mara", reason: "The freezer is back.", from: "cli 10.0.0.7", commandID: "ticket-4711",
    commandDigest: "9f86d081884c7d65")
  static let bareAct = OperatorAct(by: "mara", reason: "Done by hand.")
  private static let acts = [fullAct, bareAct]

  static func of(_ kind: SagaEvent.Kind) -> [SagaEvent] {
    occurrences(kind).map { SagaEvent(at: at, $0) }
  }

  static let all: [SagaEvent] = SagaEvent.Kind.allCases.flatMap(of)

  private static func occurrences(_ kind: SagaEvent.Kind) -> [SagaEvent.Occurrence] {
    switch kind {
    case .sagaStarted: starts
    case .stepSkipped: [.stepSkipped(step: "storeSample"), .stepSkipped(step: "notify")]
    case .waitStarted:
      [
        .waitStarted(step: "approve", until: later, signal: "approval"),
        .waitStarted(step: "approve", until: nil, signal: nil),
      ]
    case .attemptStarted:
      StepPhase.allCases.map {
        .attemptStarted(step: "createSample", phase: $0, round: 1, attempt: 2, deadline: later)
      }
    case .attemptFailed:
      [
        .attemptFailed(
          step: "createSample", phase: .forward, attempt: 1, isUnknown: true, failure: fullFailure, retryAt: later),
        .attemptFailed(
          step: "createSample", phase: .undo, attempt: 3, isUnknown: false, failure: bareFailure, retryAt: later),
      ]
    case .attemptNotMade:
      [
        .attemptNotMade(step: "createSample", phase: .forward, attempt: 1, failure: fullFailure, retryAt: later),
        .attemptNotMade(step: "createSample", phase: .undo, attempt: 1, failure: bareFailure, retryAt: later),
      ]
    case .stepProgressed:
      [
        .stepProgressed(
          step: "createSample", phase: .forward, attempt: 1,
          progress: StepProgress(message: "12 of 30 plates", fraction: 0.4)),
        .stepProgressed(
          step: "createSample", phase: .undo, attempt: 2, progress: StepProgress(message: "Looking for the tube.")),
      ]
    case .answerIgnored: ignored
    case .stepSucceeded:
      [
        .stepSucceeded(step: "createSample", output: StepOutput(problem: fullFailure), isPivot: true),
        .stepSucceeded(step: "createSample", output: .null, isPivot: false),
        .stepSucceeded(step: "createSample", output: ["id": "S-000017", "volumeUl": 500], isPivot: true),
      ]
    case .stepFailed: failures
    case .signalReceived:
      [
        .signalReceived(
          SignalGiven(name: "approval", id: "scan-17", body: ["approved": true], by: "mara", from: "rest 10.0.0.7"),
          step: "approve"),
        .signalReceived(SignalGiven(name: "approval", body: .null, by: "lims"), step: nil),
      ]
    case .signalRefused:
      [
        .signalRefused(
          SignalRefusal(
            name: "approval", id: "scan-18", digest: "9f86d081884c7d659a2feaa0c55ad015", bytes: 18,
            body: ["approved": false], by: "mara", from: "rest 10.0.0.7", code: "signal.refused",
            message: "The step approve doesn't accept this body; it goes on waiting.", step: "approve")),
        .signalRefused(
          SignalRefusal(
            name: "approval", id: nil, digest: "9f86d081884c7d659a2feaa0c55ad015", bytes: 5_000, body: nil, by: "lims",
            from: nil, code: "signal.tooLate", message: "No step waits for the signal any more.", step: nil)),
      ]
    case .keptSignalTaken:
      ["approve", "storeSample"].map { .keptSignalTaken(name: "approval", step: $0, received: 2) }
    case .keptSignalRefused:
      [
        .keptSignalRefused(name: "approval", step: "approve", received: 2),
        .keptSignalRefused(name: "approval", step: "approveAgain", received: nil),
      ]
    case .turnBackRequested: turnBacks.map { .turnBackRequested($0) }
    case .turnBackLapsed: [.turnBackLapsed, .turnBackLapsed]
    case .turnedBack: turnBacks.map { .turnedBack($0) }
    case .undoSucceeded: UndoSuccess.allCases.map { .undoSucceeded(step: "createSample", how: $0) }
    case .undoFailed:
      [
        .undoFailed(step: "createSample", failure: fullFailure, blocks: true),
        .undoFailed(step: "createSample", failure: bareFailure, blocks: false),
      ]
    case .operatorRetried:
      [
        .operatorRetried(step: "createSample", phase: .forward, input: ["barcode": "TUBE-0002"], fullAct),
        .operatorRetried(step: "createSample", phase: .undo, input: nil, bareAct),
      ]
    case .operatorResolved: resolutions
    case .stepOverdue:
      [
        .stepOverdue(
          step: "createSample", phase: .forward,
          StepOverdue(since: at, expected: .learned(.milliseconds(20_480), samples: 412))),
        .stepOverdue(
          step: "createSample", phase: .undo, StepOverdue(since: at, expected: .declared(.seconds(600)))),
      ]
    case .sagaOverdue: [.sagaOverdue, .sagaOverdue]
    case .sagaCompleted:
      [
        .sagaCompleted(
          output: ["sample": "S-000017", "lane": .null],
          errors: [
            OutputError(path: "", expression: nil, fullFailure),
            OutputError(
              path: "/lane", expression: "steps.book.output.lane",
              StepFailure(code: "expression.empty", message: "Nothing is found.")),
          ]),
        .sagaCompleted(output: .null, errors: []),
      ]
    case .sagaCompensated: [.sagaCompensated, .sagaCompensated]
    case .sagaAbandoned:
      acts.map { .sagaAbandoned($0) }
    case .sagaPaused: acts.map { .sagaPaused($0) }
    case .sagaResumed: acts.map { .sagaResumed($0) }
    case .operatorSkipped:
      [
        .operatorSkipped(step: "createSample", output: ["id": "S-000017"], isPivot: true, fullAct),
        .operatorSkipped(step: "createSample", output: nil, isPivot: false, bareAct),
      ]
    case .operatorRanNow:
      [
        .operatorRanNow(steps: ["createSample", "storeSample"], fullAct),
        .operatorRanNow(steps: ["createSample"], bareAct),
      ]
    case .operatorExtended:
      [
        .operatorExtended(step: "createSample", until: later, fullAct),
        .operatorExtended(step: nil, until: later, bareAct),
      ]
    case .rewindStarted:
      [
        .rewindStarted(step: "createSample", steps: ["createSample", "storeSample"], fullAct),
        .rewindStarted(step: "storeSample", steps: ["storeSample"], bareAct),
      ]
    case .rewindFinished:
      [
        .rewindFinished(step: "createSample", steps: ["createSample", "storeSample"]),
        .rewindFinished(step: "storeSample", steps: ["storeSample"]),
      ]
    }
  }

  static func start(idempotencyKey: String?, tags: [String], from: String? = nil) -> SagaStart {
    SagaStart(
      id: id, workflow: "sample-processing", version: 1,
      definitionDigest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
      steps: ["createSample", "approve", "storeSample"], input: ["barcode": "TUBE-0001", "volumeUl": 500],
      deadline: later, idempotencyKey: idempotencyKey, tags: tags, by: "lims", from: from)
  }

  private static let starts: [SagaEvent.Occurrence] = [
    .sagaStarted(
      start(idempotencyKey: "ORD-2026-0417/TUBE-0001", tags: ["ORD-2026-0417"], from: "rest 10.0.0.7")),
    .sagaStarted(start(idempotencyKey: nil, tags: [])),
  ]

  private static let ignored: [SagaEvent.Occurrence] =
    IgnoredAnswer.Why.allCases.flatMap { why in
      ["failed", "succeeded", "unknown", "progress"].map { outcome in
        .answerIgnored(
          step: "createSample", phase: outcome == "unknown" ? .undo : .forward, attempt: 1,
          answer: IgnoredAnswer(
            round: 1, id: "saga.replies/3/1042", outcome: outcome, code: outcome == "failed" ? "QC_FAILED" : nil,
            why: why))
      }
    }

  private static let failures: [SagaEvent.Occurrence] =
    FailureConsequence.allCases.flatMap { consequence in
      RoundOutcome.allCases.flatMap { outcome -> [SagaEvent.Occurrence] in
        [fullFailure, bareFailure].map {
          .stepFailed(step: "createSample", outcome: outcome, failure: $0, consequence: consequence)
        }
      }
    }

  private static let turnBacks: [TurnBack] = [
    TurnBack(
      cause: .cancelled, step: "createSample", code: "saga.cancelled", message: "The saga was cancelled.", by: "mara",
      reason: "The order was withdrawn.", from: "kafka saga.commands", commandID: "kafka:/lims#17"),
    TurnBack(cause: .timeout, code: "saga.timeout", message: "The saga's time is up."),
    TurnBack(cause: .stepFailed, step: "createSample", code: "http.422", message: "The concentration is too low."),
  ]

  private static let resolutions: [SagaEvent.Occurrence] = [
    .operatorResolved(
      step: "createSample", resolution: .happened(output: ["id": "S-000017"]), isPivot: true, goesOn: true, fullAct),
    .operatorResolved(
      step: "createSample", resolution: .didNotHappen, isPivot: false, goesOn: false, bareAct),
    .operatorResolved(
      step: "createSample", resolution: .undone, isPivot: false, goesOn: false, bareAct),
  ]
}
