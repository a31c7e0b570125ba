import Foundation
import JSON
import TestSupport
import Testing
import Values

@testable import SagaCore

@Suite("The whole table of a step's states and events", .timeLimit(.minutes(15)), .inTurn)
struct TransitionTests {
  static let now = Timestamp(milliseconds: 1_772_352_000_000)
  static let failure = StepFailure(code: "X", message: "x")
  static let act = OperatorAct(by: "m", reason: "r")
  static let answer = StepStage.Polling.Answer(status: 200, digest: "d", shown: nil, since: now)

  /// A step in every state that makes a difference, each reached by events alone.
  static let states: [String: [any SagaEventContent]] = {
    let attempt: any SagaEventContent = AttemptStarted(
      step: "s", phase: .forward, round: 1, attempt: 1, deadline: now)
    let undo: any SagaEventContent = AttemptStarted(
      step: "s", phase: .undo, round: 1, attempt: 1, deadline: now)
    let offered: any SagaEventContent = AttemptStarted(
      step: "s", phase: .forward, round: 1, attempt: 1, deadline: now, queue: "q")
    let undoOffered: any SagaEventContent = AttemptStarted(
      step: "s", phase: .undo, round: 1, attempt: 1, deadline: now, queue: "q")
    let poll: any SagaEventContent = PollStarted(step: "s", every: .seconds(60), until: now)
    let succeeded = [attempt, StepSucceeded(step: "s", output: .null, isPivot: false)]
    func failed(_ consequence: FailureConsequence, _ outcome: RoundOutcome = .unknown) -> [any SagaEventContent] {
      [attempt, StepFailed(step: "s", outcome: outcome, failure: failure, consequence: consequence)]
    }
    func backingOff(_ isUnknown: Bool) -> [any SagaEventContent] {
      [
        attempt,
        AttemptFailed(step: "s", phase: .forward, attempt: 1, isUnknown: isUnknown, failure: failure, retryAt: now),
      ]
    }
    return [
      "pending": [],
      "skipped": [StepSkipped(step: "s")],
      "queued": [TurnAsked(step: "s", phase: .forward, key: "k", limit: 1, until: now)],
      "waiting": [WaitStarted(step: "s", until: nil, signal: "go", remindAt: now)],
      "waiting for a time": [WaitStarted(step: "s", until: now, signal: nil)],
      "waiting for a child": [attempt, ChildStarted(step: "s", child: EventSamples.child)],
      "polling": [poll],
      "polling, look under way": [poll, attempt],
      "running": [attempt],
      "offered": [offered],
      "taken": [offered, taken(.forward)],
      "open": [GroupOpened(step: "s", until: now)],
      "backingOff": backingOff(false),
      "backingOff, unknown": backingOff(true),
      "succeeded": succeeded,
      "failed": failed(.turnsBack),
      "failed, blocking": failed(.blocks, .failed),
      "failed, unknown, blocking": failed(.blocks),
      "undoing, attempt under way": succeeded + [undo],
      "undoing, between attempts": succeeded + [
        undo, AttemptFailed(step: "s", phase: .undo, attempt: 1, isUnknown: true, failure: failure, retryAt: now),
      ],
      "undoing, waiting": succeeded + [
        WaitStarted(step: "s", until: now, signal: "go", remindAt: now, phase: .undo)
      ],
      "undoing, waiting for a child": succeeded + [
        undo, ChildStarted(step: "s", child: EventSamples.child, phase: .undo, until: now),
      ],
      "undoing, offered": succeeded + [undoOffered],
      "undoing, taken": succeeded + [undoOffered, taken(.undo)],
      "undone": succeeded + [undo, UndoSucceeded(step: "s", how: .answered)],
      "undoFailed": succeeded + [UndoFailed(step: "s", failure: failure, blocks: false)],
      "undoFailed, blocking": succeeded + [UndoFailed(step: "s", failure: failure, blocks: true)],
    ]
  }()

  private static func taken(_ phase: StepPhase) -> any SagaEventContent {
    TaskTaken(step: "s", phase: phase, round: 1, attempt: 1, worker: "w", lease: "l")
  }

