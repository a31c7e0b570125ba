import Synchronization

/// The one answer that the caller of a write waits for.
///
/// It says whether the write may still be withdrawn: until it is sent to the database, giving it up means that it is never
/// made. After that nobody can say, and the caller is told so. What was given up is not sent any more.
package final class WriteTicket<Value: Sendable>: Sendable {
  package typealias Answer = CheckedContinuation<Result<Value, StoreError>, Never>

  private struct State {
    var answer: Answer?
    var isSent = false
  }
  private let state: Mutex<State>
  package let since: ContinuousClock.Instant

  package init(_ answer: Answer) {
    // Patience is measured on the machine's own steady clock, as deadlines of a socket are.
    since = ContinuousClock.now
    state = Mutex(State(answer: answer))
  }

  /// Whether the caller has its answer.
  package var isOver: Bool { state.withLock { $0.answer == nil } }

  /// To be called before anything of the write leaves.
  /// - Returns: false when the write was given up: then it must not be made.
  package func send() -> Bool {
    state.withLock { state in
      guard state.answer != nil else { return false }
      state.isSent = true
      return true
    }
  }

  /// It is known again that nothing was written.
  package func takeBack() { state.withLock { $0.isSent = false } }

  /// Gives the answer. A ticket that is over takes no second one.
  package func give(_ result: Result<Value, StoreError>) {
    let answer = state.withLock { state in
      defer { state.answer = nil }
      return state.answer
    }
    answer?.resume(returning: result)
  }

  /// Answers in place of the database.
  /// - Parameter reason: why no answer came.
  package func giveUp(_ reason: String) {
    let (answer, isSent) = state.withLock { state in
      defer { state.answer = nil }
      return (state.answer, state.isSent)
    }
    answer?.resume(returning: .failure(isSent ? .outcomeUnknown(reason) : .unavailable(reason)))
  }
}

/// The tickets that are not over, oldest first, and when one was last answered.
package struct WaitingTickets<Value: Sendable> {
  private var tickets: [WriteTicket<Value>] = []
  package private(set) var lastProgress = ContinuousClock.now

  package init() {}

  package mutating func add(_ ticket: WriteTicket<Value>) { tickets.append(ticket) }

  /// The database has answered something.
  package mutating func progress() { lastProgress = ContinuousClock.now }

  /// Takes those whose time is over: nothing has been answered for as long as `patience`, or they have waited four times
  /// as long.
  /// - Returns: those to give up.
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
