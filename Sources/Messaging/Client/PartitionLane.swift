/// The messages of one partition that have come and are not committed: a value, with no thread and no clock.
///
/// Messages of one key are worked on one after the other, in their order, those without a key as if they had the same
/// one; others side by side, so many at a time. An offset is committed when everything before it is done.
struct PartitionLane: Sendable {
  let limit: Int
  private var waiting: [KafkaMessage] = []
  private var busyKeys: Set<[UInt8]> = []
  private var underWay: [Int64: [UInt8]] = [:]
  /// Those under way that wait before they are tried again.
  private var resting: Set<Int64> = []
  /// In order; those done stay until everything before them is.
  private var open: [(offset: Int64, isDone: Bool)] = []
  /// The offset after the last one that everything before is done of; nil before the first.
  private(set) var committable: Int64?
  private(set) var isClosed = false

  init(limit: Int) { self.limit = limit }

  /// Messages that are here and not done.
  var load: Int { waiting.count + underWay.count }
  var isIdle: Bool { underWay.count == resting.count }
  /// How many have come since the oldest that is not done.
  var ahead: Int { open.count }
  /// The offset of the oldest that is not done, or the one after the last; nil before the first.
  var next: Int64? { open.first?.offset ?? committable }

  /// A message has come. One that came before, as after a pause, is passed over.
  mutating func add(_ message: KafkaMessage) {
    if let last = open.last?.offset ?? committable.map({ $0 - 1 }), message.offset <= last { return }
    open.append((message.offset, false))
    waiting.append(message)
  }

  /// The messages to begin with now.
  mutating func start() -> [KafkaMessage] {
    guard !isClosed, underWay.count < limit, !waiting.isEmpty else { return [] }
    var started: [KafkaMessage] = []
    var held: Set<[UInt8]> = busyKeys
    waiting.removeAll { message in
      let key = message.key ?? []
      guard underWay.count < limit, held.insert(key).inserted else { return false }
      busyKeys.insert(key)
      underWay[message.offset] = key
      started.append(message)
      return true
    }
    return started
  }

  mutating func rest(_ offset: Int64) { if underWay[offset] != nil { resting.insert(offset) } }

  /// - Returns: false when the partition was given up.
  mutating func goOn(_ offset: Int64) -> Bool {
    guard !isClosed else { return false }
    resting.remove(offset)
    return true
  }

  /// The effect of a message is durable.
  mutating func finish(_ offset: Int64) {
    guard let key = underWay.removeValue(forKey: offset) else { return }
    busyKeys.remove(key)
    if let index = place(of: offset) { open[index].isDone = true }
    let done = open.prefix(while: \.isDone)
    guard let last = done.last else { return }
    committable = last.offset + 1
    open.removeFirst(done.count)
  }

  /// Offsets only go up.
  private func place(of offset: Int64) -> Int? {
    var (low, high) = (0, open.count)
    while low < high {
      let middle = (low + high) / 2
      if open[middle].offset < offset { low = middle + 1 } else { high = middle }
    }
    return low < open.count && open[low].offset == offset ? low : nil
  }

  /// The partition is given up: nothing new begins.
  mutating func close() {
    isClosed = true
    waiting = []
  }
}
