import Messaging
import Persistence
import Runtime
import Values

/// How far the echo has come in one shard: a value, with no client and no clock.
///
/// Positions go out in order, each once, until one is reported to have failed. Then nothing more goes out before all that
/// is on its way has been reported, and sending begins again at the first that failed: so a consumer sees an event again
/// rather than not at all, and never a later one in place of an earlier one. Events of a batch that the broker refused
/// are sent one by one, to find the one that it means.
struct EchoShard: Sendable {
  let shard: Int
  /// The last position known to be committed.
  private(set) var head: Int64
  /// More may have been committed behind `head`: only the end of the tail can tell. Nothing else takes this back, for what
  /// the feed gives later may be of earlier.
  private(set) var hasMore = false
  /// All up to here have been delivered or buried.
  private(set) var delivered: Int64
  var checkpoint: Int64
  /// The next position to send.
  private(set) var next: Int64
  /// Tells reports of what was sent before a rewind from those of now.
  private(set) var epoch: UInt64 = 0
  private(set) var onTheWay = 0
  /// Sending begins here again when nothing is on its way any more.
  private(set) var failedFrom: Int64?
  /// Refused by the broker, or sent together with what it refused.
  private(set) var suspects: Set<Int64> = []
  /// The position that is on its way alone.
  private(set) var alone: Int64?
  /// Refused when sent alone: the broker will never take it.
  private(set) var refused: (position: Int64, error: KafkaError)?
  /// Nothing is sent before.
  var notBefore: Timestamp?
  private(set) var failures = 0
  private var early: Set<Int64> = []
  /// Events in hand, contiguous from `next`.
  private var ready: ArraySlice<StoredEvent> = []
  private var sent = MomentLine()

  init(shard: Int, checkpoint: Int64, head: Int64) {
    self.shard = shard
    self.head = head
    self.checkpoint = checkpoint
    delivered = checkpoint
    next = checkpoint + 1
  }

  var isDone: Bool { delivered >= head && !hasMore }
  var countInHand: Int { ready.count }
  /// When the oldest event that was not delivered was recorded, as far as is known.
  var oldest: Timestamp? { sent.first ?? ready.first?.recordedAt }

  // MARK: What there is to send

  /// Something was committed.
  /// - Parameter limit: how many events are kept in hand; the store has the others, too.
  mutating func commit(_ run: CommittedRun, keeping limit: Int = .max) {
    if let last = run.events.last { grew(to: last.position) }
    if run.isCut { hasMore = true }
    let wanted = ready.last.map { $0.position + 1 } ?? next
    // Where it doesn't follow on what is in hand, the tail is read when its turn comes.
    guard let first = run.events.first, first.position <= wanted, let last = run.events.last, last.position >= wanted
    else { return }
    ready += run.events[Int(wanted - first.position)...].prefix(max(0, limit - ready.count))
  }

  /// So much has been committed, whoever says it.
  mutating func grew(to position: Int64) { head = max(head, position) }

  /// The tail was read from a position before `next`.
  mutating func read(_ events: [StoredEvent], isEnd: Bool) {
    // Something may have been buried while it was read.
    let page = events.drop { $0.position < next }
    ready = page.first?.position == next ? page : []
    if let last = events.last { grew(to: last.position) }
    // A full page says that there may be more, too.
    hasMore = !isEnd
  }

  /// Whether the tail has to be read before anything can be sent.
  var needsTail: Bool { failedFrom == nil && alone == nil && ready.isEmpty && (next <= head || hasMore) }

  /// The event to send now, if there is one and nothing stands in its way.
  mutating func nextToSend() -> StoredEvent? {
    if let from = failedFrom {
      guard onTheWay == 0 else { return nil }
      // What couldn't be sent behind it comes again in its turn.
      refused = nil
      restart(after: from - 1)
    }
    guard alone == nil, refused == nil, let event = ready.first else { return nil }
    if suspects.contains(event.position), onTheWay > 0 { return nil }
    return event
  }

  /// The event that `nextToSend` gave is on its way.
  mutating func didSend() {
    guard let event = takeFirst() else { return }
    sent.append(event.position, event.recordedAt)
    onTheWay += 1
    next = event.position + 1
    if suspects.contains(event.position) { alone = event.position }
  }

  private mutating func takeFirst() -> StoredEvent? {
    defer { if ready.isEmpty { ready = [] } }
    return ready.popFirst()
  }

  /// The event that `nextToSend` gave is nobody's business outside.
  mutating func didSkip() {
    guard let event = takeFirst() else { return }
    next = event.position + 1
    settle(event.position)
  }

  /// The event that `nextToSend` gave can't be sent at all.
  mutating func didRefuse(_ error: KafkaError) {
    guard let event = ready.first else { return }
    refused = (event.position, error)
  }

  /// What was refused and is to be buried, once it is in hand and nothing is on its way.
  var refusedEvent: StoredEvent? {
    guard let refused, let event = ready.first, event.position == refused.position, onTheWay == 0, failedFrom == nil
    else { return nil }
    return event
  }

  /// What was refused lies with the dead letters.
  mutating func didBury(_ position: Int64) {
    guard refused?.position == position else { return }
    refused = nil
    suspects.remove(position)
    if ready.first?.position == position { ready.removeFirst() }
    next = position + 1
    settle(position)
  }

  // MARK: What became of it

  mutating func report(_ position: Int64, epoch: UInt64, _ error: KafkaError?) {
    guard epoch == self.epoch else { return }
    onTheWay -= 1
    let wasAlone = alone == position
    if wasAlone { alone = nil }
    guard let error else {
      suspects.remove(position)
      failures = 0
      settle(position)
      return
    }
    if error.refusesTheMessage {
      if wasAlone {
        refused = (position, error)
        restart(after: position - 1)
        return
      }
      suspects.insert(position)
    }
    if failedFrom == nil { failures += 1 }
    failedFrom = min(failedFrom ?? position, position)
  }

  private mutating func settle(_ position: Int64) {
    guard position == delivered + 1 else {
      if position > delivered { early.insert(position) }
      return
    }
    delivered = position
    while !early.isEmpty, early.remove(delivered + 1) != nil { delivered += 1 }
    sent.drop(upTo: delivered)
  }

  // MARK: Going back

  /// Sends again what stands behind a position.
  mutating func rewind(to position: Int64) {
    suspects = []
    refused = nil
    alone = nil
    delivered = position
    restart(after: position)
  }

  private mutating func restart(after position: Int64) {
    epoch += 1
    onTheWay = 0
    failedFrom = nil
    // What a later batch brought there is sent again too, so that positions only go up.
    early = []
    ready = []
    sent = MomentLine()
    next = position + 1
  }
}

/// When the events that are on their way were recorded, in order.
struct MomentLine: Sendable {
  private var positions: [Int64] = []
  private var moments: [Timestamp] = []
  private var start = 0

  var first: Timestamp? { start < moments.count ? moments[start] : nil }

  mutating func append(_ position: Int64, _ moment: Timestamp) {
    positions.append(position)
    moments.append(moment)
  }

  mutating func drop(upTo position: Int64) {
    while start < positions.count, positions[start] <= position { start += 1 }
    if start > 512, start * 2 > positions.count {
      positions.removeFirst(start)
      moments.removeFirst(start)
      start = 0
    }
  }
}
