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
    guard pairs else { return try singles().exploration }
    let plan = try pairPlan()
    return plan.exploration(of: [try plan.play(part: 0, of: 1)])
  }

  /// Plays one fault at a time.
  func singles() throws(RehearsalError) -> Work {
    var finder = try RouteFinder(definition, given: given, keepsTombstones: keepsTombstones)
    let first = try finder.first()
    let routes = [first] + (try finder.others(than: first))
    var work = Work(explorer: self, finder: finder, exploration: Exploration(definition: definition, routes: routes))
    try work.playSingles()
    return work
  }

  /// An exploration under way.
  struct Work: Sendable {
    let explorer: Explorer
    var finder: RouteFinder
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
        let base = try recorded(trigger)
        for kind in kinds {
          // Of a step with `forEach`, the undo of one item goes wrong.
          let target = trigger.undoneOneByOne.first { ItemID.step(of: $0) == step.id }
          let (fault, causes) = (Fault(target ?? step.id, kind), trigger.faults + trigger.causes)
          if fault.needsBody, try !findBody(for: fault, causes: causes, on: trigger.route) { continue }
          try play([fault], causes: causes, on: trigger.route, after: base)
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

    private mutating func findBody(
      for fault: Fault, causes: [Fault] = [], on route: Int
    ) throws(RehearsalError) -> Bool {
      guard let body = try finder.body(for: fault, causes: causes, on: exploration.routes[route]) else {
        exploration.gaps.append(.bodyNotFound(fault))
        return false
      }
      bodies[fault] = body
      return true
    }

    /// - Parameter other: a run whose beginning is used; nil for that of the route.
    private mutating func play(
      _ faults: [Fault], causes: [Fault] = [], on route: Int, after other: RecordedRun? = nil
    ) throws(RehearsalError) {
      let base = if let other { other } else { try finder.recorded(exploration.routes[route]) }
      exploration.runs.append(try outcome(of: faults, causes: causes, on: route, after: base))
    }

    private func scene(_ faults: [Fault], on route: Int) -> Scene {
      Scene(base: finder.base, answers: exploration.routes[route].answers, faults: faults, bodies: bodies)
    }

    /// Returns a run with its record, so that runs with one more fault can use its beginning.
    mutating func recorded(_ run: ExploredRun) throws(RehearsalError) -> RecordedRun {
      let route = try finder.recorded(exploration.routes[run.route])
      return try scene(run.faults + run.causes, on: run.route).record(after: route)
    }

    mutating func outcome(
      of faults: [Fault], causes: [Fault] = [], on route: Int, after other: RecordedRun
    ) throws(RehearsalError) -> ExploredRun {
      let run = try scene(faults + causes, on: route).play(after: other)
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
  }
}
