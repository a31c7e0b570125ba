import Workflows

/// The states of a saga's steps. As a collection it has the steps of the definition, in their order. The subscript also
/// takes the index of an item of a step with `forEach`.
///
/// A saga may have 100,000 items. So the items of a step are in a tree of lists: a copy of the state shares all of them,
/// and a change of one copies a few small lists.
public struct StepStates: RandomAccessCollection, Sendable, Hashable {
  private var steps: [StepState]
  /// The items by the index of their step.
  private var lists: [Int: ItemStates] = [:]

  init(_ steps: [StepState]) { self.steps = steps }

  public var startIndex: Int { 0 }
  public var endIndex: Int { steps.count }

  public internal(set) subscript(index: Int) -> StepState {
    get {
      guard let place = ItemPlace(index) else { return steps[index] }
      guard let list = lists[place.step] else { preconditionFailure("The step \(place.step) has no items.") }
      return list.states[place.number]
    }
    _modify {
      if let place = ItemPlace(index) {
        yield &lists[place.step]!.states[place.number]
      } else {
        yield &steps[index]
      }
    }
  }

  /// Returns the items of a step; nil when the step has no `forEach`, or has not opened.
  public func items(of step: Int) -> ItemStates? { lists[step] }

  /// The indexes of the steps that have opened their items.
  var owners: [Int] { lists.isEmpty ? [] : lists.keys.sorted() }

  /// Whether the values of some items are not known.
  var lacksValues: Bool { lists.contains { $0.value.values == nil && !$0.value.isLost } }

  /// Returns the index of the item with this id; nil when it has not begun.
  func index(of item: ItemID, in step: Int) -> Int? {
    lists[step]?.number(of: item.key).map { ItemPlace(step: step, number: $0).index }
  }

  // MARK: Changes

  mutating func open(_ step: Int, count: Int, digest: String) {
    lists[step] = ItemStates(of: steps[step].id, count: count, digest: digest)
  }

  mutating func restore(_ items: ItemStates, of step: Int) { lists[step] = items }

  mutating func drop(_ step: Int) { lists[step] = nil }

  mutating func change<Result>(_ step: Int, _ body: (inout ItemStates) -> Result) -> Result? {
    guard lists[step] != nil else { return nil }
    return body(&lists[step]!)
  }

  /// Adds the next item of a step.
  /// - Returns: its index; nil when the step is not open, or has no further item.
  mutating func begin(_ item: ItemID, of step: Int) -> Int? {
    guard case .open = steps[step].stage, let list = lists[step], list.begun < list.count else { return nil }
    let place = ItemPlace(step: step, number: list.begun)
    var state = StepState(id: item.text)
    state.item = StepState.Item(step: item.step, key: item.key, number: place.number)
    state.round = steps[step].round
    lists[step]!.append(state)
    return place.index
  }
}

/// The place of an item: the index of its step, and its number among the step's items. Both are in one index.
struct ItemPlace {
  let step: Int
  let number: Int

  private static let bits = 20

  init(step: Int, number: Int) {
    self.step = step
    self.number = number
  }

  /// Nil for the index of a step of the definition.
  init?(_ index: Int) {
    guard index >> Self.bits > 0 else { return nil }
    self.init(step: index >> Self.bits - 1, number: index & (1 << Self.bits - 1))
  }

  var index: Int { (step + 1) << Self.bits | number }

  /// Returns the index of the step of the definition: of an item, the step that has it.
  static func step(of index: Int) -> Int { ItemPlace(index)?.step ?? index }
}

/// The items of a step with `forEach` that have begun, and how they are. Items begin in their order.
public struct ItemStates: Sendable {
  /// The number of items of the step.
  public let count: Int
  /// A digest of all keys. It shows that the items which are computed again are the same.
  let digest: String
  fileprivate(set) var states: ItemList
  /// The numbers of failed items that an operator retries, as far as they have not begun again.
  private(set) var again: StepSet
  /// The number of items in `again`.
  private(set) var queued = 0
  /// The lowest number of an item whose undo has begun. Undos begin with the last item. Nil when none has begun.
  private(set) var undoneFrom: Int?
  /// The highest round of an item.
  private(set) var rounds = 1
  /// The bytes of the outputs and inputs of all items.
  private(set) var bytes = 0
  /// What the items are. The caller of the core computes it from the saga's document; nil until then.
  var values: ItemValues?
  /// Whether the items were computed again, and were other ones or none. Nothing computes them a third time.
  var isLost = false
  private var keys = KeyIndex()
  private var tallies = Array(repeating: 0, count: StepStatus.allCases.count * RoundOutcome.allCases.count)

  /// - Parameter step: the id of the step.
  init(of step: String, count: Int, digest: String) {
    self.count = count
    self.digest = digest
    states = ItemList(step: step)
    again = StepSet(count: count)
  }

  /// The number of items that have begun.
  public var begun: Int { states.count }

  public subscript(number: Int) -> StepState { states[number] }

  /// Returns the status of an item that has begun. To read it costs less than to read the state.
  public func status(of number: Int) -> StepStatus { states.slot(number).status }

  /// Returns the number of items with a status. An item that has not begun is pending.
  public func count(of status: StepStatus) -> Int {
    (status == .pending ? count - begun : 0)
      + RoundOutcome.allCases.reduce(0) { $0 + tallies[Self.tally(status, $1)] }
  }

