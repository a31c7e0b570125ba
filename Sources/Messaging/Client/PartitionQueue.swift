/// The messages of one partition that came and are not committed: a value, without thread and clock.
///
/// Messages of one key are handled one after the other, in order; messages without a key count as one key. Messages of
/// different keys are handled in parallel, at most `limit` at once. An offset is committed when all messages before it
/// are handled.
struct PartitionQueue: Sendable {
  /// The largest number of messages that are handled at once.
  let limit: Int
  private var waiting: [KafkaMessage] = []
  private var busyKeys: Set<[UInt8]> = []
  private var underWay: [Int64: [UInt8]] = [:]
  /// The messages under way whose handlers are in backoff.
  private var inBackoff: Set<Int64> = []
  /// The messages in order of their offsets. A handled message stays until all messages before it are handled.
  private var open: [(offset: Int64, isDone: Bool)] = []
  /// The offset to commit: all messages before it are handled. Nil until the first message is handled.
  private(set) var committable: Int64?
  private(set) var isClosed = false

  init(limit: Int) { self.limit = limit }

  /// The number of messages that are not handled.
  var load: Int { waiting.count + underWay.count }
  /// Whether no handler runs. A handler in backoff does not count.
  var isIdle: Bool { underWay.count == inBackoff.count }
  /// The number of messages from the oldest one that is not handled.
  var ahead: Int { open.count }
  /// The offset of the oldest message that is not handled, or the offset after the last message; nil before the first.
  var next: Int64? { open.first?.offset ?? committable }

  /// Adds a message. A message that came before, for example after a pause, is ignored.
  mutating func add(_ message: KafkaMessage) {
    if let last = open.last?.offset ?? committable.map({ $0 - 1 }), message.offset <= last { return }
    open.append((message.offset, false))
    waiting.append(message)
  }

  /// Returns the messages whose handlers begin now.
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

  /// Notes that a message's handler is in backoff.
  mutating func backOff(_ offset: Int64) { if underWay[offset] != nil { inBackoff.insert(offset) } }

  /// Notes that a message's handler begins an attempt.
  /// - Returns: false when the partition was given up. Then the handler does not run, and nothing waits for it.
  mutating func resume(_ offset: Int64) -> Bool {
    inBackoff.remove(offset)
    if isClosed { underWay[offset] = nil }
    return !isClosed
  }

  /// Notes that a message's effect is durable.
  mutating func finish(_ offset: Int64) {
    guard let key = underWay.removeValue(forKey: offset) else { return }
    busyKeys.remove(key)
    if let index = place(of: offset) { open[index].isDone = true }
    let done = open.prefix(while: \.isDone)
    guard let last = done.last else { return }
    committable = last.offset + 1
    open.removeFirst(done.count)
  }

  /// Returns the index of a message, by binary search: offsets only grow.
  private func place(of offset: Int64) -> Int? {
    var (low, high) = (0, open.count)
    while low < high {
      let middle = (low + high) / 2
      if open[middle].offset < offset { low = middle + 1 } else { high = middle }
    }
    return low < open.count && open[low].offset == offset ? low : nil
  }

  /// Gives up the partition: no new handler begins.
  mutating func close() {
    isClosed = true
    waiting = []
  }
}
