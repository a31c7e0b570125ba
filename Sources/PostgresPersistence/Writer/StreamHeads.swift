import Persistence
import Values

/// The end of a stream, on which its next event builds.
struct StreamHead: Sendable, Hashable {
  var version: Int
  var hash: [UInt8]
  /// The position of the last event.
  var position: Int64

  static let none = StreamHead(version: 0, hash: EventHash.start, position: 0)
}

/// The ends of the streams that were written last. It keeps between half of its capacity and all of it. A stream that
/// is not used while the younger half fills is forgotten, and is read again when needed.
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
