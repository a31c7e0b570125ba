import JSON
import Values
import Workflows

// A step with `forEach` does its action once for each item of a list. Its items are found when it opens, and they begin
// in their order, at most `maxParallel` at the same time. Each item has its own attempts, its own outcome and its own
// undo. More failures than the step tolerates end it: no item begins any more, and when the others have settled, the
// step fails.

extension Decider {
  /// The most items that one decision begins. A decision becomes one append.
  static let mostBegun = 500

  /// Returns the rules of a step, or of the step that has an item.
  func rules(of index: Int) -> Step { definition.steps[ItemPlace.step(of: index)] }

  /// Returns whether the step at this index has `forEach`. An item has none of its own.
  func hasItems(_ index: Int) -> Bool { ItemPlace(index) == nil && definition.steps[index].forEach != nil }

  // MARK: Going forward

  /// Finds the items of a step, and begins the first ones.
  mutating func openItems(_ step: Int, _ forEach: ForEach) {
    let document = state.document(reading: forEach.reads)
    let meter = ForEach.meter()
    defer { count(meter.stepsUsed) }
    do throws(ItemsError) {
      let values = try forEach.values(in: document, meter: meter)
      emit(ItemsOpened(step: id(step), count: values.count, digest: values.digest))
      state.steps.change(step) { $0.values = values }
      advanceItems(step)
    } catch {
      fail(step, StepFailure(code: error.code, message: error.message))
    }
  }

  /// Begins as many items of an open step as may be under way, and ends the step when all items are over.
  mutating func advanceItems(_ step: Int) {
    guard let forEach = definition.steps[step].forEach else { return }
    var begun = 0
    while let place = nextItem(of: step, forEach) {
      if isSpent { return }
      guard begun < Self.mostBegun else { return postpone() }
      begun += 1
      perform(place)
    }
    closeItems(step, forEach)
  }

  /// Returns the index of the item to begin now: one that an operator retries, or else the next one.
  private mutating func nextItem(of step: Int, _ forEach: ForEach) -> Int? {
    guard state.turnBack == nil, state.requestedTurnBack == nil, case .open = state.steps[step].stage,
      let items = state.steps.items(of: step), items.underWay < forEach.maxParallel,
      items.failures <= forEach.tolerated.failures(of: items.count)
    else { return nil }
    if items.queued > 0, let number = items.again.first { return ItemPlace(step: step, number: number).index }
    guard items.begun < items.count else { return nil }
    // The item is added here as the first event that names it adds it.
    guard let keys = items.values?.keys, keys.indices.contains(items.begun) else {
      if items.underWay == 0 { fail(step, Self.lostItems) }
      return nil
    }
    return state.steps.begin(ItemID(step: id(step), key: keys[items.begun]), of: step)
  }

  /// The failure when the items of an open step can't be computed again.
  static let lostItems = StepFailure(
    code: EngineErrorCode.forEachChanged,
    message:
      "The items are other ones than when the step began: an expression of its \"forEach\" has another result now.")

  private mutating func closeItems(_ step: Int, _ forEach: ForEach) {
    guard case .open = state.steps[step].stage, let items = state.steps.items(of: step), items.underWay == 0 else {
      return
    }
    let tolerated = forEach.tolerated.failures(of: items.count)
    if items.failures > tolerated {
      fail(step, failure(of: items, tolerated: tolerated))
    } else if items.queued == 0, items.begun == items.count {
      succeed(step, output: .null)
    }
  }

  /// The most failed items that the failure of their step names.
  private static let mostNamed = 3

  private func failure(of items: ItemStates, tolerated: Int) -> StepFailure {
    var named: [String] = []
    for number in 0..<items.begun where named.count < Self.mostNamed && items.status(of: number) == .failed {
      let item = items[number]
      named.append("\(item.item?.key ?? "") (\(item.failure?.code ?? ""))")
    }
    let more = items.failures > named.count ? ", …" : ""
    return StepFailure(
      code: EngineErrorCode.forEachFailures,
      message: "\(items.failures) of \(items.count) items failed, and \(tolerated) may fail: "
        + named.joined(separator: ", ") + more + ".")
  }

  // MARK: Undo

  /// Starts the undos of a step's items that are due: the last item first, at most `maxParallel` at the same time. An
  /// undo that waits for an operator counts.
  /// - Returns: whether something has changed.
  mutating func startItemUndos(_ step: Int) -> Bool {
    guard let forEach = definition.steps[step].forEach, let undo = undo(of: step) else { return false }
    let before = events.count
    for place in state.sets.undoing.items where ItemPlace.step(of: place) == step {
      guard case .undoBackingOff(let until) = state.steps[place].stage, until <= now else { continue }
      if isSpent { return events.count > before }
      startUndo(place, undo)
    }
    var begun = 0
    while let items = state.steps.items(of: step), undosUnderWay(of: step) < forEach.maxParallel, !isSpent,
      let place = nextUndo(of: step, items, undo)
    {
      guard begun < Self.mostBegun else {
        postpone()
        break
      }
      begun += 1
      startUndo(place, undo)
    }
    if areItemsUndone(step), state.steps[step].status != .undone { emit(ItemsUndone(step: id(step))) }
    return events.count > before
  }

