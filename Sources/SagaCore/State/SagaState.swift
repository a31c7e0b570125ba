import Values
import Workflows

/// The state of a saga: a value that is the fold of its events and nothing else.
public struct SagaState: Sendable, Hashable {
  public let start: SagaStart
  public let startedAt: Timestamp
  /// The definition that the saga follows. It is that of the start until an operator moves the saga.
  public private(set) var definition: SagaDefinition
  /// The number of its events: the stream's version.
  public internal(set) var version = 1
  /// In the definition's order: a step is addressed by its index.
  public internal(set) var steps: StepStates
  /// The steps by what is happening to them. They are derived from `steps`; `update` keeps them current.
  private(set) var sets: StepSets
  private var indexes: StepIndexes
  /// The bytes of the saga's input. They are counted once, because an input can have 100,000 items.
  package let bytesOfInput: Int
  /// Every signal that came, and its result. They stay: the same signal again is a repeat, also after a rewind.
  public internal(set) var signals: [ReceivedSignal] = []
  /// Set once the saga has started compensation.
  public internal(set) var turnBack: Dated<TurnBack>?
  /// A request to start compensation that waits for a pivot to settle.
  public internal(set) var requestedTurnBack: Dated<TurnBack>?
  /// The requests that had an id. They stay after their effect has lapsed: the same request again is a repeat.
  public internal(set) var commands: [KnownCommand] = []
  public internal(set) var lastAct: LastAct?
  /// Set while the saga is paused: its clock stops, and nothing new starts.
  public internal(set) var pause: Dated<OperatorAct>?
  /// The time by which the saga should end. An operator can extend it, and a pause shifts it.
  public internal(set) var deadline: Timestamp
  /// Set while steps are being undone to begin again.
  public internal(set) var rewind: Rewind?
  /// Whether a pivot is passed: it succeeded, was resolved as happened, or was skipped by an operator. From then on
  /// nothing is undone. Deciders use `isPivotPassed(by:)`.
  public internal(set) var pivotPassed = false
  public internal(set) var overdueSince: Timestamp?
  /// The turns that the saga holds or waits for, by their steps.
  var turnsByOwner: [String: Turn] = [:]
  public internal(set) var end: SagaEnd?
  /// Set once the key of the saga's sensitive values has been destroyed.
  public internal(set) var forgotten: Dated<OperatorAct>?
  /// Opens the sealed values of the state. It is not part of the state: the events decide, and they are sealed.
  package var opener = ValueOpener.none

  init(start: SagaStart, at time: Timestamp) {
    self.start = start
    startedAt = time
    definition = start.definition
    deadline = start.deadline
    steps = StepStates(start.steps.map { StepState(id: $0) })
    sets = StepSets(steps)
    indexes = StepIndexes(start.steps)
    let meter = Meter(Budget(steps: .max, bytes: .max, text: .max))
    _ = meter.produce(start.input)
    bytesOfInput = meter.bytesProduced
  }

  /// Replaces the steps by those of a snapshot.
  /// - Parameter definition: the definition of these steps. It has the same ids in the same order.
  mutating func restore(_ steps: StepStates, of definition: SagaDefinition) {
    self.definition = definition
    self.steps = steps
    sets = StepSets(steps)
    indexes = StepIndexes(definition.steps)
  }

  /// Puts the saga over to the steps of another definition. A step that both have keeps its state. A step that the saga
  /// has not begun comes from the new definition.
  /// - Throws: `HistoryError` when the new definition lacks a step that the saga has begun.
  mutating func move(to definition: SagaDefinition) throws(HistoryError) {
    let places = StepIndexes(definition.steps)
    var states = StepStates(definition.steps.map { StepState(id: $0) })
    for (index, step) in steps.enumerated() {
      guard let place = places[step.id] else {
        if !step.hasBegun { continue }
        throw HistoryError("The saga has begun step \(step.id), and the definition to which it moves has no such step.")
      }
      states[place] = step
      if let items = steps.items(of: index) { states.restore(items, of: place) }
    }
    restore(states, of: definition)
  }

