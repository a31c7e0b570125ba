import JSON
import Values

/// A list of the states of a step's items in three levels. A change of one state in a copied list copies 16 references
/// and some 100 others.
struct ItemList: Sendable, Hashable {
  private static let leaf = 16
  private static let branch = 64
  /// The id of the step.
  let step: String
  private(set) var root: [[[ItemSlot]]] = []
  private(set) var count = 0

  init(step: String) { self.step = step }

  subscript(number: Int) -> StepState {
    get { slot(number).state(of: step, number) }
    set {
      let (trunk, branch, leaf) = Self.place(of: number)
      root[trunk][branch][leaf] = ItemSlot(newValue)
    }
  }

  mutating func append(_ item: ItemSlot) {
    if count % (Self.leaf * Self.branch) == 0 { root.append([]) }
    if count % Self.leaf == 0 { root[root.count - 1].append([]) }
    root[root.count - 1][root[root.count - 1].count - 1].append(item)
    count += 1
  }

  func slot(_ number: Int) -> ItemSlot {
    let (trunk, branch, leaf) = Self.place(of: number)
    return root[trunk][branch][leaf]
  }

  private static func place(of number: Int) -> (trunk: Int, branch: Int, leaf: Int) {
    (number / (leaf * branch), number / leaf % branch, number % leaf)
  }
}

/// The state of one item in the list. A state has room for everything that can happen to a step, and most of 100,000
/// items have settled. So a settled item is kept as a short text, and only the others are kept whole.
enum ItemSlot: Sendable, Hashable {
  case settled(SettledItem)
  case whole(WholeItem)

  init(_ state: StepState) { self = SettledItem(state).map { .settled($0) } ?? .whole(WholeItem(state)) }

  /// - Parameter text: the text of a snapshot from which the state was read.
  init(_ state: StepState, readFrom text: ArraySlice<UInt8>) {
    self = SettledItem(state, readFrom: text).map { .settled($0) } ?? ItemSlot(state)
  }

  /// The text of a settled item.
  var text: ArraySlice<UInt8>? { if case .settled(let item) = self { item.text } else { nil } }

  var status: StepStatus {
    switch self {
    case .settled(let item): item.status
    case .whole(let item): item.state.status
    }
  }

  /// - Parameters:
  ///   - step: the id of the step that has the item.
  ///   - number: the number of the item among those of the step.
  func state(of step: String, _ number: Int) -> StepState {
    switch self {
    case .settled(let item): item.state(of: step, number)
    case .whole(let item): item.state
    }
  }

  func hasKey(_ key: String) -> Bool {
    switch self {
    case .settled(let item): item.hasKey(key)
    case .whole(let item): item.state.item?.key == key
    }
  }
}

/// An item that is under way, or whose answer is too large for a text that is read again and again.
final class WholeItem: Sendable, Hashable {
  let state: StepState

  init(_ state: StepState) { self.state = state }

  static func == (left: WholeItem, right: WholeItem) -> Bool { left.state == right.state }
  func hash(into hasher: inout Hasher) { hasher.combine(state) }
}

/// An item that has succeeded, failed, was skipped or undone: its status, and the text of its short form in a snapshot.
struct SettledItem: Sendable, Hashable {
  /// The position of the status, then the text.
  private let bytes: [UInt8]
  private static let statuses = StepStatus.allCases
  /// The most bytes of the output and the input of an item that is kept as text.
  private static let mostKept = 4_096

  /// Nil for an item that has not settled, that is large, or that a text would not give back as it is.
  init?(_ state: StepState) {
    guard let item = state.item, state.bytesKept <= Self.mostKept, let short = state.short else { return nil }
    self.init(state.status, short.bytes()[...])
    guard Self.read(text, of: item.step, item.number) == state else { return nil }
  }

  /// Nil also for a text that this version would not write.
  init?(_ state: StepState, readFrom text: ArraySlice<UInt8>) {
    guard let item = state.item, state.bytesKept <= Self.mostKept else { return nil }
    self.init(state.status, text)
    guard hasKey(item.key) else { return nil }
  }

  private init(_ status: StepStatus, _ text: ArraySlice<UInt8>) {
    // The array has only the room that it needs.
    bytes = Array(unsafeUninitializedCapacity: text.count + 1) { buffer, count in
      buffer[0] = UInt8(status.position)
      count = 1
      for byte in text {
        buffer[count] = byte
        count += 1
      }
    }
  }

  var status: StepStatus { Self.statuses[Int(bytes[0])] }
  var text: ArraySlice<UInt8> { bytes.dropFirst() }

  func state(of step: String, _ number: Int) -> StepState {
    guard let state = Self.read(text, of: step, number) else {
      preconditionFailure("The text of an item was read when it was made.")
    }
    return state
  }

  /// Returns whether the item has this key. A key has nothing that is escaped in a text, and is its first member.
  func hasKey(_ key: String) -> Bool {
    let beginning = #"{"key":""#.utf8
    return text.dropFirst(beginning.count).starts(with: (key + "\"").utf8)
  }

  private static func read(_ text: ArraySlice<UInt8>, of step: String, _ number: Int) -> StepState? {
    let json = text.withUnsafeBufferPointer { try? JSON(parsing: $0, limits: .stored) }
    return json.flatMap { try? StepState(short: $0, of: step, number) }
  }

  // Objects are equal in any order of their members.
  static func == (left: SettledItem, right: SettledItem) -> Bool {
    left.bytes == right.bytes || left.state(of: "", 0) == right.state(of: "", 0)
  }

  func hash(into hasher: inout Hasher) { hasher.combine(state(of: "", 0)) }
}
