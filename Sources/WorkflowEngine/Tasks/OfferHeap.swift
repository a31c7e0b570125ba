import SagaCore
import Values

/// The tasks of one queue that wait, the one that was offered first at the top. Entries of tasks that no longer wait are
/// stale and are skipped.
struct OfferHeap {
  struct Entry: Comparable {
    let offeredAt: Timestamp
    /// Decides at the same time: the task that is known longer comes first.
    let number: Int
    let task: TaskID

    static func < (left: Entry, right: Entry) -> Bool {
      (left.offeredAt, left.number) < (right.offeredAt, right.number)
    }

    static func == (left: Entry, right: Entry) -> Bool { left.number == right.number }
  }
  private var entries: [Entry] = []

  var count: Int { entries.count }

  init() {}

  init(_ entries: [Entry]) { self.entries = entries.sorted() }

  mutating func insert(_ entry: Entry) {
    entries.append(entry)
    var child = entries.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard entries[child] < entries[parent] else { return }
      entries.swapAt(child, parent)
      child = parent
    }
  }

  mutating func popFirst() -> Entry? {
    guard let first = entries.first, let last = entries.popLast() else { return nil }
    if entries.isEmpty { return first }
    entries[0] = last
    var parent = 0
    while true {
      let left = 2 * parent + 1
      guard left < entries.count else { return first }
      let right = left + 1
      let child = right < entries.count && entries[right] < entries[left] ? right : left
      guard entries[child] < entries[parent] else { return first }
      entries.swapAt(child, parent)
      parent = child
    }
  }
}
