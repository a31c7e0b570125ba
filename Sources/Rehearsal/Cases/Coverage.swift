import SagaCore
import Workflows

/// The paths through a workflow, and which of them the cases of its tests reach.
package struct Coverage: Sendable {
  package enum Kind: String, Sendable, Hashable, CaseIterable {
    case steps, conditions, failures, undos
  }

  /// Something that can happen to a step.
  package enum Path: Sendable, Hashable {
    case runs
    case conditionHolds
    case conditionDoesNotHold
    /// The step fails, and no attempt follows.
    case fails
    /// An attempt ends without an answer that says whether it happened.
    case outcomeUnknown
    /// The step refuses the body of a signal.
    case signalRefused
    /// No signal comes in time.
    case timesOut
    /// No answer ends the poll in time.
    case pollTimesOut
    /// The members of a group are not done in time.
    case groupTimesOut
    case undone
    /// The undo refuses the body of a signal.
    case undoSignalRefused
    /// The undo fails, and no attempt follows.
    case undoFails

    package var kind: Kind {
      switch self {
      case .runs: .steps
      case .conditionHolds, .conditionDoesNotHold: .conditions
      case .fails, .outcomeUnknown, .signalRefused, .timesOut, .pollTimesOut, .groupTimesOut: .failures
      case .undone, .undoSignalRefused, .undoFails: .undos
      }
    }
  }

  package struct Point: Sendable, Hashable {
    package let step: String
    package let path: Path

    /// What happens, as a sentence without its end.
    package var words: String {
      switch path {
      case .runs: "\(step) runs"
      case .conditionHolds: "the condition of \(step) holds"
      case .conditionDoesNotHold: "the condition of \(step) does not hold"
      case .fails: "\(step) fails for good"
      case .outcomeUnknown: "the outcome of \(step) is unknown"
      case .signalRefused: "\(step) refuses a signal"
      case .timesOut: "no signal comes for \(step)"
      case .pollTimesOut: "no answer ends the poll of \(step)"
      case .groupTimesOut: "the group \(step) is not done in time"
      case .undone: "\(step) is undone"
      case .undoSignalRefused: "the undo of \(step) refuses a signal"
      case .undoFails: "the undo of \(step) fails for good"
      }
    }
  }

  /// All paths, in the order of the steps.
  package let points: [Point]
  private var reached: Set<Point> = []
  /// The steps that fail on purpose. They have no attempt and no wait.
  private let failing: Set<String>
  /// The undos that wait for a signal, in the run that is noted.
  private var waitingUndos: Set<String> = []
  /// The group of each member of a group.
  private let groups: [String: String]

  package init(of workflow: WorkflowDefinition) {
    points = workflow.steps.flatMap { step in Self.paths(of: step).map { Point(step: step.id, path: $0) } }
    groups = Dictionary(
      workflow.steps.compactMap { step in step.group.map { (step.id, $0) } }, uniquingKeysWith: { first, _ in first })
    failing = Set(workflow.steps.compactMap { if case .fail = $0.action { $0.id } else { nil } })
  }

  private static func paths(of step: Step) -> [Path] {
    var paths: [Path] = [.runs]
    if step.when != nil { paths += [.conditionHolds, .conditionDoesNotHold] }
    switch step.action {
    case .http(let http):
      paths += http.hasSideEffect ? [.fails, .outcomeUnknown] : [.fails]
      if step.poll != nil, step.timeout != nil { paths.append(.pollTimesOut) }
    case .kafka, .task: paths += [.fails, .outcomeUnknown]
    case .workflow: paths.append(.fails)
    case .signal(let signal):
      if signal.accept != nil || signal.schema != nil { paths.append(.signalRefused) }
      if step.timeout != nil { paths.append(.timesOut) }
    case .group: if step.timeout != nil { paths.append(.groupTimesOut) }
    case .delay, .fail: break
    }
    if step.undo != nil { paths += [.undone, .undoFails] }
    if let signal = step.undoSignal, signal.accept != nil || signal.schema != nil { paths.append(.undoSignalRefused) }
    return paths
  }

  package func isReached(_ point: Point) -> Bool { reached.contains(point) }
  package var missed: [Point] { points.filter { !reached.contains($0) } }

  /// The number of paths of a kind, and of those that a case reaches.
  package func count(_ kind: Kind) -> (reached: Int, all: Int) {
    let all = points.filter { $0.path.kind == kind }
    return (all.count { reached.contains($0) }, all.count)
  }

  /// Adds the paths that a run reaches.
  package mutating func note(_ run: VirtualRun) {
    var skipped: Set<String> = []
    waitingUndos = []
    for event in run.events {
      switch event.what {
      case let event as AttemptStarted where event.phase == .forward: begin(event.step)
      case let event as WaitStarted where event.phase == .undo: waitingUndos.insert(event.step)
      case let event as WaitStarted: begin(event.step)
      case let event as PollStarted: begin(event.step)
      case let event as GroupOpened: begin(event.step)
      case let event as ItemsOpened: begin(event.step)
      case let event as StepSkipped:
        // A step is also skipped with its group. Then its own condition says nothing.
        skipped.insert(event.step)
        if groups[event.step].map({ !skipped.contains($0) }) ?? true { reach(event.step, .conditionDoesNotHold) }
      case let event as AttemptFailed where event.phase == .forward && event.isUnknown:
        reach(event.step, .outcomeUnknown)
      case let event as StepFailed: fail(event)
      case let event as SignalRefused: if let step = event.refusal.step { refuse(step) }
      case let event as KeptSignalRefused: refuse(event.step)
      case let event as UndoSucceeded:
        waitingUndos.remove(event.step)
        reach(event.step, .undone)
      case let event as UndoFailed:
        waitingUndos.remove(event.step)
        reach(event.step, .undoFails)
      default: break
      }
    }
  }

  /// - Parameter step: a step that refuses a signal, or whose undo does.
  private mutating func refuse(_ step: String) {
    reach(step, waitingUndos.contains(step) ? .undoSignalRefused : .signalRefused)
  }

  private mutating func begin(_ step: String) {
    reach(step, .runs)
    reach(step, .conditionHolds)
  }

  private mutating func fail(_ event: StepFailed) {
    if failing.contains(event.step) { begin(event.step) }
    if event.outcome == .unknown { reach(event.step, .outcomeUnknown) }
    guard event.consequence != .settles else { return }
    switch event.failure.code {
    case EngineErrorCode.signalTimeout: reach(event.step, .timesOut)
    case EngineErrorCode.pollTimeout: reach(event.step, .pollTimesOut)
    case EngineErrorCode.groupTimeout: reach(event.step, .groupTimesOut)
    default: reach(event.step, .fails)
    }
  }

  private mutating func reach(_ step: String, _ path: Path) {
    // What one item does, its step does.
    reached.insert(Point(step: ItemID.step(of: step), path: path))
  }
}
