import Persistence
import Values

/// Where a stream ends: what the next event of it builds on.
struct StreamHead: Sendable, Hashable {
  var version: Int
  var hash: [UInt8]
  /// Position of the last event.
  var position: Int64

  static let none = StreamHead(version: 0, hash: EventHash.start, position: 0)
}

/// The ends of the streams that were written last. It holds between half and all of its capacity: what wasn't touched
/// while the younger half filled up is forgotten, and read again when it is needed.
struct StreamHeads {
  private let capacity: Int
  private var young: [UniqueID: StreamHead] = [:]
  private var old: [UniqueID: StreamHead] = [:]

  init(capacity: Int) { self.capacity = capacity }

  subscript(stream: UniqueID) -> StreamHead? {
    mutating get {
      if let head = young[stream] { return head }
      guard let head = old[stream] else { return nil }
      remember(head, of: stream)
      return head
    }
  }

  mutating func remember(_ head: StreamHead, of stream: UniqueID) {
    if young.count >= max(1, capacity / 2), young[stream] == nil {
      old = young
      young.removeAll(keepingCapacity: true)
    }
    young[stream] = head
  }

  mutating func forget(_ stream: UniqueID) {
    young[stream] = nil
    old[stream] = nil
  }

  mutating func forgetAll() {
    young = [:]
    old = [:]
  }
}
