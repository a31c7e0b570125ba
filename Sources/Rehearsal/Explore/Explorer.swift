import JSON
import SagaCore
import Values
import Workflows

/// Plays every failure of a workflow in virtual time: each fault of each step by itself, and on request two at a time.
public struct Explorer: Sendable {
  /// The most that one exploration may need.
  public struct Budget: Sendable {
    /// The most events of all runs with one fault together.
    public var events = 20_000_000
    /// The most pairs that are played. Of more pairs, evenly spread ones are played.
    public var pairs = 10_000
    /// The most pairs that are listed.
    public var listed = 100

    public init() {}
  }

  public let definition: WorkflowDefinition
  public var given = GivenAnswers()
  /// Whether the participants refuse a command that comes after its undo.
  public var keepsTombstones = true
  public var budget = Budget()

  public init(_ definition: WorkflowDefinition) { self.definition = definition }

  /// - Parameter pairs: whether two faults at a time are played, too.
  /// - Throws: `rehearsal.noInput`, `input.invalid`, `rehearsal.badAnswers`, `rehearsal.budget`.
  public func explore(pairs: Bool = false) throws(RehearsalError) -> Exploration {
    var finder = try RouteFinder(definition, given: given, keepsTombstones: keepsTombstones)
    let first = try finder.first()
    let routes = [first] + (try finder.others(than: first))
    var work = Work(explorer: self, finder: finder, exploration: Exploration(definition: definition, routes: routes))
    try work.playSingles()
    if pairs { try work.playPairs() }
    return work.exploration
  }

  /// An exploration under way.
  private struct Work {
    let explorer: Explorer
    let finder: RouteFinder
    var exploration: Exploration
    var events = 0
    var bodies: [Fault: JSON] = [:]

    private var definition: WorkflowDefinition { explorer.definition }

    init(explorer: Explorer, finder: RouteFinder, exploration: Exploration) {
      self.explorer = explorer
      self.finder = finder
      self.exploration = exploration
    }

    // MARK: One fault

    mutating func playSingles() throws(RehearsalError) {
      exploration.routeRuns = exploration.routes.enumerated().map { index, route in
        ExploredRun(route.run, of: definition, faults: [], route: index)
      }
      noteIncomplete()
      let unreached = try playForward(definition.steps) { step, work in
        work.exploration.routes.firstIndex { $0.reaches(step.id) }.map { ($0, []) }
      }
      // A step that handles the failure of another one runs only after that failure.
      _ = try playForward(unreached) { step, work in
        work.exploration.runs.first { $0.ran.contains(step.id) }.map { ($0.route, $0.faults + $0.causes) }
      }
      for step in definition.steps {
        let kinds = Fault.undo(of: step)
        guard !kinds.isEmpty else { continue }
        guard let trigger = trigger(for: step) else {
          exploration.gaps.append(.undoNeverRuns(step.id))
          continue
        }
        for kind in kinds {
          // Of a step with `forEach`, the undo of one item goes wrong.
          let target = trigger.undoneOneByOne.first { ItemID.step(of: $0) == step.id }
          try play([Fault(target ?? step.id, kind)], causes: trigger.faults + trigger.causes, on: trigger.route)
        }
      }
      sortRuns()
      noteConditions()
    }

    /// Plays what can go wrong while these steps go forward.
    /// - Parameter place: returns the route on which a step runs, and the faults without which it doesn't.
    /// - Returns: the steps that don't run.
    private mutating func playForward(
      _ steps: [Step], at place: (Step, Work) -> (route: Int, causes: [Fault])?
    ) throws(RehearsalError) -> [Step] {
      var unreached: [Step] = []
      for step in steps {
        guard let (route, causes) = place(step, self) else {
          unreached.append(step)
          continue
        }
        let kinds = Fault.forward(of: step, in: definition).map { exploration.routes[route].aimed($0, in: definition) }
        let faults = kinds.map { Fault(exploration.routes[route].target(of: step), $0) }
        for fault in faults + [exploration.routes[route].tooManyFailures(of: step)].compactMap({ $0 }) {
          if fault.needsBody, try !findBody(for: fault, on: route) { continue }
          try play([fault], causes: causes, on: route)
        }
      }
      return unreached
    }

    private mutating func findBody(for fault: Fault, on route: Int) throws(RehearsalError) -> Bool {
      guard let body = try finder.body(for: fault, on: exploration.routes[route]) else {
        exploration.gaps.append(.bodyNotFound(fault))
        return false
      }
      bodies[fault] = body
      return true
    }

    private mutating func play(
      _ faults: [Fault], causes: [Fault] = [], on route: Int
    ) throws(RehearsalError) {
      exploration.runs.append(try outcome(of: faults, causes: causes, on: route))
    }

