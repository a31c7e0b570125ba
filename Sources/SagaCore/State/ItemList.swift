import JSON
import Values

/// A list of states in three levels. A change of one state in a copied list copies 16 references and some 100 others.
struct ItemList: Sendable, Hashable {
  private static let leaf = 16
  private static let branch = 64
  private(set) var root: [[[ItemSlot]]] = []
  private(set) var count = 0

  subscript(index: Int) -> StepState {
    get { root[index / (Self.leaf * Self.branch)][index / Self.leaf % Self.branch][index % Self.leaf].state }
    _modify {
      let (trunk, branch, leaf) = (
        index / (Self.leaf * Self.branch), index / Self.leaf % Self.branch, index % Self.leaf
      )
      var state = root[trunk][branch][leaf].state
      defer { root[trunk][branch][leaf] = ItemSlot(state) }
      yield &state
    }
  }

  mutating func append(_ state: StepState) {
    if count % (Self.leaf * Self.branch) == 0 { root.append([]) }
    if count % Self.leaf == 0 { root[root.count - 1].append([]) }
    root[root.count - 1][root[root.count - 1].count - 1].append(ItemSlot(state))
    count += 1
  }
}

/// The state of one item in the list. A state has room for everything that can happen to a step. Of 100,000 items nearly
/// all have succeeded or are undone, and have little of it.
enum ItemSlot: Sendable, Hashable {
  case done(DoneItem)
  case other(OtherItem)

  init(_ state: StepState) { self = DoneItem(state).map { .done($0) } ?? .other(OtherItem(state)) }

  var state: StepState {
    switch self {
    case .done(let item): item.state
    case .other(let item): item.state
    }
  }
}

/// The whole state of an item.
final class OtherItem: Sendable, Hashable {
  let state: StepState

  init(_ state: StepState) { self.state = state }

  static func == (left: OtherItem, right: OtherItem) -> Bool { left.state == right.state }
  func hash(into hasher: inout Hasher) { hasher.combine(state) }
}

/// An item that has succeeded or is undone, without a failure.
final class DoneItem: Sendable, Hashable {
  private let id: String
  private let item: StepState.Item?
  private let round: Int
  private let forward: Attempts
  private let undo: Attempts
  private let awaitedSignal: String?
  private let output: JSON?
  private let answer: CallAnswer?
  private let startedAt: Timestamp?
  private let endedAt: Timestamp?
  private let undoEndedAt: Timestamp?
  /// How it was undone; nil for an item that has succeeded.
  private let undoHow: String?

  /// Nil for a state that has more than this form keeps.
  init?(_ state: StepState) {
    guard state.stage == .succeeded || state.undoHow != nil else { return nil }
    id = state.id
    item = state.item
    round = state.round
    (forward, undo) = (state.forward, state.undo)
    awaitedSignal = state.awaitedSignal
    output = state.output
    answer = state.answer
    (startedAt, endedAt, undoEndedAt) = (state.startedAt, state.endedAt, state.undoEndedAt)
    undoHow = state.undoHow
    guard self.state == state else { return nil }
  }

  var state: StepState {
    var state = StepState(id: id)
    state.item = item
    state.stage = undoHow.map { .undone(how: $0) } ?? .succeeded
    state.round = round
    state.outcome = .succeeded
    (state.forward, state.undo) = (forward, undo)
    state.awaitedSignal = awaitedSignal
    state.output = output
    state.answer = answer
    (state.startedAt, state.endedAt, state.undoEndedAt) = (startedAt, endedAt, undoEndedAt)
    return state
  }

  static func == (left: DoneItem, right: DoneItem) -> Bool { left.state == right.state }
  func hash(into hasher: inout Hasher) { hasher.combine(state) }
}
