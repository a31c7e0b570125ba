import JSON
import Values

@testable import SagaCore
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

  static let fullAnswer = CallAnswer(
    status: 422, headers: ["content-type": "application/json", "x-request-id": "R-17"],
    excerpt: CallExcerpt(text: #"{"code":"QC_FAILED","#, isCut: true), look: CallAnswer.AnsweredLook(number: 3, at: at))
  static let answeredFailure = fullFailure.answered(by: fullAnswer)

  static let fullAct = OperatorAct(
    by: "mara", reason: "The freezer is back.", from: "cli 10.0.0.7", commandID: "ticket-4711",
    commandDigest: "9f86d081884c7d65")
  static let bareAct = OperatorAct(by: "mara", reason: "Done by hand.")
  private static let acts = [fullAct, bareAct]

  /// - Parameter kind: the name of a kind.
  static func of(_ kind: String) -> [SagaEvent] {
    contents(kind).map { SagaEvent(at: at, $0) }
  }

  static let all: [SagaEvent] = SagaEvent.kinds.flatMap { of($0.typeName) }

  private static func contents(_ kind: String) -> [any SagaEventContent] {
    switch kind {
    case "sagaStarted": starts
    case "stepSkipped": [StepSkipped(step: "storeSample"), StepSkipped(step: "notify")]
    case "waitStarted":
      [
        WaitStarted(step: "approve", until: later, signal: "approval", remindAt: later, phase: .undo),
        WaitStarted(step: "approve", until: nil, signal: nil),
      ]
    case "waitReminded":
      [WaitReminded(step: "approve", number: 2, next: later), WaitReminded(step: "approve", number: 1, next: nil)]
    case "groupOpened": [GroupOpened(step: "thawed", until: later), GroupOpened(step: "thawed", until: nil)]
    case "itemsOpened":
      [
        ItemsOpened(step: "demultiplex", count: 96, digest: "9f86d081884c7d65"),
        ItemsOpened(step: "demultiplex", count: 0, digest: "9f86d081884c7d65"),
      ]
    case "itemsUndone": [ItemsUndone(step: "demultiplex"), ItemsUndone(step: "notify")]
    case "pollStarted":
      [
        PollStarted(step: "createSample", every: .seconds(300), until: later),
        PollStarted(step: "createSample", every: .milliseconds(100), until: nil),
      ]
    case "pollAnswered":
      [
        PollAnswered(
          step: "createSample", look: 3, lookedAt: at, attempt: 1,
          answer: StepStage.Polling.Answer(status: 200, digest: "9f86d081884c7d65", shown: "running", since: at),
          next: later, reply: fullAnswer),
        PollAnswered(
          step: "createSample", look: 1, lookedAt: at, attempt: nil,
          answer: StepStage.Polling.Answer(status: 202, digest: "9f86d081884c7d65", shown: nil, since: at), next: later),
      ]
    case "turnAsked":
      [
        TurnAsked(step: "createSample", phase: .forward, key: "HiSeq-1", limit: 2, until: later),
        TurnAsked(step: nil, phase: .forward, key: "HiSeq-1", limit: 1),
      ]
    case "turnTaken":
      [
        TurnTaken(step: "createSample", phase: .forward, key: "HiSeq-1"),
        TurnTaken(step: nil, phase: .forward, key: "HiSeq-1"),
      ]
    case "turnReleased":
      [TurnReleased(step: "createSample", key: "HiSeq-1"), TurnReleased(step: "thawed", key: "4")]
    case "childStarted":
      [
        ChildStarted(step: "createSample", child: child, phase: .undo, until: later),
        ChildStarted(step: "storeSample[A1]", child: child),
      ]
    case "sagaReopened":
      [
        SagaReopened(turnBacks[0]),
        SagaReopened(
          TurnBack(
            cause: .parent, code: "child.undone", message: "The saga that started this one undoes it.")),
      ]
    case "sagaForgotten": acts.map { SagaForgotten($0) }
    case "attemptStarted":
      StepPhase.allCases.map {
        AttemptStarted(
          step: "createSample", phase: $0, round: 1, attempt: 2, deadline: later, queue: $0 == .forward ? "robot" : nil)
      }
    case "taskTaken":
      StepPhase.allCases.map {
        TaskTaken(
          step: "createSample", phase: $0, round: 1, attempt: 1, worker: "robot-2",
          lease: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
      }
    case "attemptFailed":
      [
        AttemptFailed(
          step: "createSample", phase: .forward, attempt: 1, isUnknown: true, failure: answeredFailure, retryAt: later,
          look: 3),
        AttemptFailed(
          step: "createSample", phase: .undo, attempt: 3, isUnknown: false, failure: bareFailure, retryAt: later),
      ]
    case "attemptNotMade":
      [
        AttemptNotMade(step: "createSample", phase: .forward, attempt: 1, failure: fullFailure, retryAt: later),
        AttemptNotMade(step: "createSample", phase: .undo, attempt: 1, failure: bareFailure, retryAt: later),
      ]
    case "stepProgressed":
      [
        StepProgressed(
          step: "createSample", phase: .forward, attempt: 1,
          progress: StepProgress(message: "12 of 30 plates", fraction: 0.4)),
        StepProgressed(
          step: "createSample", phase: .undo, attempt: 2, progress: StepProgress(message: "Looking for the tube.")),
      ]
    case "answerIgnored": ignored
    case "stepSucceeded":
      [
        StepSucceeded(
          step: "createSample", output: StepOutput(problem: fullFailure, answer: fullAnswer), isPivot: true),
        StepSucceeded(step: "createSample", output: .null, isPivot: false),
        StepSucceeded(step: "createSample", output: ["id": "S-000017", "volumeUl": 500], isPivot: true),
      ]
    case "stepFailed": failures
    case "signalReceived":
      [
        SignalReceived(
          signal: SignalGiven(
            name: "approval", id: "scan-17", body: ["approved": true], by: "mara", from: "rest 10.0.0.7",
            roles: ["qa"]),
          step: "approve"),
        SignalReceived(signal: SignalGiven(name: "approval", body: .null, by: "lims"), step: nil),
      ]
    case "signalRefused":
      [
        SignalRefused(
          SignalRefusal(
            name: "approval", id: "scan-18", digest: "9f86d081884c7d659a2feaa0c55ad015", bytes: 18,
            body: ["approved": false], by: "mara", from: "rest 10.0.0.7", code: "signal.refused",
            message: "The step approve doesn't accept this body; it goes on waiting.", step: "approve")),
        SignalRefused(
          SignalRefusal(
            name: "approval", id: nil, digest: "9f86d081884c7d659a2feaa0c55ad015", bytes: 5_000, body: nil, by: "lims",
            from: nil, code: "signal.tooLate", message: "No step waits for the signal any more.", step: nil)),
      ]
    case "keptSignalTaken":
      ["approve", "storeSample"].map { KeptSignalTaken(name: "approval", step: $0, received: 2) }
    case "keptSignalRefused":
      [
        KeptSignalRefused(name: "approval", step: "approve", received: 2),
        KeptSignalRefused(name: "approval", step: "approveAgain", received: nil),
      ]
    case "turnBackRequested": turnBacks.map { TurnBackRequested($0) }
    case "turnBackLapsed": [TurnBackLapsed(), TurnBackLapsed()]
    case "turnedBack": turnBacks.map { TurnedBack($0) }
    case "undoSucceeded":
      UndoSuccess.allCases.map {
        UndoSucceeded(step: "createSample", how: $0, answer: $0 == .answered ? fullAnswer : nil)
      }
    case "undoFailed":
      [
        UndoFailed(step: "createSample", failure: answeredFailure, blocks: true, isUnknown: true),
        UndoFailed(step: "createSample", failure: bareFailure, blocks: false),
      ]
    case "operatorRetried":
      [
        OperatorRetried(step: "createSample", phase: .forward, input: ["barcode": "TUBE-0002"], act: fullAct),
        OperatorRetried(step: "createSample", phase: .undo, input: nil, act: bareAct),
      ]
    case "operatorResolved": resolutions
    case "stepOverdue":
      [
        StepOverdue(
          step: "createSample", phase: .forward,
          lateness: StepLateness(since: at, expected: .learned(.milliseconds(20_480), samples: 412))),
        StepOverdue(
          step: "createSample", phase: .undo, lateness: StepLateness(since: at, expected: .declared(.seconds(600)))),
      ]
    case "sagaOverdue": [SagaOverdue(), SagaOverdue()]
    case "sagaCompleted":
      [
        SagaCompleted(
          output: ["sample": "S-000017", "lane": .null],
          errors: [
            OutputError(path: "", expression: nil, fullFailure),
            OutputError(
              path: "/lane", expression: "steps.book.output.lane",
              StepFailure(code: "expression.empty", message: "Nothing is found.")),
          ]),
        SagaCompleted(output: .null, errors: []),
      ]
    case "sagaCompensated": [SagaCompensated(), SagaCompensated()]
    case "sagaAbandoned":
      acts.map { SagaAbandoned($0) }
    case "sagaPaused": acts.map { SagaPaused($0) }
    case "sagaResumed": acts.map { SagaResumed($0) }
    case "sagaMoved":
      [
        SagaMoved(
          from: 1,
          to: SagaDefinition(
            workflow: "sample-processing", version: 2, digest: "5feceb66", steps: ["createSample", "storeSample"]),
          deadline: later, act: fullAct),
        SagaMoved(
          from: -2, to: SagaDefinition(workflow: "sample-processing", version: -3, digest: "6b86b273", steps: []),
          act: bareAct),
      ]
    case "operatorSkipped":
      [
        OperatorSkipped(step: "createSample", output: ["id": "S-000017"], isPivot: true, act: fullAct),
        OperatorSkipped(step: "createSample", output: nil, isPivot: false, act: bareAct),
      ]
    case "operatorRanNow":
      [
        OperatorRanNow(steps: ["createSample", "storeSample"], act: fullAct),
        OperatorRanNow(steps: ["createSample"], act: bareAct),
      ]
    case "operatorExtended":
      [
        OperatorExtended(step: "createSample", until: later, act: fullAct),
        OperatorExtended(step: nil, until: later, act: bareAct),
      ]
    case "rewindStarted":
      [
        RewindStarted(step: "createSample", steps: ["createSample", "storeSample"], act: fullAct),
        RewindStarted(step: "storeSample", steps: ["storeSample"], act: bareAct),
      ]
    case "rewindFinished":
      [
        RewindFinished(step: "createSample", steps: ["createSample", "storeSample"]),
        RewindFinished(step: "storeSample", steps: ["storeSample"]),
      ]
    default: []
    }
  }

  static let child = ChildLink(
    saga: UniqueID.version7(at: at, random: (7, 23)), workflow: "deliver-results", version: 2)

  static func start(
    idempotencyKey: String?, tags: [String], from: String? = nil, title: String? = nil, labels: [Label] = [],
    parent: ParentLink? = nil
  ) -> SagaStart {
    SagaStart(
      id: id, workflow: "sample-processing", version: 1,
      definitionDigest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
      steps: ["createSample", "approve", "storeSample"], input: ["barcode": "TUBE-0001", "volumeUl": 500],
      deadline: later, idempotencyKey: idempotencyKey, tags: tags, by: "lims", from: from, title: title,
      labels: labels, parent: parent)
  }

  private static let starts: [any SagaEventContent] = [
    SagaStarted(
      start(
        idempotencyKey: "ORD-2026-0417/TUBE-0001", tags: ["ORD-2026-0417"], from: "rest 10.0.0.7", title: "TUBE-0001",
        labels: [Label("patient", "P-17"), Label("order", "ORD-2026-0417")],
        parent: ParentLink(saga: child.saga, step: "wells[A1]", key: "\(child.saga)/wells/A1/1", depth: 2)
      ).sealed),
    SagaStarted(start(idempotencyKey: nil, tags: [])),
  ]

  private static let ignored: [any SagaEventContent] =
    IgnoredAnswer.Why.allCases.flatMap { why in
      ["failed", "succeeded", "unknown", "progress"].map { outcome in
        AnswerIgnored(
          step: "createSample", phase: outcome == "unknown" ? .undo : .forward, attempt: 1,
          answer: IgnoredAnswer(
            round: 1, id: "saga.replies/3/1042", outcome: outcome, code: outcome == "failed" ? "QC_FAILED" : nil,
            why: why))
      }
    }

  private static let failures: [any SagaEventContent] =
    FailureConsequence.allCases.flatMap { consequence in
      RoundOutcome.allCases.flatMap { outcome -> [any SagaEventContent] in
        [answeredFailure, bareFailure].map {
          StepFailed(step: "createSample", outcome: outcome, failure: $0, consequence: consequence)
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

  private static let resolutions: [any SagaEventContent] = [
    OperatorResolved(
      step: "createSample", resolution: .happened(output: ["id": "S-000017"]), isPivot: true, consequence: .goesOn,
      act: fullAct
    ),
    OperatorResolved(
      step: "createSample", resolution: .didNotHappen, isPivot: false, consequence: .turnsBack, act: bareAct),
    OperatorResolved(
      step: "createSample", resolution: .undone, isPivot: false, consequence: .turnsBack, act: bareAct),
  ]
}