  public var id: UniqueID { start.id }
  public var isPaused: Bool { pause != nil }
  /// The time at which the saga's clock stopped; nil while it runs.
  public var pausedAt: Timestamp? { pause?.at }

  /// Returns the index of a step, or of an item that has begun.
  public func index(of id: String) -> Int? {
    if let index = indexes[id] { return index }
    return ItemID(id).flatMap { item in indexes[item.step].flatMap { steps.index(of: item, in: $0) } }
  }

  public func step(_ id: String) -> StepState? { index(of: id).map { steps[$0] } }

  /// Returns the items of a step with `forEach`; nil for every other step, and before it has opened.
  public func items(of step: String) -> ItemStates? { indexes[step].flatMap(steps.items(of:)) }

  /// The number of items that have begun, of all steps together.
  package var itemsBegun: Int { steps.owners.reduce(0) { $0 + (steps.items(of: $1)?.begun ?? 0) } }

  /// The bytes of the outputs of all items, and of the inputs that operators gave them.
  package var bytesOfItems: Int { steps.owners.reduce(0) { $0 + (steps.items(of: $1)?.bytes ?? 0) } }

  /// Whether a rewind is undoing the step, or will.
  public func isRewinding(_ step: String) -> Bool {
    guard let rewind else { return false }
    return rewind.steps.contains(ItemID.step(of: step))
  }

  public var status: SagaStatus {
    if let end { return end.status }
    if sets.blocked.contains(where: { isBlocked(steps[$0]) }) { return .stuck }
    return turnBack == nil ? .running : .compensating
  }

  /// The steps that wait for an operator. Empty once the saga has ended.
  public var blockers: [Blocker] { end == nil ? blockedSteps.compactMap(Blocker.init) : [] }

  /// The steps past which the saga can't go on without an operator. An abandoned saga has them too.
  package var blockedSteps: [StepState] { sets.blocked.map { steps[$0] }.filter { isBlocked($0) } }

  /// Returns whether the saga can't go on past this step without an operator. After the start of compensation, the saga
  /// goes on past every step that failed going forward.
  func isBlocked(_ step: StepState) -> Bool {
    step.isBlocked && (turnBack == nil || step.status == .undoFailed)
  }

  /// Returns whether the deadline has passed, or one of the steps takes longer than expected.
  public func isOverdue(at now: Timestamp) -> Bool {
    guard end == nil else { return false }
    return overdueSince != nil || deadline < pausedAt ?? now && !waitsForOwnTurn
      || sets.underWay.contains { steps[$0].overdue != nil }
  }

  /// Whether an attempt, forward or undo, has been started and has not been settled. A task that no worker has taken is
  /// not an attempt that may have done something.
  public var hasAttemptInFlight: Bool { sets.inFlight.contains { !steps[$0].isOnlyOffered } }

  /// Whether an executor has an attempt. No executor has a task.
  package var hasCallInFlight: Bool { sets.inFlight.contains { steps[$0].offer == nil } }

  /// Whether all attempts under way are tasks: workers end them, and no executor does.
  package var isWaitingForWorkers: Bool {
    !sets.inFlight.isEmpty && sets.inFlight.allSatisfy { steps[$0].offer != nil }
  }

  /// The steps and items that have an attempt under way, or whose task is offered.
  package var stepsInFlight: [StepState] { sets.inFlight.map { steps[$0] } }

  /// The steps that are under way, forward or in their undo, and such items: at most `maxParallel` of a step.
  package var stepsUnderWay: [StepState] { sets.underWay.map { steps[$0] } }

  /// The most blocked items of one step that `shownBlockers` has.
  package static let mostShownItems = 20

  /// The blockers that an answer or a notice lists: every step, and the first items of each step. Up to 1,000 items of a
  /// step may wait for an operator.
  package var shownBlockers: [Blocker] {
    var items: [String: Int] = [:]
    return blockers.filter { blocker in
      guard let item = ItemID(blocker.step) else { return true }
      items[item.step, default: 0] += 1
      return items[item.step, default: 0] <= Self.mostShownItems
    }
  }
}