  private func undosUnderWay(of step: Int) -> Int {
    let blocked = state.sets.blocked.items.count { ItemPlace.step(of: $0) == step }
    return blocked + (state.steps.items(of: step)?.count(of: .undoing) ?? 0)
  }

  private func nextUndo(of step: Int, _ items: ItemStates, _ undo: Undo) -> Int? {
    guard undosToCome(items, undo) > 0 else { return nil }
    var number = items.undoneFrom ?? items.begun
    while number > 0 {
      number -= 1
      let place = ItemPlace(step: step, number: number).index
      if pendingUndo(of: place) != nil { return place }
    }
    return nil
  }

  /// Returns the number of items whose undo has not begun.
  private func undosToCome(_ items: ItemStates, _ undo: Undo) -> Int {
    undo.appliesTo.map(RoundOutcome.init).reduce(0) {
      $0 + items.count(of: .succeeded, $1) + items.count(of: .failed, $1)
    }
  }

  /// Returns whether no undo of the step's items is under way or to come, and one has been.
  private func areItemsUndone(_ step: Int) -> Bool {
    guard let items = state.steps.items(of: step), let undo = undo(of: step), items.undoneFrom != nil else {
      return false
    }
    return undosToCome(items, undo) == 0 && undosUnderWay(of: step) == 0
  }

  /// Returns whether a compensating saga has finished with the items of a step that is over.
  func areItemUndosSettled(_ step: Int) -> Bool {
    guard let items = state.steps.items(of: step) else { return true }
    guard items.underWay == 0 else { return false }
    guard let undo = undo(of: step) else { return true }
    return items.undoneFrom == nil && undosToCome(items, undo) == 0
  }

  // MARK: Operators

  /// Returns whether an operator can retry, skip or resolve a step: the saga is stuck on it, or it is a failed item of a
  /// step that is not over.
  func awaitsOperator(_ index: Int) -> Bool {
    let step = state.steps[index]
    if state.isBlocked(step) { return true }
    guard let place = ItemPlace(index), step.status == .failed, state.turnBack == nil,
      state.steps.items(of: place.step)?.again.contains(place.number) == false
    else { return false }
    switch state.steps[place.step].stage {
    case .open, .failed(.blocks): return !state.isRewinding(step.id)
    case .pending, .queued, .running, .backingOff, .waiting, .polling, .succeeded, .failed, .skipped, .undoing,
      .undoBackingOff, .undoWaiting, .undone, .undoFailed:
      return false
    }
  }
}

extension RoundOutcome {
  fileprivate init(_ outcome: Outcome) {
    switch outcome {
    case .succeeded: self = .succeeded
    case .unknown: self = .unknown
    case .failed: self = .failed
    }
  }
}

extension SagaState {
  /// Computes the items of the steps that have opened them, where they are not known yet. The parts of the document that
  /// they read do not change while the step is open.
  package mutating func loadItems(by definition: WorkflowDefinition) {
    guard steps.lacksValues else { return }
    for step in steps.owners {
      guard let items = steps.items(of: step), items.values == nil, !items.isLost else { continue }
      // Whatever needs an item that can't be computed fails with a code of its own.
      let values = computedItems(of: step, items, by: definition)
      steps.change(step) {
        $0.values = values
        $0.isLost = values == nil
      }
    }
  }

  /// Returns the items of a step as they were when it opened; nil when they are other ones now, or can't be computed.
  private func computedItems(of step: Int, _ items: ItemStates, by definition: WorkflowDefinition) -> ItemValues? {
    guard definition.steps.indices.contains(step), let forEach = definition.steps[step].forEach,
      let values = try? forEach.values(in: document(reading: forEach.reads))
    else { return nil }
    return values.count == items.count && values.digest == items.digest ? values : nil
  }

  /// Returns the state with the items of its steps.
  func withItems(by definition: WorkflowDefinition) -> SagaState {
    guard steps.lacksValues else { return self }
    var state = self
    state.loadItems(by: definition)
    return state
  }

  /// Opens the step of an item again after an operator's act on the item, if the saga was stuck on the step.
  mutating func reopenStep(of id: String, by type: String, at time: Timestamp) throws(HistoryError) {
    guard let item = ItemID(id), let owner = index(of: item.step), steps[owner].stage == .failed(.blocks),
      steps.items(of: owner) != nil
    else { return }
    try update(item.step, by: type, at: time) { $0.reopen() }
  }
}

extension StepState {
  /// Opens a failed step with `forEach` again.
  mutating func reopen() -> Bool {
    guard stage == .failed(.blocks) else { return false }
    stage = .open(until: nil)
    failure = nil
    endedAt = nil
    return true
  }
}

extension ItemValues {
  /// The first 16 hexadecimal digits of the SHA-256 of all keys.
  var digest: String { String(Digest.hex(Array(keys.joined(separator: "\n").utf8)).prefix(16)) }
}