  /// Returns the number of items with a status and an outcome that have begun.
  func count(of status: StepStatus, _ outcome: RoundOutcome) -> Int { tallies[Self.tally(status, outcome)] }

  /// The number of items that have failed and that no operator retries.
  public var failures: Int { count(of: .failed) - queued }

  /// The number of items that are under way, forward.
  var underWay: Int { count(of: .running) + count(of: .backingOff) + count(of: .waiting) }

  fileprivate func number(of key: String) -> Int? { keys.number(of: key) { states.slot($0).hasKey(key) } }

  // MARK: Changes

  mutating func append(_ state: StepState) { append(state, ItemSlot(state)) }

  /// - Parameter slot: the same state as the list keeps it.
  mutating func append(_ state: StepState, _ slot: ItemSlot) {
    keys.add(state.item?.key ?? "", states.count)
    states.append(slot)
    tallies[Self.tally(state.status, state.outcome)] += 1
    rounds = max(rounds, state.round)
    bytes += state.bytesKept
  }

  /// Counts the change of an item.
  mutating func note(_ number: Int, before: StepState, after: StepState) {
    tallies[Self.tally(before.status, before.outcome)] -= 1
    tallies[Self.tally(after.status, after.outcome)] += 1
    rounds = max(rounds, after.round)
    // An output comes when an item ends, and an input when an operator retries it.
    if before.status != after.status || after.input != nil { bytes += after.bytesKept - before.bytesKept }
    switch after.status {
    case .undoing, .undone, .undoFailed: undoneFrom = min(undoneFrom ?? number, number)
    case .pending, .running, .backingOff, .waiting, .succeeded, .failed, .skipped: break
    }
  }

  mutating func queue(_ number: Int) {
    guard !again.contains(number) else { return }
    again.insert(number)
    queued += 1
  }

  mutating func unqueue(_ number: Int) {
    guard again.contains(number) else { return }
    again.remove(number)
    queued -= 1
  }

  mutating func clearQueue() {
    guard queued > 0 else { return }
    again = StepSet(count: count)
    queued = 0
  }

  /// Queues every item that has failed, with all attempts of its retry policy.
  mutating func queueFailures() {
    for number in 0..<begun where status(of: number) == .failed {
      let before = states[number]
      var state = before
      state.prepareRetry(with: nil)
      states[number] = state
      note(number, before: before, after: state)
      queue(number)
    }
  }

  /// Reads what a snapshot has beside the items that have begun.
  mutating func restore(again: [Int], undoneFrom: Int?, rounds: Int) {
    for number in again where number < count { queue(number) }
    self.undoneFrom = undoneFrom
    self.rounds = max(self.rounds, rounds)
  }

  private static func tally(_ status: StepStatus, _ outcome: RoundOutcome) -> Int {
    status.position * RoundOutcome.allCases.count + outcome.position
  }
}

extension ItemStates: Hashable {
  // The other members follow from these, or from the saga's document.
  public static func == (left: ItemStates, right: ItemStates) -> Bool {
    left.count == right.count && left.digest == right.digest && left.states == right.states && left.again == right.again
      && left.undoneFrom == right.undoneFrom && left.rounds == right.rounds
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(digest)
    hasher.combine(states)
  }
}

extension StepState {
  /// The bytes of its output, and of the input that an operator gave it.
  var bytesKept: Int {
    let meter = Meter(Budget(steps: .max, bytes: .max, text: .max))
    if let output { _ = meter.produce(output) }
    if let input { _ = meter.produce(input) }
    return meter.bytesProduced
  }
}

extension StepStatus {
  /// Its position among all cases.
  var position: Int {
    switch self {
    case .pending: 0
    case .running: 1
    case .backingOff: 2
    case .waiting: 3
    case .succeeded: 4
    case .failed: 5
    case .skipped: 6
    case .undoing: 7
    case .undone: 8
    case .undoFailed: 9
    }
  }
}

extension RoundOutcome {
  fileprivate var position: Int {
    switch self {
    case .none: 0
    case .succeeded: 1
    case .failed: 2
    case .unknown: 3
    }
  }
}

/// The numbers of items by their keys. It is in two levels, so that a change in a copy copies little.
struct KeyIndex: Sendable {
  private static let branch = 64
  private var buckets = Array(repeating: Array(repeating: [Entry](), count: branch), count: branch)

  /// The hash is kept, so that a search compares few keys, also among 100,000.
  private struct Entry {
    let hash: Int32
    let number: Int32
  }

  func number(of key: String, where isKey: (Int) -> Bool) -> Int? {
    let (high, low, hash) = Self.bucket(of: key)
    return buckets[high][low].first { $0.hash == hash && isKey(Int($0.number)) }.map { Int($0.number) }
  }

  mutating func add(_ key: String, _ number: Int) {
    let (high, low, hash) = Self.bucket(of: key)
    buckets[high][low].append(Entry(hash: hash, number: Int32(number)))
  }

  private static func bucket(of key: String) -> (high: Int, low: Int, hash: Int32) {
    let hash = key.hashValue
    return ((hash >> 6) & (branch - 1), hash & (branch - 1), Int32(truncatingIfNeeded: hash >> 12))
  }
}