// MARK: Folding

extension SagaState {
  /// Creates the state from a history.
  /// - Throws: `HistoryError` when the events can't follow each other.
  public init(folding events: some Sequence<SagaEvent>) throws(HistoryError) {
    var state: SagaState?
    for event in events { try SagaState.evolve(&state, event) }
    guard let state else { throw HistoryError("A history has at least one event.") }
    self = state
  }

  /// Returns the state after one more event.
  /// - Throws: `HistoryError` when the event can't follow this state.
  public static func evolve(_ state: SagaState?, _ event: SagaEvent) throws(HistoryError) -> SagaState {
    var next = state
    try evolve(&next, event)
    guard let next else { throw HistoryError("A history begins with sagaStarted, not with \(event.typeName).") }
    return next
  }

  /// Changes a state by one more event, in place. When it throws, the state is unusable.
  public static func evolve(_ state: inout SagaState?, _ event: SagaEvent) throws(HistoryError) {
    if state == nil {
      guard let started = event.what as? SagaStarted else {
        throw HistoryError("A history begins with sagaStarted, not with \(event.typeName).")
      }
      state = SagaState(start: started.saga, at: event.at)
    } else {
      try state?.evolve(event)
    }
  }

  /// Changes the state by one more event. The same state and event always give the same state.
  /// - Throws: `HistoryError` when the event can't follow this state. The state is unusable then.
  public mutating func evolve(_ event: SagaEvent) throws(HistoryError) {
    guard end == nil || event.what is SagaReopened || event.what is SagaForgotten else {
      throw HistoryError("\(event.typeName) can't follow the end of a saga.")
    }
    try event.what.apply(to: &self, at: event.at)
    version += 1
    // The end of a saga releases its turns.
    if end != nil { turnsByOwner = [:] }
    if let (verb, act) = event.operated { note(verb, act, event) }
  }

  /// Changes one step by an event of this type, and updates the sets and the clock of the expected time.
  /// - Parameter change: returns false when the event can't follow the step's stage.
  /// - Throws: `HistoryError` for a step that the saga doesn't have, and when `change` returns false.
  mutating func update(
    _ id: String, by type: String, at time: Timestamp, holdsClock: Bool = true,
    _ change: (inout StepState) -> Bool
  ) throws(HistoryError) {
    guard let index = index(of: id) ?? beginItem(id) else {
      throw HistoryError("\(type) names a step that the saga doesn't have.")
    }
    let before = steps[index]
    var step = before
    let place = ItemPlace(index)
    if let place, steps.items(of: place.step)?.again.contains(place.number) == true {
      // An operator retried the item, and now it begins.
      step.stage = .backingOff(until: time)
      steps.change(place.step) { $0.unqueue(place.number) }
    }
    guard change(&step) else {
      throw HistoryError("\(type) can't follow \(before.status.rawValue) of step \(id).")
    }
    // The clock of the expected time runs from the beginning of a phase to its end, over all attempts and pauses.
    let phase = step.stage.phaseUnderWay
    if phase != before.stage.phaseUnderWay { step.clock = phase.map { _ in StepState.Clock(since: time) } }
    if let pausedAt, holdsClock {
      step.countFromPause(since: before.stage, before.clock?.since, paused: time - pausedAt)
    }
    // An item is put back once, because the list keeps a settled item as a text.
    steps[index] = step
    sets.move(index, from: before.stage, to: step.stage)
    if let place { steps.change(place.step) { $0.note(place.number, before: before, after: step) } }
  }

  /// Adds an item. It begins with the first event that names it.
  private mutating func beginItem(_ id: String) -> Int? {
    ItemID(id).flatMap { item in indexes[item.step].flatMap { steps.begin(item, of: $0) } }
  }

  /// Changes every step, and every item under way, without a change of its status: an end or a pause does this.
  mutating func updateAll(_ change: (inout StepState) -> Void) {
    for index in Array(steps.indices) + sets.underWay.items {
      let before = steps[index].stage
      change(&steps[index])
      sets.move(index, from: before, to: steps[index].stage)
    }
  }
}

