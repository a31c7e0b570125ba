import Values

/// Remembers the ends of the streams that a walk met last. It forgets streams that were not met for a while; the walk
/// reads them again when needed. So the memory is bounded for any number of streams.
struct StreamMemory {
  struct End {
    let version: Int
    let hash: [UInt8]
  }
  private let capacity: Int
  private var young: [UniqueID: End] = [:]
  private var old: [UniqueID: End] = [:]

  init(capacity: Int) { self.capacity = capacity }

  subscript(stream: UniqueID) -> End? { young[stream] ?? old[stream] }

  mutating func remember(_ event: StoredEvent) {
    if young.count >= max(1, capacity / 2), young[event.stream] == nil {
      old = young
      young = [:]
    }
    young[event.stream] = End(version: event.version, hash: event.hash)
  }
}
