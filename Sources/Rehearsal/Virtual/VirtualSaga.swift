import JSON
import SagaCore
import Values
import Workflows

/// One saga of a workflow, with everything that happens to it. `run` plays it with the engine's real core, and skips
/// the time between happenings. The same plan always gives the same run.
public struct VirtualSaga: Sendable {
  public let definition: WorkflowDefinition
  public var input: JSON
  public var key: String?
  public var tags: [String] = []
  public var by = "rehearsal"
  /// 1 March 2026, 08:00 UTC, unless the caller sets it.
  public var startedAt = Timestamp(milliseconds: 1_772_352_000_000)
  /// Decides the saga's id.
  public var seed: UInt64 = 1
  /// Signals and operators' requests, each at its time after the start.
  public var acts: [VirtualAct] = []
  /// Each happens once.
  public var crashes: [VirtualCrash] = []
  /// Whether every participant refuses a command that comes after its undo (`docs/participants.md`, rule 4).
  public var keepsTombstones = true
  /// The steps and groups with `concurrency` whose turn never comes. Every other turn comes at once.
  public var turnsNever: Set<String> = []
  public var budget = VirtualBudget.standard
  private let digest: String

  public init(_ definition: WorkflowDefinition, input: JSON) {
    self.definition = definition
    self.input = input
    digest = Digest.hex(definition.source.bytes(.canonical))
  }

  /// The id of the saga. It follows from the seed and the time of the start.
  public var id: UniqueID {
    var random = SeededRandom(seed: seed)
    return .version7(at: startedAt, random: (random.next(), random.next()))
  }

  /// Plays the saga until nothing more can happen: it has ended, or it is stuck and no act is left. Work that takes
  /// effect after the saga's end is played, too.
  /// - Parameters:
  ///   - people: returns the acts that follow when a step, or an undo, begins to wait for a signal.
  ///   - participant: returns what the participant of a call does.
  /// - Throws: `rehearsal.budget`; `input.invalid` when the schema refuses the input; a `history.impossible` of the core.
  public func run(
    people: (VirtualWait) -> [VirtualAct] = { _ in [] }, participant: (VirtualCall) -> PlannedAnswer
  ) throws(RehearsalError) -> VirtualRun {
    var record: VirtualRecord?
    return try run(from: nil, people: people, participant: participant, record: &record)
  }

  /// Plays the saga as `run` does.
  /// - Parameters:
  ///   - stage: the stage of a run whose plan gives the same answers up to there; nil plays from the start.
  ///   - record: gets the questions of the run; nil records none.
  func run(
    from stage: VirtualStage?, people: (VirtualWait) -> [VirtualAct], participant: (VirtualCall) -> PlannedAnswer,
    record: inout VirtualRecord?
  ) throws(RehearsalError) -> VirtualRun {
    var played: VirtualStage
    if let stage {
      played = stage
      played.follow(self)
    } else {
      if let refusal = definition.refusal(ofInput: input) { throw RehearsalError(refusal.code, refusal.message) }
      played = VirtualStage(self)
      try played.begin()
    }
    try played.play(people: people, participant: participant, record: &record)
    return try played.result()
  }

  var start: SagaStart {
    SagaStart(
      id: id, workflow: definition.name, version: definition.version,
      definitionDigest: digest, steps: definition.steps.map(\.id),
      input: input, deadline: startedAt + definition.timeout, idempotencyKey: key, tags: tags, by: by)
  }
}

/// What happened in one run of a virtual saga.
public struct VirtualRun: Sendable {
  /// An act that the saga refused.
  public struct RefusedAct: Sendable, Hashable {
    public let at: Timestamp
    public let command: SagaCommand
    public let refusal: Refusal
  }

  public let state: SagaState
  public let events: [SagaEvent]
  /// In the order in which the engine sent them.
  public let calls: [SentCall]
  public let refusals: [RefusedAct]
  public let account: ParticipantAccount
  /// The restarts of the engine.
  public let restarts: [Timestamp]
  /// The time of the last happening.
  public let quietAt: Timestamp
  let recorded: RecordedOutcomes

  /// The status in which the run stopped.
  public var status: SagaStatus { state.status }

  /// Returns whether the engine has recorded that a step failed going forward.
  public func failed(_ step: String) -> Bool {
    recorded.failed.contains(step)
  }

  /// Returns whether the engine has recorded that a step succeeded, in any round.
  public func succeeded(_ step: String) -> Bool {
    recorded.succeeded.contains(step) || state.step(step)?.outcome == .succeeded
  }

  /// Returns whether a step was skipped, by its condition or by an operator.
  public func skipped(_ step: String) -> Bool {
    recorded.skipped.contains(step)
  }

  /// The steps that the engine has recorded as undone, in the order of their undos.
  public var undone: [String] {
    events.compactMap { ($0.what as? UndoSucceeded)?.step }
  }
}

/// The steps that the events of a run name by how they came out. They are collected while the run is played, because the
/// exploration asks for them of each step.
struct RecordedOutcomes: Sendable {
  private(set) var succeeded: Set<String> = []
  private(set) var failed: Set<String> = []
  /// By their conditions, or by an operator.
  private(set) var skipped: Set<String> = []

  mutating func note(_ event: SagaEvent) {
    switch event.what {
    case let event as StepSucceeded: succeeded.insert(event.step)
    case let event as StepFailed: failed.insert(event.step)
    case let event as StepSkipped: skipped.insert(event.step)
    case let event as OperatorSkipped: skipped.insert(event.step)
    default: break
    }
  }
}
