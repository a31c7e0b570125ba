import Synchronization

/// The one answer for the caller of a write.
///
/// Until the write is sent to the database, giving it up means that it is never made. After that its outcome is
/// unknown, and the caller receives `store.outcomeUnknown`. A write that was given up is not sent.
package final class WriteTicket<Value: Sendable>: Sendable {
  package typealias Answer = CheckedContinuation<Result<Value, StoreError>, Never>

  private struct State {
    var answer: Answer?
    var isSent = false
  }
  private let state: Mutex<State>
  package let since: ContinuousClock.Instant

  package init(_ answer: Answer) {
    // The monotonic clock measures the patience, as it does for the deadlines of a socket.
    since = ContinuousClock.now
    state = Mutex(State(answer: answer))
  }

  /// True when the caller has its answer.
  package var isOver: Bool { state.withLock { $0.answer == nil } }

  /// Marks the write as sent. Call it before any part of the write is sent.
  /// - Returns: false when the write was given up; then it must not be made.
  package func send() -> Bool {
    state.withLock { state in
      guard state.answer != nil else { return false }
      state.isSent = true
      return true
    }
  }

  /// Records that it is certain again that nothing was written.
  package func takeBack() { state.withLock { $0.isSent = false } }

  /// Gives the answer. A ticket that already has an answer ignores a second one.
  package func give(_ result: Result<Value, StoreError>) {
    let answer = state.withLock { state in
      defer { state.answer = nil }
      return state.answer
    }
    answer?.resume(returning: result)
  }

  /// Gives an error to the caller in place of the database's answer.
  /// - Parameter reason: why no answer arrived.
  package func giveUp(_ reason: String) {
    let (answer, isSent) = state.withLock { state in
      defer { state.answer = nil }
      return (state.answer, state.isSent)
    }
    answer?.resume(returning: .failure(isSent ? .outcomeUnknown(reason) : .unavailable(reason)))
  }
}

/// The tickets without an answer, oldest first, and the time of the last answer.
package struct WaitingTickets<Value: Sendable> {
  private var tickets: [WriteTicket<Value>] = []
  package private(set) var lastProgress = ContinuousClock.now

  package init() {}

  package mutating func add(_ ticket: WriteTicket<Value>) { tickets.append(ticket) }

  /// Records that the database has answered a write.
  package mutating func progress() { lastProgress = ContinuousClock.now }

  /// Removes the tickets whose time is over. Either nothing was answered for `patience`, or the ticket has waited four
  /// times as long.
  /// - Returns: the tickets to give up.
  package mutating func sweep(patience: Duration) -> [WriteTicket<Value>] {
    if tickets.isEmpty { return [] }
    let now = ContinuousClock.now
    let silence = now - lastProgress
    var overdue: [WriteTicket<Value>] = []
    tickets.removeAll { ticket in
      if ticket.isOver { return true }
      let age = now - ticket.since
      guard age > patience, silence > patience || age > patience * 4 else { return false }
      overdue.append(ticket)
      return true
    }
    return overdue
  }
}
