import SagaCore
import Workflows

/// How a saga came out under its faults.
public struct ExploredRun: Sendable, Hashable {
  /// What goes wrong; empty for a run on which nothing does.
  public let faults: [Fault]
  /// What makes the fault possible: the saga turns back because of it, or a condition holds because of it. Usually none
  /// or one.
  public let causes: [Fault]
  /// The index of the route.
  public let route: Int
  /// Nil when the saga did not come to rest.
  public let end: Invariant.End?
  /// The code for which the saga turned back, and the step that failed.
  public let turnedBack: TurnedBackBy?
  /// The steps whose work was really undone, in the order of the undos. A step with `forEach` is named when most of its
  /// items were undone, and else each such item.
  public let undone: [String]
  /// The steps and the items whose work was really undone, each by itself.
  let undoneOneByOne: [String]
  /// The steps whose work happened and is in effect at the end. A step that only reads is not one of them.
  public let inEffect: [String]
  /// The steps on which the saga is stuck.
  public let stuckOn: [StuckStep]
  /// The steps on which the saga was stuck until its timeout, or that of a group, started compensation: no operator acts in
  /// a run.
  public let stuckUntilTimeout: [String]
  /// The steps that failed, and that the saga passed.
  public let passedFailures: [String]
  public let skipped: [String]
  /// The steps that ran: their work began, or they failed on purpose.
  public let ran: [String]
  /// The indexes of the workflow's invariants that the run breaks.
  public let broken: [Int]

  public struct TurnedBackBy: Sendable, Hashable {
    public let step: String?
    public let code: String
  }

  public struct StuckStep: Sendable, Hashable {
    public let step: String
    public let phase: StepPhase
  }

  init(
    _ run: VirtualRun, of definition: WorkflowDefinition, faults: [Fault], causes: [Fault] = [], route: Int = 0
  ) {
    self.faults = faults
    self.causes = causes
    self.route = route
    end = Invariant.End(run.status)
    turnedBack = run.state.turnBack.map { TurnedBackBy(step: $0.value.step, code: $0.value.code) }
    undoneOneByOne = run.account.undone
    undone = run.namingSteps(undoneOneByOne)
    inEffect = run.namingSteps(run.inEffect(of: definition))
    stuckOn = run.state.blockers.map { StuckStep(step: $0.step, phase: $0.phase) }
    // No operator acts, so a saga that waits for one turns back when its time, or that of a group, is up.
    let reason = run.state.turnBack?.value
    let isTimeout = reason?.cause == .timeout || reason?.code == EngineErrorCode.groupTimeout
    stuckUntilTimeout = run.events.compactMap { event -> String? in
      guard isTimeout, let failed = event.what as? StepFailed, failed.consequence == .blocks else { return nil }
      return failed.step
    }
    passedFailures = run.passedFailures
    skipped = definition.steps.map(\.id).filter { run.skipped($0) }
    ran = definition.steps.map(\.id).filter { RouteFinder.runs($0, in: run) }
    broken = definition.invariants.indices.filter { !definition.invariants[$0].holds(in: run, of: definition) }
  }

  /// Whether only undos go wrong, apart from the causes.
  var isOfUndo: Bool { faults.allSatisfy { $0.phase == .undo } }

  /// Whether the run came out as another one, whatever its faults were.
  public func cameOut(as other: ExploredRun) -> Bool {
    end == other.end && undone == other.undone && inEffect == other.inEffect && stuckOn == other.stuckOn
      && stuckUntilTimeout == other.stuckUntilTimeout
      && passedFailures == other.passedFailures && broken == other.broken && route == other.route
  }

  /// The steps whose work a saga that has turned back leaves in effect, although the workflow says how to undo it.
  public func leftBehind(of definition: WorkflowDefinition) -> [String] {
    guard end == .compensated else { return [] }
    return inEffect.filter { step in
      if case .undo? = definition.step(ItemID.step(of: step))?.compensation { true } else { false }
    }
  }
}

extension VirtualRun {
  /// Returns the steps whose work is in effect at the end. A step that only reads leaves nothing.
  func inEffect(of definition: WorkflowDefinition) -> [String] {
    account.inEffect.filter { definition.step(ItemID.step(of: $0))?.changesSomething ?? true }
  }
}

extension VirtualRun {
  /// Returns steps and items, with the step in place of its items when these are most of the items that did something.
  fileprivate func namingSteps(_ ids: [String]) -> [String] {
    func counts(_ ids: some Sequence<String>) -> [String: Int] {
      Dictionary(Set(ids).compactMap { ItemID($0) }.map { ($0.step, 1) }, uniquingKeysWith: +)
    }
    let (listed, all) = (counts(ids), counts(account.works.lazy.filter { $0.happenedAt != nil }.map(\.step)))
    var named: [String] = []
    var seen: Set<String> = []
    for id in ids {
      let step = ItemID.step(of: id)
      let name = 2 * listed[step, default: 0] > all[step, default: 0] ? step : id
      if seen.insert(name).inserted { named.append(name) }
    }
    return named
  }

  /// The steps that failed and that the saga passed, and the failed items of steps that succeeded.
  fileprivate var passedFailures: [String] {
    state.steps.flatMap { step -> [String] in
      if step.consequence == .goesOn { return [step.id] }
      guard step.status == .succeeded, let items = state.items(of: step.id), items.failures > 0 else { return [] }
      return (0..<items.begun).filter { items.status(of: $0) == .failed }.map { items[$0].id }
    }
  }
}

extension Invariant {
  /// Returns whether the invariant is true of a run.
  public func holds(in run: VirtualRun, of definition: WorkflowDefinition) -> Bool {
    holds(end: End(run.status)) { fact, step in
      switch fact {
      case .succeeded: run.succeeded(step)
      case .failed: run.failed(step)
      case .skipped: run.skipped(step)
      case .happened: run.account.happened(step)
      // A step that only reads leaves nothing.
      case .undone: !run.account.isInEffect(step) || !(definition.step(step)?.changesSomething ?? true)
      }
    }
  }
}

extension Invariant.End {
  /// - Returns: nil for a saga that still runs.
  init?(_ status: SagaStatus) {
    switch status {
    case .completed: self = .completed
    case .compensated: self = .compensated
    case .stuck: self = .stuck
    case .abandoned: self = .abandoned
    case .running, .compensating: return nil
    }
  }
}
