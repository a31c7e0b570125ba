import CMicrohttpd
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
    /// The task waits until the buffer has been emptied.
    var writer: CheckedContinuation<Void, Never>?

    var isEmpty: Bool { offset == buffer.count }
  }

  private let state: Mutex<State>
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
    let (source, task, writer, wake) = state.withLock { state in
      defer {
        if !state.ended { state.cut = true }
        state.ended = true
        state.source = nil
        state.writer = nil
        state.isSuspended = false
      }
      return (state.source, state.task, state.writer, state.isSuspended)
    }
    source?.cancel()
    task?.cancel()
    writer?.resume()
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
    let (count, writer) = state.withLock { state -> (Int?, CheckedContinuation<Void, Never>?) in
      guard !state.isEmpty else { return (state.cut ? -2 : state.ended ? -1 : nil, nil) }
      let count = min(room.count, state.buffer.count - state.offset)
      state.buffer.withUnsafeBytes { buffer in
        room.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[state.offset..<(state.offset + count)]))
      }
      state.offset += count
      guard state.isEmpty else { return (count, nil) }
      state.buffer.removeAll(keepingCapacity: true)
      state.offset = 0
      defer { state.writer = nil }
      return (count, state.writer)
    }
    writer?.resume()
    return count
  }

  /// Returns when libmicrohttpd has taken the chunk, so that a slow client slows the stream.
  private func write(_ chunk: [UInt8]) async {
    await withCheckedContinuation { continuation in
      let (accepted, wake) = state.withLock { state in
        guard !state.ended else { return (false, false) }
        state.buffer.append(contentsOf: chunk)
        state.writer = continuation
        defer { state.isSuspended = false }
        return (true, state.isSuspended)
      }
      if !accepted { continuation.resume() }
      if wake { suspended.resume(connection) }
    }
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
  private struct State: Sendable {
    var count = 0
    var waiting: [CheckedContinuation<Void, Never>] = []
  }
  private let state = Mutex(State())

  func suspend(_ connection: Exchange.Connection) {
    state.withLock { $0.count += 1 }
    MHD_suspend_connection(connection.pointer)
  }

  /// Exactly once for each `suspend`.
  func resume(_ connection: Exchange.Connection) {
    MHD_resume_connection(connection.pointer)
    // Only now, because the server stops as soon as no connection is suspended.
    let waiting = state.withLock { state in
      state.count -= 1
      guard state.count == 0 else { return [CheckedContinuation<Void, Never>]() }
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }

  func untilNone() async {
    await withCheckedContinuation { continuation in
      let none = state.withLock { state in
        if state.count > 0 { state.waiting.append(continuation) }
        return state.count == 0
      }
      if none { continuation.resume() }
    }
  }
}
