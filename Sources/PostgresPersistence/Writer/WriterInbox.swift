import Persistence
import Runtime
import Synchronization

/// The waiting work of a writer. Callers add work from any thread. One consumer takes it, so the writer does one thing
/// at a time.
final class WriterInbox: Sendable {
  enum Work {
    case control(WriterControl)
    case appends([PendingAppend])
  }

  fileprivate struct State {
    var appends: [PendingAppend] = []
    /// The index of the first append that was not taken.
    var first = 0
    var controls: [WriterControl] = []
    /// The tickets of all appends without an answer, including those that the writer has taken.
    var waiting = WaitingTickets<Appended>()
    var nextID: UInt64 = 0
    var isRunning = false
    /// The time at which the consumer was last started.
    var runsSince = ContinuousClock.now
    var isClosed = false
  }
  private let state = Mutex(State())
  private let batchEvents: Int
  private let batchBytes: Int

  init(batchEvents: Int, batchBytes: Int) {
    self.batchEvents = batchEvents
    self.batchBytes = batchBytes
  }

  var isClosed: Bool { state.withLock { $0.isClosed } }

  /// - Returns: true when the consumer must be started; nil when the inbox is closed.
  func put(_ append: Append, month: Int, shard: Int, ticket: WriteTicket<Appended>) -> Bool? {
    let bytes = append.events.reduce(0) { $0 + $1.data.count + $1.meta.count + $1.type.utf8.count + 128 }
    return state.withLock { state -> Bool? in
      if state.isClosed { return nil }
      state.nextID += 1
      state.appends.append(
        PendingAppend(id: state.nextID, append: append, month: month, shard: shard, bytes: bytes, ticket: ticket))
      state.waiting.add(ticket)
      return state.start()
    }
  }

  /// - Returns: true when the consumer must be started; nil when the inbox is closed.
  func put(_ control: WriterControl) -> Bool? {
    state.withLock { state -> Bool? in
      if state.isClosed { return nil }
      if case .close = control { state.isClosed = true }
      // A writer that is working already shows that it is alive.
      if case .beat = control, state.isRunning { return false }
      state.controls.append(control)
      return state.start()
    }
  }

  /// Records that the database has answered the writer.
  func progress() { state.withLock { $0.waiting.progress() } }

  /// Removes the tickets whose time is over.
  /// - Returns: these tickets, and the time that the writer has worked without any answer.
  func sweep(patience: Duration) -> (overdue: [WriteTicket<Appended>], stalled: Duration) {
    state.withLock { state in
      let stalled = state.isRunning ? ContinuousClock.now - max(state.runsSince, state.waiting.lastProgress) : .zero
      return (state.waiting.sweep(patience: patience), stalled)
    }
  }

  /// Returns the next work; nil when there is none, and then the consumer ends.
  func take() -> Work? {
    state.withLock { state -> Work? in
      // 1. Closing comes after all appends have their answer. Other controls come first.
      if let control = state.controls.first {
        if case .close = control, state.first < state.appends.count {
          return .appends(state.takeAppends(events: batchEvents, bytes: batchBytes))
        }
        state.controls.removeFirst()
        return .control(control)
      }
      // 2. As many appends as fit into a batch.
      if state.first < state.appends.count {
        return .appends(state.takeAppends(events: batchEvents, bytes: batchBytes))
      }
      state.isRunning = false
      return nil
    }
  }
}

/// The commands to a writer, besides appends.
enum WriterControl: Sendable {
  case own(Set<Int>, Once<Result<Void, StoreError>>)
  case beat
  case close(Once<Void>)
}

extension WriterInbox.State {
  fileprivate mutating func start() -> Bool {
    if isRunning { return false }
    isRunning = true
    runsSince = ContinuousClock.now
    return true
  }

  fileprivate mutating func takeAppends(events: Int, bytes: Int) -> [PendingAppend] {
    var end = first
    var room = (events: events, bytes: bytes)
    while end < appends.count {
      let next = appends[end]
      if end > first, next.append.events.count > room.events || next.bytes > room.bytes { break }
      room.events -= next.append.events.count
      room.bytes -= next.bytes
      end += 1
    }
    let taken = Array(appends[first..<end])
    first = end
    if first == appends.count {
      appends.removeAll(keepingCapacity: true)
      first = 0
    } else if first > 10_000 {
      appends.removeFirst(first)
      first = 0
    }
    return taken
  }
}