  static let events: [String: any SagaEventContent] = [
    "stepSkipped": StepSkipped(step: "s"),
    "waitStarted": WaitStarted(step: "s", until: nil, signal: nil),
    "waitStarted undo": WaitStarted(step: "s", until: nil, signal: "go", phase: .undo),
    "waitReminded": WaitReminded(step: "s", number: 1, next: nil),
    "groupOpened": GroupOpened(step: "s", until: nil),
    "itemsOpened": ItemsOpened(step: "s", count: 2, digest: "d"),
    "itemsUndone": ItemsUndone(step: "s"),
    "turnAsked forward": TurnAsked(step: "s", phase: .forward, key: "k", limit: 1, until: now),
    "turnAsked undo": TurnAsked(step: "s", phase: .undo, key: "k", limit: 1),
    "turnTaken": TurnTaken(step: "s", phase: .forward, key: "k"),
    "turnReleased": TurnReleased(step: "s", key: "k"),
    "pollStarted": PollStarted(step: "s", every: .seconds(60), until: nil),
    "pollAnswered": PollAnswered(step: "s", look: 1, lookedAt: now, attempt: nil, answer: answer, next: now),
    "pollAnswered, attempt": PollAnswered(step: "s", look: 1, lookedAt: now, attempt: 1, answer: answer, next: now),
    "attemptFailed, look": AttemptFailed(
      step: "s", phase: .forward, attempt: 1, isUnknown: false, failure: failure, retryAt: now, look: 1),
    "childStarted": ChildStarted(step: "s", child: EventSamples.child),
    "childStarted undo": ChildStarted(step: "s", child: EventSamples.child, phase: .undo),
    "attemptStarted forward": AttemptStarted(step: "s", phase: .forward, round: 1, attempt: 2, deadline: now),
    "attemptStarted undo": AttemptStarted(step: "s", phase: .undo, round: 1, attempt: 2, deadline: now),
    "taskTaken forward": taken(.forward),
    "taskTaken undo": taken(.undo),
    "attemptFailed forward": AttemptFailed(
      step: "s", phase: .forward, attempt: 1, isUnknown: false, failure: failure, retryAt: now),
    "attemptFailed undo": AttemptFailed(
      step: "s", phase: .undo, attempt: 1, isUnknown: false, failure: failure, retryAt: now),
    "attemptNotMade forward": AttemptNotMade(step: "s", phase: .forward, attempt: 1, failure: failure, retryAt: now),
    "attemptNotMade undo": AttemptNotMade(step: "s", phase: .undo, attempt: 1, failure: failure, retryAt: now),
    "stepProgressed forward": StepProgressed(
      step: "s", phase: .forward, attempt: 1, progress: StepProgress(message: "m", fraction: 0.5)),
    "stepProgressed undo": StepProgressed(
      step: "s", phase: .undo, attempt: 1, progress: StepProgress(message: "m", fraction: 0.5)),
    "stepSucceeded": StepSucceeded(step: "s", output: .null, isPivot: false),
    "stepFailed": StepFailed(step: "s", outcome: .failed, failure: failure, consequence: .turnsBack),
    "undoSucceeded": UndoSucceeded(step: "s", how: .answered),
    "undoFailed": UndoFailed(step: "s", failure: failure, blocks: true),
    "operatorRetried forward": OperatorRetried(step: "s", phase: .forward, input: nil, act: act),
    "operatorRetried with input": OperatorRetried(step: "s", phase: .forward, input: [:], act: act),
    "operatorRetried undo": OperatorRetried(step: "s", phase: .undo, input: nil, act: act),
    "operatorResolved happened": OperatorResolved(
      step: "s", resolution: .happened(output: .null), isPivot: false, consequence: .turnsBack, act: act),
    "operatorResolved didNotHappen": OperatorResolved(
      step: "s", resolution: .didNotHappen, isPivot: false, consequence: .turnsBack, act: act),
    "operatorResolved undone": OperatorResolved(
      step: "s", resolution: .undone, isPivot: false, consequence: .turnsBack, act: act),
    "operatorSkipped": OperatorSkipped(step: "s", output: nil, isPivot: false, act: act),
    "operatorRanNow": OperatorRanNow(steps: ["s"], act: act),
    "operatorExtended": OperatorExtended(step: "s", until: now, act: act),
    "stepOverdue forward": StepOverdue(
      step: "s", phase: .forward, lateness: StepLateness(since: now, expected: .declared(.seconds(1)))),
    "stepOverdue undo": StepOverdue(
      step: "s", phase: .undo, lateness: StepLateness(since: now, expected: .declared(.seconds(1)))),
    "rewindStarted": RewindStarted(step: "s", steps: ["s"], act: act),
    "rewindFinished": RewindFinished(step: "s", steps: ["s"]),
  ]

