/// One shard as a follower reads it: the events after a position, in order, each once, without gaps.
///
/// Events come from the feed, directly from the writer, and from the tail, which the follower reads when the feed has
/// left a gap. Open the feed or the hints first, and then read the head or the tail: one of the two has every event that
/// is committed in between.
public struct ShardTail: Sendable {
  public let shard: Int
  /// The position of the last event known to be committed.
  public private(set) var head: Int64
  /// Whether more events may have been committed after `head`. Only a read to the end of the tail sets this to false,
  /// because the feed may later give events from before.
  public private(set) var hasMore: Bool
  /// The position of the event to take next.
  public private(set) var next: Int64
  /// The buffered events, contiguous from `next`.
  public private(set) var buffer: ArraySlice<StoredEvent> = []

  /// - Parameters:
  ///   - position: the position after which the follower begins.
  ///   - head: the position of the shard's last event; nil when it is not known.
  public init(shard: Int, after position: Int64, head: Int64? = nil) {
    self.shard = shard
    self.head = head ?? position
    hasMore = head == nil
    next = position + 1
  }

  /// Whether every event known to be committed has been taken.
  public var isAtEnd: Bool { next > head && !hasMore }
  /// Whether the tail must be read before an event can be taken: after `next - 1`.
  public var needsRead: Bool { buffer.isEmpty && !isAtEnd }

  // MARK: What was committed

  /// Notes that an unknown number of events was committed.
  public mutating func grew() { hasMore = true }

  /// Notes that all positions up to this one are committed.
  public mutating func grew(to position: Int64) { head = max(head, position) }

  /// Takes events from the feed. When they leave a gap after the buffered events, the tail is read later.
  /// - Parameter limit: the largest number of events to buffer. The others are read from the tail later.
  public mutating func commit(_ run: CommittedRun, keeping limit: Int = .max) {
    if run.isCut { hasMore = true }
    guard let first = run.events.first, let last = run.events.last else { return }
    grew(to: last.position)
    let wanted = buffer.last.map { $0.position + 1 } ?? next
    guard first.position <= wanted, last.position >= wanted else { return }
    buffer += run.events[Int(wanted - first.position)...].prefix(max(0, limit - buffer.count))
  }

  /// Takes a page of the tail that was read after `next - 1`, or after an earlier position.
  /// - Parameter limit: the number of events that was asked for. After a shorter page there are no more.
  public mutating func read(_ page: [StoredEvent], limit: Int) {
    let rest = page.drop { $0.position < next }
    buffer = rest.first?.position == next ? rest : []
    if let last = page.last { grew(to: last.position) }
    hasMore = page.count >= limit
  }

  // MARK: Taking

  /// Takes the first buffered event.
  @discardableResult
  public mutating func take() -> StoredEvent? {
    guard let event = buffer.popFirst() else { return nil }
    if buffer.isEmpty { buffer = [] }
    next = event.position + 1
    return event
  }

  /// Takes all buffered events.
  public mutating func takeAll() -> ArraySlice<StoredEvent> {
    defer { buffer = [] }
    if let last = buffer.last { next = last.position + 1 }
    return buffer
  }

  /// Continues after a position, earlier or later, with no event buffered.
  public mutating func restart(after position: Int64) {
    buffer = []
    next = position + 1
  }
}
