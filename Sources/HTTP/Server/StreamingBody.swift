import CMicrohttpd
import Runtime
import Synchronization

/// Carries an `AsyncStream` to libmicrohttpd: a task reads the stream into a small buffer, libmicrohttpd's thread
/// empties it. A full buffer holds the task up, an empty one suspends the connection.
final class StreamingBody: Sendable {
  private struct State: Sendable {
    /// The stream; the task takes it when libmicrohttpd first asks for bytes.
    var source: AsyncStream<[UInt8]>?
    var task: Task<Void, Never>?
    var buffer: [UInt8] = []
    var offset = 0
    var ended = false
    /// The body was given up before the stream's end. The client must notice that the body is incomplete.
    var cut = false
    /// The connection is suspended until there is something to send.
    var isSuspended = false

    var isEmpty: Bool { offset == buffer.count }
  }

  private let state: Mutex<State>
  /// The task that reads the stream waits here until the buffer is empty.
  private let emptied = WaitQueue()
  private let connection: Exchange.Connection
  private let suspended: SuspendedCount

  init(_ source: AsyncStream<[UInt8]>, connection: Exchange.Connection, suspended: SuspendedCount) {
    state = Mutex(State(source: source))
    self.connection = connection
    self.suspended = suspended
  }

  /// Called on libmicrohttpd's thread, for up to `room.count` bytes.
  /// - Returns: how many there were; 0 when the connection was suspended, -1 at the end, -2 when it was cut short.
  func read(into room: UnsafeMutableRawBufferPointer) -> Int {
    startReading()
    if let count = take(into: room) { return count }
    // Suspend first, then look again. Otherwise a chunk that comes in between would not wake the connection.
    suspended.suspend(connection)
    let mayStay = state.withLock { state in
      state.isSuspended = state.isEmpty && !state.ended
      return state.isSuspended
    }
    if !mayStay { suspended.resume(connection) }
    return 0
  }

  /// Ends the stream and the task that reads it: the client has gone, or the server stops.
  func cancel() {
    let (source, task, wake) = state.withLock { state in
      defer {
        if !state.ended { state.cut = true }
        state.ended = true
        state.source = nil
        state.isSuspended = false
      }
      return (state.source, state.task, state.isSuspended)
    }
    source?.cancel()
    task?.cancel()
    emptied.wake()
    if wake { suspended.resume(connection) }
  }

  private func startReading() {
    let source = state.withLock { state in
      defer { state.source = nil }
      return state.source
    }
    guard let source else { return }
    let task = Task { [self] in
      // Don't leave the loop when cancelled: the next iteration ends the stream for its source, and then the loop.
      for await chunk in source where !chunk.isEmpty {
        await write(chunk)
      }
      end()
    }
    let cancelled = state.withLock { state in
      state.task = task
      return state.ended
    }
    if cancelled { task.cancel() }
  }

  private func take(into room: UnsafeMutableRawBufferPointer) -> Int? {
    let (count, isEmptied) = state.withLock { state -> (Int?, Bool) in
      guard !state.isEmpty else { return (state.cut ? -2 : state.ended ? -1 : nil, false) }
      let count = min(room.count, state.buffer.count - state.offset)
      state.buffer.withUnsafeBytes { buffer in
        room.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[state.offset..<(state.offset + count)]))
      }
      state.offset += count
      guard state.isEmpty else { return (count, false) }
      state.buffer.removeAll(keepingCapacity: true)
      state.offset = 0
      return (count, true)
    }
    if isEmptied { emptied.wake() }
    return count
  }

  /// Returns when libmicrohttpd has taken the chunk, so that a slow client slows the stream.
  private func write(_ chunk: [UInt8]) async {
    let wake = state.withLock { state in
      guard !state.ended else { return false }
      state.buffer.append(contentsOf: chunk)
      defer { state.isSuspended = false }
      return state.isSuspended
    }
    if wake { suspended.resume(connection) }
    await emptied.wait { [self] in state.withLock { $0.isEmpty || $0.ended } }
  }

  private func end() {
    let wake = state.withLock { state in
      state.ended = true
      defer { state.isSuspended = false }
      return state.isSuspended
    }
    if wake { suspended.resume(connection) }
  }
}

extension AsyncStream<[UInt8]> {
  /// Ends the stream for its source, also when other tasks keep a reference to it.
  func cancel() {
    Task { for await _ in self {} }.cancel()
  }
}

/// Counts the suspended connections of a server: it must not be stopped while there are any.
final class SuspendedCount: Sendable {
  private let count = Mutex(0)
  private let none = WaitQueue()

  func suspend(_ connection: Exchange.Connection) {
    count.withLock { $0 += 1 }
    MHD_suspend_connection(connection.pointer)
  }

  /// Exactly once for each `suspend`.
  func resume(_ connection: Exchange.Connection) {
    MHD_resume_connection(connection.pointer)
    // Only now, because the server stops as soon as no connection is suspended.
    let isLast = count.withLock { count in
      count -= 1
      return count == 0
    }
    if isLast { none.wake() }
  }

  func untilNone() async { await none.wait { [self] in count.withLock { $0 == 0 } } }
}
