import Persistence
import Runtime
import Synchronization

/// One client of the live stream: first its missed events, then the events that wait to be sent. The queue is limited:
/// a client that reads too slowly gets a message and is disconnected. It reconnects by itself with its cursor.
final class LiveClient: Sendable {
  /// The most bytes that may wait for a client.
  static let mostWaiting = 1 << 20
  /// The approximate number of bytes that are passed on at once.
  private static let chunk = 64 << 10

  fileprivate struct State {
    var waiting: [[UInt8]] = []
    var bytes = 0
    var isOver = false
    var backlog: LiveBacklog?
  }

  let filter: LiveFilter
  private let state: Mutex<State>
  private let changes = WaitQueue()
  private let isAllowed: @Sendable () -> Bool

  /// - Parameter isAllowed: whether the client may still read; asked before each message.
  init(
    filter: LiveFilter, first: [UInt8], backlog: LiveBacklog?,
    while isAllowed: @escaping @Sendable () -> Bool = { true }
  ) {
    self.filter = filter
    self.isAllowed = isAllowed
    state = Mutex(State(waiting: [first], bytes: first.count, backlog: backlog))
  }

  /// - Returns: whether the client keeps up. False once, when it has just been given up.
  func push(_ message: [UInt8]) -> Bool {
    let keepsUp = state.withLock { state in
      guard !state.isOver else { return true }
      let fits = state.bytes + message.count <= Self.mostWaiting
      if fits {
        state.waiting.append(message)
        state.bytes += message.count
      } else {
        let why = "The client did not fetch what was sent; it may come back with Last-Event-ID."
        state.waiting = [LiveMessage.dropped(ServerErrorCode.liveSlow, why)]
        state.backlog = nil
        state.isOver = true
      }
      return fits
    }
    changes.wake()
    return keepsUp
  }

  /// Ends the stream. Waiting events are still sent, except those that would leave a gap after the missed events.
  func end(_ last: [UInt8]) {
    state.withLock { state in
      if state.backlog != nil { state.waiting = [] }
      state.backlog = nil
      if !state.isOver { state.waiting.append(last) }
      state.isOver = true
    }
    changes.wake()
  }

  /// Drops the waiting events of a client that has disconnected.
  func leave() {
    state.withLock { state in
      state.isOver = true
      state.waiting = []
      state.backlog = nil
    }
    changes.wake()
  }

  /// Returns the next bytes to send when the connection has room for them; nil at the end. For one task.
  func next() async -> [UInt8]? {
    while true {
      // A key that was revoked reads nothing more. The next beat of the hub comes here at the latest.
      guard isAllowed() else {
        leave()
        return nil
      }
      // 1. The greeting and the missed events come first. New events wait meanwhile.
      let (greeting, backlog, isOver) = state.withLock { state -> ([UInt8]?, LiveBacklog?, Bool) in
        guard state.backlog?.isGreeted == false else { return (nil, state.backlog, state.isOver) }
        state.backlog?.isGreeted = true
        return (state.take(atMost: 1), nil, state.isOver)
      }
      if let greeting { return greeting }
      if var backlog, !isOver {
        let page = await backlog.page(for: filter)
        let rest = backlog
        if let problem = rest.problem {
          end(problem)
        } else {
          state.withLock { if $0.backlog != nil { $0.backlog = rest.isOver ? nil : rest } }
        }
        if !page.isEmpty { return page }
        continue
      }
      // 2. From here on events are sent as they come.
      if let bytes = state.withLock({ $0.take(atMost: Self.chunk) }) { return bytes }
      if state.withLock({ $0.isOver }) { return nil }
      await changes.wait { [self] in state.withLock { !$0.waiting.isEmpty || $0.isOver } }
    }
  }
}

extension LiveClient.State {
  /// Takes whole messages, at least one, up to about this number of bytes.
  fileprivate mutating func take(atMost limit: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    var count = 0
    // The order is kept: a message that does not fit ends the chunk, even if a shorter one after it would fit.
    while count < waiting.count, count == 0 || bytes.count + waiting[count].count <= limit {
      bytes += waiting[count]
      count += 1
    }
    guard count > 0 else { return nil }
    waiting.removeFirst(count)
    self.bytes = max(0, self.bytes - bytes.count)
    return bytes
  }
}

/// The events that a client has missed, read page by page while they are sent.
struct LiveBacklog: Sendable {
  private static let pageSize = 200

  let reader: LiveReader
  /// The position that the client has reached.
  var cursor: LiveCursor
  /// The position at which the live messages begin.
  let until: LiveCursor
  var isGreeted = false
  /// The message to the client when the rest can't be read.
  var problem: [UInt8]?

  init(reader: LiveReader, cursor: LiveCursor, until: LiveCursor) {
    self.reader = reader
    self.cursor = cursor
    self.until = until
  }

  var isOver: Bool { problem != nil || cursor == until }

  /// - Returns: the next messages; empty when none passes the filter.
  mutating func page(for filter: LiveFilter) async -> [UInt8] {
    guard let shard = cursor.positions.indices.first(where: { cursor.positions[$0] < until.positions[$0] }) else {
      return []
    }
    let (from, end) = (cursor.positions[shard], until.positions[shard])
    do {
      let stored = try await reader.store.tail(
        shard: shard, after: from, limit: Int(min(Int64(Self.pageSize), end - from)))
      guard !stored.isEmpty else {
        // Positions are contiguous and committed events stay. Only in a replaced store they are missing.
        cursor.positions[shard] = end
        return []
      }
      var bytes: [UInt8] = []
      for (event, live) in zip(stored, try await reader.events(stored)) {
        cursor.positions[shard] = event.position
        guard let live, filter.lets(live) else { continue }
        bytes += LiveMessage.bytes(event: "saga", data: live.json, id: cursor.text)
      }
      return bytes
    } catch {
      problem = LiveMessage.dropped(
        StoreErrorCode.unavailable, "The missed events could not be read. Reconnect with Last-Event-ID.")
      return []
    }
  }
}
