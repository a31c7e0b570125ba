import JSON
import SagaCore
import Values
import Workflows

/// Every failure of a workflow that was played, and how it came out.
public struct Exploration: Sendable {
  public let definition: WorkflowDefinition
  /// The first route, and the routes on which conditions come out differently.
  public let routes: [Route]
  /// How each route comes out when nothing fails.
  public internal(set) var routeRuns: [ExploredRun] = []
  /// One fault each, in the order of the steps.
  public internal(set) var runs: [ExploredRun] = []
  public internal(set) var pairs: PairExploration?
  /// What could not be explored, and why.
  public internal(set) var gaps: [Gap] = []

  public enum Gap: Sendable, Hashable {
    /// The first route does not complete: with these answers, a step fails with this.
    case incomplete(step: String?, message: String)
    /// No run reaches the step.
    case neverRuns(String)
    /// No run passes the step by.
    case neverSkipped(String)
    /// The undo of the step begins in no run.
    case undoNeverRuns(String)
    /// No body was found with which the fault happens.
    case bodyNotFound(Fault)
  }

  /// Two faults at a time.
  public struct PairExploration: Sendable {
    /// The number of pairs that exist.
    public internal(set) var count = 0
    /// The number of pairs that were played.
    public internal(set) var played = 0
    public internal(set) var ends: [Invariant.End: Int] = [:]
    /// The pairs that break an invariant, get stuck, or leave work behind, where neither fault alone does.
    public internal(set) var news: [News] = []
    /// The number of further such pairs.
    public internal(set) var omitted = 0

    public struct News: Sendable, Hashable {
      public let run: ExploredRun
      /// The invariants that only the pair breaks.
      public let broken: [Int]
      /// Whether only the pair gets stuck.
      public let isStuck: Bool
      /// The steps whose work only the pair leaves behind.
      public let leftBehind: [String]
    }
  }

  /// All runs, also those of pairs that are listed.
  public var all: [ExploredRun] { routeRuns + runs + (pairs?.news.map(\.run) ?? []) }

  /// Returns the runs that break an invariant.
  public func runs(breaking invariant: Int) -> [ExploredRun] { all.filter { $0.broken.contains(invariant) } }

  public var isBroken: Bool { all.contains { !$0.broken.isEmpty } }

  /// The runs with one fault, or none, that end so.
  public func count(_ end: Invariant.End) -> Int { (routeRuns + runs).count { $0.end == end } }

  /// The runs in which a compensated saga leaves work that the workflow says how to undo.
  public var leftBehind: [ExploredRun] {
    (routeRuns + runs).filter { !$0.leftBehind(of: definition).isEmpty }
  }

  // MARK: Never undone

  public enum WhyNeverUndone: String, Sendable, Hashable, CaseIterable {
    /// The step is a pivot.
    case pivot
    /// The step comes behind a pivot.
    case behindPivot
    /// The file says that nothing must be undone.
    case saysNone
    /// The file doesn't say how to undo it.
    case noCompensation
    /// It has an undo, and no failure makes the saga use it.
    case neverTurnsBack
  }

  /// The steps that change something, happen in some run, and are undone in none.
  public var neverUndone: [(step: String, why: WhyNeverUndone)] {
    let runs = routeRuns + self.runs
    return definition.steps.compactMap { step in
      guard step.changesSomething, runs.contains(where: { $0.inEffect.contains(step.id) }),
        !runs.contains(where: { $0.undone.contains(step.id) })
      else { return nil }
      return (step.id, why(step))
    }
  }

  private func why(_ step: Step) -> WhyNeverUndone {
    if step.pivot { return .pivot }
    switch step.compensation {
    case .none: return .saysNone
    case .unspecified: return .noCompensation
    case .undo:
      let isBehind = definition.pivots.contains { definition.ancestors[step.index].contains($0) }
      return isBehind ? .behindPivot : .neverTurnsBack
    }
  }
}

extension Step {
  /// Whether the step may change something at a participant. A step that has an undo does.
  var changesSomething: Bool {
    if case .undo = compensation { return true }
    switch action {
    case .http(let http): return http.hasSideEffect
    case .kafka, .task, .workflow: return true
    case .signal, .delay, .fail, .group: return false
    }
  }
}
