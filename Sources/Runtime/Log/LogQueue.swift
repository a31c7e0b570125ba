import Dispatch
import Foundation
import Values

/// Writes log lines on a thread of its own, so that a slow reader of standard error never stops the threads that log.
///
/// The queue is bounded. A full queue drops the line and counts it. One line reports the count as soon as there is room.
final class LogQueue: Sendable {
  /// The queue of the process's standard error.
  static let standardError = LogQueue(capacity: 8_192) { bytes in
    try FileHandle.standardError.write(contentsOf: bytes)
  }

  private enum Entry {
    case line(String)
    case flush(DispatchSemaphore)
  }

  // Sound: every member is read and written only while `condition` is locked.
  private final class Line: @unchecked Sendable {
    let condition = NSCondition()
    var entries = FIFO<Entry>()
    /// Lines since the last report that did not fit, or that `write` could not write.
    var dropped = 0
    var unwritten = 0
    var loss: @Sendable (Int) -> String = { "\($0)" }
    var isStarted = false
  }

  private let line = Line()
  private let capacity: Int
  private let write: @Sendable (Data) throws -> Void

  /// - Parameters:
  ///   - capacity: the most lines that wait.
  ///   - write: writes one line; runs on the queue's thread and may block.
  init(capacity: Int, _ write: @escaping @Sendable (Data) throws -> Void) {
    self.capacity = capacity
    self.write = write
  }

  /// Adds a line and returns at once.
  /// - Parameter loss: returns the line that reports how many lines were dropped.
  func add(_ text: String, loss: @escaping @Sendable (Int) -> String) {
    line.condition.lock()
    defer { line.condition.unlock() }
    line.dropped += line.unwritten
    line.unwritten = 0
    line.loss = loss
    guard line.entries.count < capacity else {
      line.dropped += 1
      return
    }
    reportLoss()
    line.entries.append(.line(text))
    wake()
  }

  /// Adds the line with the count of dropped lines. The condition must be locked.
  private func reportLoss() {
    guard line.dropped > 0 else { return }
    line.entries.append(.line(line.loss(line.dropped)))
    line.dropped = 0
  }

  /// Waits until the lines before this call are written, at most `time`.
  func flush(within time: Duration) {
    let done = DispatchSemaphore(value: 0)
    line.condition.lock()
    let isIdle = !line.isStarted
    if !isIdle {
      reportLoss()
      line.entries.append(.flush(done))
      line.condition.signal()
    }
    line.condition.unlock()
    if !isIdle { _ = done.wait(timeout: .now() + .milliseconds(time.wholeMilliseconds)) }
  }

  /// Starts the thread with the first line. The condition must be locked.
  private func wake() {
    line.condition.signal()
    if line.isStarted { return }
    line.isStarted = true
    let thread = Thread { [self] in
      while true { run(next()) }
    }
    thread.name = "log"
    thread.start()
  }

  private func next() -> Entry {
    line.condition.lock()
    defer { line.condition.unlock() }
    while true {
      if line.entries.isEmpty { reportLoss() }
      if let entry = line.entries.popFirst() { return entry }
      line.condition.wait()
    }
  }

  private func run(_ entry: Entry) {
    switch entry {
    case .flush(let done): done.signal()
    case .line(let text):
      do {
        try write(Data("\(text)\n".utf8))
      } catch {
        // Standard error is closed or full. The log has no other place to report it, so it counts the line as dropped.
        line.condition.lock()
        line.unwritten += 1
        line.condition.unlock()
      }
    }
  }
}