    private mutating func outcome(
      of faults: [Fault], causes: [Fault] = [], on route: Int
    ) throws(RehearsalError) -> ExploredRun {
      let scene = Scene(
        base: finder.base, answers: exploration.routes[route].answers, faults: faults + causes,
        bodies: bodies)
      let run = try scene.play()
      events += run.events.count
      guard events <= explorer.budget.events else {
        throw RehearsalError(
          RehearsalErrorCode.budget,
          "The runs have more than \(explorer.budget.events) events together; \(exploration.runs.count) runs were played."
        )
      }
      return ExploredRun(run, of: definition, faults: faults, causes: causes, route: route)
    }

    /// Returns the run in which the undo of a step is needed for the plainest reason: a later step fails for good, or
    /// else the step itself times out.
    private func trigger(for step: Step) -> ExploredRun? {
      // Of a run in which this undo fails in another way, the forward faults alone would not be the cause.
      let all = exploration.runs.filter { run in
        run.faults.allSatisfy { $0.phase == .forward } && run.undoneOneByOne.contains { ItemID.step(of: $0) == step.id }
      }
      let plain = all.filter(\.causes.isEmpty)
      let runs = plain.isEmpty ? all : plain
      func isOfAnotherStep(_ run: ExploredRun) -> Bool {
        run.faults.first.map { ItemID.step(of: $0.step) } != step.id
      }
      return runs.last { isOfAnotherStep($0) && $0.faults.first?.kind == .fails } ?? runs.last(where: isOfAnotherStep)
        ?? runs.first { $0.faults.first?.kind == .timesOut(happened: true) } ?? runs.first
    }

    /// Puts the runs in the order of their steps.
    private mutating func sortRuns() {
      let places = exploration.runs.enumerated().map { place, run in
        (definition.index(of: run.faults.first.map { ItemID.step(of: $0.step) } ?? "") ?? 0, place, run)
      }
      exploration.runs = places.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2)
    }

    // MARK: What was not explored

    private mutating func noteIncomplete() {
      let run = exploration.routes[0].run
      guard run.status != .completed else { return }
      let failed = run.events.lazy.compactMap { $0.what as? StepFailed }.first
      exploration.gaps.append(
        .incomplete(step: failed?.step, message: failed?.failure.message ?? "The saga is \(run.status.rawValue)."))
    }

    private mutating func noteConditions() {
      let runs = exploration.routeRuns + exploration.runs
      for step in definition.steps {
        if !runs.contains(where: { $0.ran.contains(step.id) }) { exploration.gaps.append(.neverRuns(step.id)) }
        if step.when != nil, !runs.contains(where: { $0.skipped.contains(step.id) }) {
          exploration.gaps.append(.neverSkipped(step.id))
        }
      }
    }

    // MARK: Two faults

    mutating func playPairs() throws(RehearsalError) {
      let singles = exploration.runs.filter { run in
        run.route == 0 && (run.causes.isEmpty || run.faults.allSatisfy { $0.phase == .undo })
      }
      var pairs = Exploration.PairExploration()
      var all: [(Int, Int)] = []
      for one in singles.indices {
        for other in singles.indices.dropFirst(one + 1) where isPair(singles[one], singles[other]) {
          all.append((one, other))
        }
      }
      pairs.count = all.count
      let stride = max(1, (all.count + explorer.budget.pairs - 1) / max(1, explorer.budget.pairs))
      for index in Swift.stride(from: 0, to: all.count, by: stride) {
        let (one, other) = (singles[all[index].0], singles[all[index].1])
        events = 0
        // The undos of two steps are needed only when something makes the saga turn back.
        let bothUndo = one.faults.allSatisfy { $0.phase == .undo } && other.faults.allSatisfy { $0.phase == .undo }
        let run = try outcome(of: one.faults + other.faults, causes: bothUndo ? one.causes : [], on: 0)
        pairs.played += 1
        if let end = run.end { pairs.ends[end, default: 0] += 1 }
        guard let news = news(of: run, one, other) else { continue }
        if pairs.news.count < explorer.budget.listed { pairs.news.append(news) } else { pairs.omitted += 1 }
      }
      exploration.pairs = pairs
    }

    /// Two faults are a pair when both can happen: not two in the same phase of one step, and of two undos, both must be
    /// needed for the same reason.
    private func isPair(_ one: ExploredRun, _ other: ExploredRun) -> Bool {
      guard let first = one.faults.first, let second = other.faults.first else { return false }
      if first.step == second.step, first.phase == second.phase { return false }
      return first.phase == .forward || second.phase == .forward || one.causes == other.causes
    }

    private func news(
      of run: ExploredRun, _ one: ExploredRun, _ other: ExploredRun
    ) -> Exploration.PairExploration.News? {
      let broken = run.broken.filter { !one.broken.contains($0) && !other.broken.contains($0) }
      let isStuck = run.end == .stuck && one.end != .stuck && other.end != .stuck
      let known = one.leftBehind(of: definition) + other.leftBehind(of: definition)
      let left = run.leftBehind(of: definition).filter { !known.contains($0) }
      guard !broken.isEmpty || isStuck || !left.isEmpty else { return nil }
      return Exploration.PairExploration.News(run: run, broken: broken, isStuck: isStuck, leftBehind: left)
    }
  }
}
