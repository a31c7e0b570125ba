import Messaging
import Persistence
import Values

/// The progress of the echo in one shard: a value, without client and clock.
///
/// Positions are sent in order, each once, until a report says that one failed. Then nothing more is sent until all
/// messages on their way have been reported. Sending continues at the first position that failed. So a consumer may see
/// an event again, but it never misses one, and never sees a later event in place of an earlier one. Events of a refused
/// batch are sent one by one, to find the event that the broker refuses.
struct EchoShard: Sendable {
  /// The events to send next.
  private var tail: ShardTail
  /// All positions up to this one are delivered or are dead letters.
  private(set) var delivered: Int64
  /// Distinguishes reports of events that were sent before the last restart from current ones.
  private(set) var epoch: UInt64 = 0
  private(set) var onTheWay = 0
  /// The position at which sending begins again when nothing is on its way any more; nil without a failure.
  private(set) var failedFrom: Int64?
  /// The positions that the broker refused, or that were in a batch with a refused one.
  private(set) var suspects: Set<Int64> = []
  /// The position that is on its way alone; nil when there is none.
  private(set) var alone: Int64?
  /// The position that was refused when it was sent alone. The broker will never take it.
  private(set) var refused: (position: Int64, error: KafkaError)?
  /// The end of the backoff; nothing is sent before.
  var notBefore: Timestamp?
  private(set) var failures = 0
  private var early: Set<Int64> = []
  private var sent = SentTimes()

  init(shard: Int, checkpoint: Int64, head: Int64) {
    tail = ShardTail(shard: shard, after: checkpoint, head: head)
    delivered = checkpoint
  }

  var shard: Int { tail.shard }
  /// The last position known to be committed.
  var head: Int64 { tail.head }
  /// Whether more events may have been committed after `head`.
  var hasMore: Bool { tail.hasMore }
  /// The next position to send.
  var next: Int64 { tail.next }
  var isDone: Bool { delivered >= head && !hasMore }
  /// The number of buffered events.
  var countBuffered: Int { tail.buffer.count }
  /// The time at which the oldest undelivered event was recorded; nil when it is not known.
  var oldest: Timestamp? { sent.first ?? tail.buffer.first?.recordedAt }

  // MARK: Events to send

  /// Notes that events were committed.
  /// - Parameter limit: the largest number of events to buffer. The others are read from the store later.
  mutating func commit(_ run: CommittedRun, keeping limit: Int = .max) { tail.commit(run, keeping: limit) }

  /// Notes that all positions up to this one are committed.
  mutating func grew(to position: Int64) { tail.grew(to: position) }

  /// Takes events that were read from the tail, from a position before `next`. An event may have become a dead letter
  /// during the read.
  /// - Parameter limit: the number of events that was asked for.
  mutating func read(_ events: [StoredEvent], limit: Int) { tail.read(events, limit: limit) }

  /// Whether the tail has to be read before anything can be sent.
  var needsTail: Bool { failedFrom == nil && alone == nil && tail.needsRead }

  /// Returns the event to send now; nil when there is none, or when it must wait.
  mutating func nextToSend() -> StoredEvent? {
    if let from = failedFrom {
      guard onTheWay == 0 else { return nil }
      // A later event that was refused is sent again in order.
      refused = nil
      restart(after: from - 1)
    }
    guard alone == nil, refused == nil, let event = tail.buffer.first else { return nil }
    if suspects.contains(event.position), onTheWay > 0 { return nil }
    return event
  }

  /// Notes that the event from `nextToSend` is on its way.
  mutating func didSend() {
    guard let event = tail.take() else { return }
    sent.append(event.position, event.recordedAt)
    onTheWay += 1
    if suspects.contains(event.position) { alone = event.position }
  }

  /// Notes that the event from `nextToSend` is not published.
  mutating func didSkip() {
    guard let event = tail.take() else { return }
    settle(event.position)
  }

  /// Notes that the event from `nextToSend` can't be sent at all.
  mutating func didRefuse(_ error: KafkaError) {
    guard let event = tail.buffer.first else { return }
    refused = (event.position, error)
  }

  /// The refused event that must become a dead letter; nil until it is buffered and nothing is on its way.
  var refusedEvent: StoredEvent? {
    guard let refused, let event = tail.buffer.first, event.position == refused.position, onTheWay == 0,
      failedFrom == nil
    else { return nil }
    return event
  }

  /// Notes that the refused event is in the dead-letter topic.
  mutating func didBury(_ position: Int64) {
    guard refused?.position == position else { return }
    refused = nil
    suspects.remove(position)
    if tail.buffer.first?.position == position { tail.take() } else { tail.restart(after: position) }
    settle(position)
  }

  // MARK: Reports

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

  // MARK: Rewind

  /// Sends all events after a position again.
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
    // Events that a later batch delivered are sent again too, so that positions only go up.
    early = []
    sent = SentTimes()
    tail.restart(after: position)
  }
}

/// The recording times of the events on their way, in order.
struct SentTimes: Sendable {
  private var positions: [Int64] = []
  private var times: [Timestamp] = []
  private var start = 0

  var first: Timestamp? { start < times.count ? times[start] : nil }

  mutating func append(_ position: Int64, _ time: Timestamp) {
    positions.append(position)
    times.append(time)
  }

  mutating func drop(upTo position: Int64) {
    while start < positions.count, positions[start] <= position { start += 1 }
    if start > 512, start * 2 > positions.count {
      positions.removeFirst(start)
      times.removeFirst(start)
      start = 0
    }
  }
}
