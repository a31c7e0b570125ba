import JSON
import SagaCore
import Values
import Workflows

/// A way through a workflow on which nothing fails: the answers, and which conditions they make true.
public struct Route: Sendable {
  /// What makes this route differ from the first one, as `steps.qc.output.rin = 3`. Empty for the first one.
  public let changes: [String]
  /// The step whose condition the changes turn; nil for the first route.
  public let step: String?
  public let answers: Answers
  public let run: VirtualRun

  /// Returns the id that a fault of a step names: of a step with `forEach`, the first item.
  func target(of step: Step) -> String {
    guard let items = run.state.items(of: step.id), items.begun > 0 else { return step.id }
    return items[0].id
  }

  /// Returns what goes wrong, with the first item of each step with `forEach` in place of the step.
  func aimed(_ kind: Fault.Kind, in definition: WorkflowDefinition) -> Fault.Kind {
    guard case .groupTimesOut(let member, let downtime) = kind, let step = definition.step(member) else { return kind }
    return .groupTimesOut(member: target(of: step), downtime: downtime)
  }

  /// Returns the failure of more items than a step tolerates. Nil when one failure is enough, and when there are too few
  /// items.
  func tooManyFailures(of step: Step) -> Fault? {
    guard step.action.isAttempted, let forEach = step.forEach, let items = run.state.items(of: step.id) else {
      return nil
    }
    let tolerated = forEach.tolerated.failures(of: items.count)
    guard tolerated > 0, tolerated < items.begun else { return nil }
    return Fault(step.id, .itemsFail((0...tolerated).map { items[$0].id }))
  }

  /// Returns whether a step began on this route.
  func reaches(_ step: String) -> Bool {
    guard let state = run.state.step(step) else { return false }
    return state.startedAt != nil || run.failed(step)
  }
}

/// Searches for answers with which conditions hold, and with which they don't.
struct RouteFinder {
  let definition: WorkflowDefinition
  let given: GivenAnswers
  /// The saga that all runs have in common.
  let base: VirtualSaga
  private let choices: [ReadChoice]
  private let start: Answers
  private(set) var runs = 0
  /// The routes whose beginnings other runs use.
  private var recorded: [Answers: RecordedRun] = [:]

  /// The most runs of the search for one goal, and of the whole search.
  private static let mostOfGoal = 400
  private static let most = 5_000

  /// - Throws: as `GivenAnswers.made`.
  init(_ definition: WorkflowDefinition, given: GivenAnswers, keepsTombstones: Bool) throws(RehearsalError) {
    self.definition = definition
    self.given = given
    var base = VirtualSaga(definition, input: .null)
    base.keepsTombstones = keepsTombstones
    // Expressions may read it.
    base.key = "rehearsal"
    self.base = base
    let reads = WorkflowReads(definition)
    start = try given.made(for: definition, reads).withMoreItems(for: definition, given: given)
    choices = reads.choices.filter { choice in
      switch choice.place.root {
      case .input: given.input == nil
      case .output(let step): given.outputs[step] == nil
      case .answer, .undoSignal: true
      }
    }
  }

  /// Returns the first route: it completes if any does, and as many steps as possible run.
  mutating func first() throws(RehearsalError) -> Route {
    var best = try route(start, [], nil)
    for _ in 0..<Self.mostTurns {
      let wanted = definition.steps.filter { !Self.isGood($0, on: best.run) }.map(\.id)
      guard !wanted.isEmpty || best.run.status != .completed else { break }
      let quality = Self.quality(of: best.run, definition)
      let isComplete = best.run.status == .completed
      let related = choices.filter { !isComplete || !$0.readers.isDisjoint(with: wanted) }
      let definition = definition
      let better = try search(from: best, related, nil) { Self.quality(of: $0, definition) > quality }
      guard let better else { break }
      best = Route(changes: [], step: nil, answers: better.answers, run: better.run)
    }
    return best
  }

  private static let mostTurns = 50

  /// A step is good when it runs; a step that fails on purpose when it is passed by.
  private static func isGood(_ step: Step, on run: VirtualRun) -> Bool {
    if case .fail = step.action { return run.skipped(step.id) }
    return step.when == nil || run.succeeded(step.id)
  }

  private static func quality(of run: VirtualRun, _ definition: WorkflowDefinition) -> Int {
    let good = definition.steps.count { isGood($0, on: run) && (run.skipped($0.id) || run.succeeded($0.id)) }
    return (run.status == .completed ? definition.steps.count + 1 : 0) + good
  }

