import JSON
import Runtime
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

/// Given a history, when a command comes, then these events follow. Time is given in milliseconds after the start.
struct SagaSpecification {
  /// The definition that the saga follows.
  private(set) var definition: WorkflowDefinition
  private(set) var state: SagaState?
  private(set) var now: Timestamp
  private(set) var log: [SagaEvent] = []
  /// The learned times of steps.
  var learned: LearnedTimes = [:]
  /// The looks that the engine remembers. A crash loses them.
  var looks = Looks()

  static let startedAt = Timestamp(milliseconds: 1_772_352_000_000)
  static let id = UniqueID.version7(at: startedAt, random: (7, 11))

  /// - Parameter steps: the workflow's `steps` as JSON text; every one gets a plain `http` action when it has none.
  init(
    _ steps: String, members: String = "", version: Int = 1, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let text = #"{"name": "spec", "version": \#(version), \#(members) "steps": \#(steps)}"#
    let result = WorkflowChecker.check(Array(text.utf8))
    definition = try #require(
      result.definition, "\(result.findings.map(\.description).joined(separator: "\n"))", sourceLocation: sourceLocation
    )
    now = Self.startedAt
  }

  static func http(_ id: String, _ more: String = "") -> String {
    #"""
    {"id": "\#(id)", "http": {"service": "lab", "method": "PUT", "path": "/\#(id)/${steps.\#(id).uuid}"},
     "compensation": {"http": {"service": "lab", "method": "DELETE", "path": "/\#(id)/${steps.\#(id).uuid}"}}\#(more.isEmpty ? "" : ", " + more)}
    """#
  }

  /// Gives a command and folds what follows.
  /// - Returns: what follows, as short words.
  @discardableResult
  mutating func when(_ command: SagaCommand, after milliseconds: Int = 0) throws -> [String] {
    now = Timestamp(milliseconds: now.milliseconds + Int64(milliseconds))
    let events = try Decider.decide(command, state, definition: definition, now: now, learned: learned)
    for event in events {
      // Every event is encoded and decoded, because the stored form counts.
      let stored = try SagaEvent(type: event.typeName, schema: SagaEvent.schema, data: JSON(parsing: event.data.text()))
      #expect(stored == event)
      #expect(EventSchemas.violations(of: event) == [])
      state = try SagaState.evolve(state, stored)
    }
    log += events
    if case .operate(let request) = command, let target = request.target,
      state?.definition.version == target.definition.version
    {
      definition = target.definition
    }
    state?.loadItems(by: definition)
    if let state {
      #expect(try SagaState(snapshotText: state.snapshotText) == state, "a snapshot gives the state back")
    }
    return events.map(\.words)
  }

  /// Folds an event that this version would not decide: a history of an older one has it.
  mutating func fold(_ what: any SagaEventContent) throws {
    state = try SagaState.evolve(state, SagaEvent(at: now, what))
  }

  /// Lets time pass without waking the saga.
  mutating func pass(_ milliseconds: Int) { now = Timestamp(milliseconds: now.milliseconds + Int64(milliseconds)) }

  @discardableResult
  mutating func start(input: JSON = .object([:])) throws -> [String] {
    try when(
      .start(
        SagaStart(
          id: Self.id, workflow: definition.name, version: definition.version, definitionDigest: "d",
          steps: definition.steps.map(\.id), input: input, deadline: Self.startedAt + definition.timeout,
          idempotencyKey: nil, tags: [], by: "test")))
  }

  @discardableResult
  mutating func succeed(_ step: String, _ output: JSON = .null) throws -> [String] {
    try settle(step, .succeeded(output))
  }

  @discardableResult
  mutating func refuse(_ step: String, _ code: String = "http.422") throws -> [String] {
    try settle(step, .failed(StepFailure(code: code, classes: ["http.4xx"], message: "no")))
  }

  @discardableResult
  mutating func lose(_ step: String, _ code: String = "timeout") throws -> [String] {
    try settle(step, .unknown(StepFailure(code: code, message: "lost", isRetryable: true)))
  }

  /// A worker takes the task that a step offers.
  @discardableResult
  mutating func takeTask(_ step: String, by worker: String = "w", lease: String = "l1") throws -> [String] {
    try when(.taken(TaskClaim(task: try task(step), worker: worker, lease: lease)))
  }

  /// A worker answers the task that a step has under way, or another one.
  @discardableResult
  mutating func answerTask(
    _ step: String, _ content: TaskAnswer.Content, lease: String = "l1", task: TaskID? = nil
  ) throws -> [String] {
    try when(.task(TaskAnswer(task: try task ?? self.task(step), lease: lease, content: content)))
  }

  /// The name of the task that a step has under way.
  func task(_ step: String) throws -> TaskID {
    try #require(state?.step(step)?.task(of: Self.id), "\(step) has no task under way")
  }

  /// Settles the attempt that is under way for a step.
  @discardableResult
  mutating func settle(_ step: String, _ outcome: StepOutcome) throws -> [String] {
    let (phase, attempt) = try #require(state?.step(step)?.inFlight, "\(step) has no attempt under way")
    return try when(.attemptSettled(step: step, phase: phase, attempt: attempt.number, outcome: outcome))
  }

  /// Moves time to the next time at which something is due, and wakes the saga.
  @discardableResult
  mutating func wakeWhenDue() throws -> [String] {
    let current = try #require(state)
    let moment = try #require(
      Decider.nextWake(of: current, definition: definition, learned: learned, looks: looks), "nothing is due")
    now = max(now, moment)
    return try when(.wake)
  }

  /// Makes the look that is due for a step, and gives the saga its end.
  /// - Parameter milliseconds: how long the look takes.
  @discardableResult
  mutating func look(
    _ step: String, _ outcome: StepOutcome, taking milliseconds: Int = 0,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> [String] {
    let call = try #require(dueLooks.first { $0.step == step }, "no look is due", sourceLocation: sourceLocation)
    looks.begin(try #require(state?.step(step)), at: now)
    pass(milliseconds)
    let command = call.report(outcome)
    if case .looked(let report) = command { looks.end(report, at: now) }
    return try when(command)
  }

  /// The looks that are due.
  var dueLooks: [StepCall] {
    guard let state else { return [] }
    return Decider.dueLooks(of: state, definition: definition, looks: looks, now: now).compactMap {
      if case .call(let call) = $0 { call } else { nil }
    }
  }

  /// When the next thing is due, in milliseconds after the start.
  var due: Int64? {
    state.flatMap { Decider.nextWake(of: $0, definition: definition, learned: learned, looks: looks) }
      .map { $0.milliseconds - Self.startedAt.milliseconds }
  }

  /// Moves time to a number of milliseconds after the start.
  mutating func move(to milliseconds: Int64) {
    now = Timestamp(milliseconds: Self.startedAt.milliseconds + milliseconds)
  }

  /// The calls that are under way, by idempotency key without the saga's id.
  var calls: [String] {
    guard let state else { return [] }
    return Decider.effects(of: state, definition: definition).compactMap { effect in
      guard case .call(let call) = effect else { return nil }
      return String(call.idempotencyKey.dropFirst(37))
    }
  }

  var status: SagaStatus? { state?.status }
}

extension SagaEvent {
  /// The event in a few words, for readable expectations.
  var words: String {
    func of(_ phase: StepPhase) -> String { (phase == .undo ? "undo " : "") + step }
    let step = self.step ?? "?"
    return switch what {
    case let event as AttemptStarted: "\(of(event.phase)) \(event.attempt)"
    case let event as TaskTaken: "\(of(event.phase)) taken by \(event.worker)"
    case let event as AttemptFailed:
      "\(of(event.phase)) \(event.isUnknown ? "unknown" : "refused") \(event.failure.code)"
    case let event as AttemptNotMade: "\(of(event.phase)) not made"
    case let event as StepProgressed: "\(of(event.phase)) \(event.attempt) “\(event.progress.message)”"
    case let event as AnswerIgnored:
      "\(of(event.phase)) \(event.attempt) \(event.answer.why.rawValue) \(event.answer.outcome)"
        + (event.answer.code.map { " \($0)" } ?? "")
    case let event as StepFailed:
      "\(step) failed \(event.outcome.rawValue) \(event.failure.code) \(event.consequence.rawValue)"
    case is StepSucceeded: "\(step) succeeded"
    case is StepSkipped: "\(step) skipped"
    case let event as WaitStarted: "\(of(event.phase)) waits"
    case let event as WaitReminded: "\(step) reminded \(event.number)"
    case is GroupOpened: "\(step) opens"
    case let event as ItemsOpened: "\(step) opens \(event.count)"
    case is ItemsUndone: "\(step) undone"
    case let event as ChildStarted: "\(of(event.phase)) waits for \(event.child.workflow)"
    case is PollStarted: "\(step) polls"
    case let event as TurnAsked: "\(event.phase == .undo ? "undo " : "")\(event.step ?? "saga") asks \(event.key)"
    case let event as TurnTaken: "\(event.phase == .undo ? "undo " : "")\(event.step ?? "saga") takes \(event.key)"
    case let event as TurnReleased: "\(step) releases \(event.key)"
    case let event as PollAnswered: "\(step) look \(event.look) \(event.answer.shown ?? "\(event.answer.status)")"
    case let event as UndoSucceeded: "\(step) undone \(event.how.rawValue)"
    case let event as UndoFailed:
      "\(step) undo failed \(event.failure.code)\(event.blocks ? " blocks" : "")\(event.isUnknown ? " unknown" : "")"
    case let event as TurnedBack: "turnedBack \(event.reason.cause.rawValue)"
    case let event as TurnBackRequested: "turnBackRequested \(event.reason.cause.rawValue)"
    case let event as OperatorRetried: "\(step) retried\(event.input == nil ? "" : " with input")"
    case let event as OperatorResolved: "\(step) resolved \(event.resolution.word)"
    case let event as SignalReceived: "signal \(event.signal.name)"
    case let event as SignalRefused: "signal \(event.refusal.name) refused \(event.refusal.code)"
    case let event as KeptSignalTaken: "kept signal \(event.name) to \(step)"
    case let event as KeptSignalRefused: "signal \(event.name) refused"
    case is OperatorSkipped: "\(step) skipped by operator"
    case let event as OperatorRanNow: "\(event.steps.joined(separator: " ")) run now"
    case let event as OperatorExtended: "\(event.step ?? "saga") extended"
    case let event as RewindStarted: "rewind \(event.steps.joined(separator: " "))"
    case let event as SagaMoved: "moved to \(event.to.version)"
    case is RewindFinished: "rewound to \(step)"
    case let event as StepOverdue: "\(of(event.phase)) overdue \(event.lateness.expected.basis.rawValue)"
    default: typeName
    }
  }
}