/// The indexes of a saga's steps by their ids. They are made once, and all states of the saga share them.
private final class StepIndexes: Sendable, Hashable {
  private let indexes: [String: Int]

  init(_ ids: [String]) {
    indexes = Dictionary(ids.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
  }

  subscript(id: String) -> Int? { indexes[id] }

  // The indexes follow from the saga's definition, which is compared.
  static func == (left: StepIndexes, right: StepIndexes) -> Bool { true }
  func hash(into hasher: inout Hasher) {}
}

/// The steps by what is happening to them, so that a decision does not scan all steps when one has changed. An item of a
/// step with `forEach` is in a set only while something happens to it, or while its undo waits for an operator.
struct StepSets: Sendable, Hashable {
  private(set) var pending: StepSet
  private(set) var running: Places
  private(set) var backingOff: Places
  /// The steps that wait for their turn. They are in `waiting`, too.
  private(set) var queued: StepSet
  private(set) var waiting: Places
  /// The open groups, and the steps whose items are being done.
  private(set) var open: StepSet
  private(set) var undoing: Places
  /// An attempt to do the step, or to undo it, is under way.
  private(set) var inFlight: Places
  /// The step or its undo is under way: attempts, pauses between them, waits.
  private(set) var underWay: Places
  /// The steps that depend on the step may start.
  private(set) var passed: StepSet
  /// Without an operator, nothing more happens to the step.
  private(set) var blocked: Places
  /// The step failed, and its saga starts compensation.
  private(set) var turningBack: StepSet

  init(_ steps: StepStates) {
    let none = StepSet(count: steps.count)
    let nowhere = Places(none)
    (pending, queued, open, passed, turningBack) = (none, none, none, none, none)
    (running, backingOff, waiting, undoing) = (nowhere, nowhere, nowhere, nowhere)
    (inFlight, underWay, blocked) = (nowhere, nowhere, nowhere)
    for (index, step) in steps.enumerated() { add(index, step.stage) }
    for owner in steps.owners {
      guard let items = steps.items(of: owner) else { continue }
      for number in 0..<items.begun { add(ItemPlace(step: owner, number: number).index, items[number].stage) }
    }
  }

  mutating func move(_ index: Int, from before: StepStage, to after: StepStage) {
    if before == after { return }
    remove(index)
    add(index, after)
  }

  private mutating func remove(_ index: Int) {
    if ItemPlace(index) == nil {
      pending.remove(index)
      queued.remove(index)
      open.remove(index)
      passed.remove(index)
      turningBack.remove(index)
    }
    running.remove(index)
    backingOff.remove(index)
    waiting.remove(index)
    undoing.remove(index)
    inFlight.remove(index)
    underWay.remove(index)
    blocked.remove(index)
  }

  private mutating func add(_ index: Int, _ stage: StepStage) {
    let isItem = ItemPlace(index) != nil
    switch stage {
    case .pending: if !isItem { pending.insert(index) }
    case .running:
      running.insert(index)
      inFlight.insert(index)
      underWay.insert(index)
    case .backingOff:
      backingOff.insert(index)
      underWay.insert(index)
    case .queued:
      queued.insert(index)
      waiting.insert(index)
      underWay.insert(index)
    case .waiting, .polling:
      waiting.insert(index)
      underWay.insert(index)
    case .open:
      open.insert(index)
      underWay.insert(index)
    case .succeeded, .skipped, .failed(.goesOn): if !isItem { passed.insert(index) }
    case .failed(.blocks): blocked.insert(index)
    case .failed(.turnsBack): if !isItem { turningBack.insert(index) }
    case .failed(.settles), .undone, .undoFailed(blocks: false): break
    case .undoing:
      undoing.insert(index)
      inFlight.insert(index)
      underWay.insert(index)
    case .undoBackingOff, .undoWaiting:
      undoing.insert(index)
      underWay.insert(index)
    case .undoFailed(blocks: true): blocked.insert(index)
    }
  }
}