  /// Returns further routes, so that each condition is true on one of them and false on another, as far as answers can
  /// do that.
  mutating func others(than first: Route) throws(RehearsalError) -> [Route] {
    var routes: [Route] = []
    for step in definition.steps where step.when != nil {
      let related = choices.filter { $0.readers.contains(step.id) }
      for isWanted in [{ (run: VirtualRun) in run.skipped(step.id) }, { Self.runs(step.id, in: $0) }] {
        if isWanted(first.run) || routes.contains(where: { isWanted($0.run) }) { continue }
        if let found = try search(from: first, related, step.id, isWanted) { routes.append(found) }
      }
    }
    return routes
  }

  static func runs(_ step: String, in run: VirtualRun) -> Bool {
    guard let state = run.state.step(step), !run.skipped(step) else { return false }
    if state.startedAt != nil { return true }
    // A step that fails on purpose begins no attempt.
    return run.failed(step)
  }

  /// Changes one value, then two.
  private mutating func search(
    from route: Route, _ choices: [ReadChoice], _ step: String?, _ isWanted: (VirtualRun) -> Bool
  ) throws(RehearsalError) -> Route? {
    var tried = 0
    let single = choices.flatMap { choice in choice.values.map { (choice.place, $0) } }
    for change in single {
      guard tried < Self.mostOfGoal, runs < Self.most else { return nil }
      tried += 1
      if let found = try changed(route, [change], step), isWanted(found.run) { return found }
    }
    for (index, one) in single.enumerated() {
      for other in single[(index + 1)...] where other.0 != one.0 {
        guard tried < Self.mostOfGoal, runs < Self.most else { return nil }
        tried += 1
        if let found = try changed(route, [one, other], step), isWanted(found.run) { return found }
      }
    }
    return nil
  }

  /// Returns the route with changed values; nil when the changes make no other answers, or none that a schema takes.
  private mutating func changed(
    _ route: Route, _ changes: [(place: ReadPlace, value: ReadChoice.Value)], _ step: String?
  ) throws(RehearsalError) -> Route? {
    var answers = route.answers
    var words: [String] = []
    for (place, value) in changes {
      let new: JSON?
      switch value {
      case .json(let json): new = json
      case .absent: new = nil
      case .copy(let other): new = route.answers.value(at: other)
      }
      if new == nil, place.path.isEmpty { return nil }
      answers.set(new, at: place)
      words.append(new.map { "\(place.shown) = \($0.text())" } ?? "no \(place.shown)")
    }
    guard answers != route.answers, answers.meetsSchemas(of: definition) else { return nil }
    return try self.route(answers, words, step, after: recorded(route))
  }

  /// - Parameter origin: a route whose beginning may be the same.
  private mutating func route(
    _ answers: Answers, _ changes: [String], _ step: String?, after origin: RecordedRun? = nil
  ) throws(RehearsalError) -> Route {
    runs += 1
    let run = try Scene(base: base, answers: answers).play(after: origin)
    return Route(changes: changes, step: step, answers: answers, run: run)
  }

  /// Returns a route with its record.
  mutating func recorded(_ route: Route) throws(RehearsalError) -> RecordedRun {
    if let known = recorded[route.answers] { return known }
    let run = try Scene(base: base, answers: route.answers).record()
    recorded[route.answers] = run
    return run
  }

  /// Returns a body with which a fault happens on a route: of a signal that the step or its undo refuses, or of an answer
  /// that doesn't end a poll, or fails it. Nil when none of those that were tried does it.
  /// - Parameter causes: the faults without which it can't happen.
  mutating func body(
    for fault: Fault, causes: [Fault] = [], on route: Route
  ) throws(RehearsalError) -> JSON? {
    var bodies: [JSON] = []
    let step = ItemID.step(of: fault.step)
    let root: ReadPlace.Root = fault.phase == .undo ? .undoSignal(step) : .output(step)
    for choice in choices where choice.place.root == root {
      for value in choice.values {
        var answers = route.answers
        switch value {
        case .json(let json): answers.set(json, at: choice.place)
        case .absent: if !choice.place.path.isEmpty { answers.set(nil, at: choice.place) }
        case .copy: break
        }
        if let body = answers.value(at: ReadPlace(root)) { bodies.append(body) }
      }
    }
    // The body that the schema takes and only the condition refuses is tried first.
    for body in (bodies + [.object([:]), .null, false, "refused"]).prefix(40) {
      let run = try Scene(base: base, answers: route.answers, faults: [fault] + causes, bodies: [fault: body])
        .play(after: recorded(route))
      if fault.happened(in: run) { return body }
    }
    return nil
  }
}