  /// The table in `docs/state-diagram.md`, as "from | event" → "to".
  static let documented: [String: String] = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let page = (try? String(contentsOf: root.appendingPathComponent("docs/state-diagram.md"), encoding: .utf8)) ?? ""
    var table: [String: String] = [:]
    for line in page.split(separator: "\n") where line.hasPrefix("| ") {
      let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      if cells.count == 3, cells[0] != "from", cells[0] != "---" { table["\(cells[0]) | \(cells[1])"] = cells[2] }
    }
    return table
  }()

  /// A saga of one step.
  static func saga(after events: [any SagaEventContent]) throws -> SagaState {
    let start = SagaStart(
      id: SagaSpecification.id, workflow: "w", version: 1, definitionDigest: "d", steps: ["s"], input: .null,
      deadline: now, idempotencyKey: nil, tags: [], by: "m")
    return try SagaState(folding: ([SagaStarted(start)] + events).map { SagaEvent(at: now, $0) })
  }

  /// The name of a state in the table.
  static func name(of step: StepState) -> String {
    switch step.status {
    case .running where step.isOpenGroup: "open"
    case .waiting where step.isQueued: "queued"
    case .running where step.isOnlyOffered: "offered"
    case .running where step.offer != nil: "taken"
    case .undoing where step.isOnlyOffered: "undoing, offered"
    case .undoing where step.offer != nil: "undoing, taken"
    case .undoing where step.awaitedUndoChild != nil: "undoing, waiting for a child"
    case .undoing where step.undoWait != nil: "undoing, waiting"
    case .waiting where step.polling != nil: "polling"
    case .running where step.polling != nil: "polling, look under way"
    case .waiting where step.awaitedChild != nil: "waiting for a child"
    case .undoing: step.inFlight == nil ? "undoing, between attempts" : "undoing, attempt under way"
    case .waiting: step.wait?.signal == nil && step.wait?.until != nil ? "waiting for a time" : "waiting"
    case .backingOff: step.outcome == .unknown ? "backingOff, unknown" : "backingOff"
    case .failed where step.isBlocked: step.outcome == .unknown ? "failed, unknown, blocking" : "failed, blocking"
    case .undoFailed where step.isBlocked: "undoFailed, blocking"
    case .pending, .running, .succeeded, .failed, .skipped, .undone, .undoFailed: step.status.rawValue
    }
  }

  @Test("Every state × event does what the table says", arguments: states.keys.sorted(), events.keys.sorted())
  func transition(from: String, event: String) throws {
    var saga = try Self.saga(after: Self.states[from] ?? [])
    let before = saga.steps[0]
    #expect(Self.name(of: before) == from)
    let content = try #require(Self.events[event])
    if content is RewindFinished {
      saga.rewind = Rewind(step: "s", steps: ["s"], at: Self.now, by: "m", reason: "r")
    }
    var isTaken = true
    do { try saga.evolve(SagaEvent(at: Self.now, content)) } catch { isTaken = false }
    let after = saga.steps[0]
    let documented = Self.documented["\(from) | \(event)"]
    #expect((isTaken ? Self.name(of: after) : nil) == documented)
    if !isTaken { #expect(after == before, "a refused event changes nothing") }
  }

  @Test("An ignored answer is recorded in every state, and changes none", arguments: states.keys.sorted())
  func ignoredAnswer(state: String) throws {
    let start = SagaStart(
      id: SagaSpecification.id, workflow: "w", version: 1, definitionDigest: "d", steps: ["s"], input: .null,
      deadline: Self.now, idempotencyKey: nil, tags: [], by: "m")
    let events = try [SagaStarted(start)] + #require(Self.states[state])
    let before = try SagaState(folding: events.map { SagaEvent(at: Self.now, $0) })
    let answer = IgnoredAnswer(round: 1, id: "m", outcome: "failed", code: "X", why: .late)
    let event = SagaEvent(at: Self.now, AnswerIgnored(step: "s", phase: .forward, attempt: 1, answer: answer))
    var expected = before
    expected.version += 1
    #expect(try SagaState.evolve(before, event) == expected)
    let astray = SagaEvent(at: Self.now, AnswerIgnored(step: "t", phase: .forward, attempt: 1, answer: answer))
    #expect(throws: HistoryError.self) { try SagaState.evolve(before, astray) }
  }

  @Test("The table names only existing states and events")
  func tableIsKnown() {
    #expect(Self.documented.count == 180)
    for row in Self.documented.keys {
      let parts = row.components(separatedBy: " | ")
      #expect(Self.states[parts[0]] != nil && Self.events[parts[1]] != nil, "\(row)")
    }
    #expect(
      Set(StepStatus.allCases.map(\.rawValue)).isSubset(
        of: Set(Self.states.keys.map { $0.split(separator: ",").first.map(String.init) ?? "" })))
  }
}
