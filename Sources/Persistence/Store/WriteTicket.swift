import Synchronization

/// The one answer that the caller of a write waits for.
///
/// It says whether the write may still be withdrawn: until it is sent to the database, giving it up means that it is never
/// made. After that nobody can say, and the caller is told so. What was given up is not sent any more.
final class WriteTicket<Value: Sendable>: Sendable {
  typealias Answer = CheckedContinuation<Result<Value, StoreError>, Never>

  private struct State {
    var answer: Answer?
    var isSent = false
  }
  private let state: Mutex<State>
  let since: ContinuousClock.Instant

  init(_ answer: Answer) {
    // Patience is measured on the machine's own steady clock, as deadlines of a socket are.
    since = ContinuousClock.now
    state = Mutex(State(answer: answer))
  }

  /// Whether the caller has its answer.
  var isOver: Bool { state.withLock { $0.answer == nil } }

  /// To be called before anything of the write leaves.
  /// - Returns: false when the write was given up: then it must not be made.
  func send() -> Bool {
    state.withLock { state in
      guard state.answer != nil else { return false }
      state.isSent = true
      return true
    }
  }

  /// It is known again that nothing was written.
  func takeBack() { state.withLock { $0.isSent = false } }

  /// Gives the answer. A ticket that is over takes no second one.
  func give(_ result: Result<Value, StoreError>) {
    let answer = state.withLock { state in
      defer { state.answer = nil }
      return state.answer
    }
    answer?.resume(returning: result)
  }

  /// Answers in place of the database.
  /// - Parameter reason: why no answer came.
  func giveUp(_ reason: String) {
    let (answer, isSent) = state.withLock { state in
      defer { state.answer = nil }
      return (state.answer, state.isSent)
    }
    answer?.resume(returning: .failure(isSent ? .outcomeUnknown(reason) : .unavailable(reason)))
  }
}

/// The tickets that are not over, oldest first, and when one was last answered.
struct WaitingTickets<Value: Sendable> {
  private var tickets: [WriteTicket<Value>] = []
  private(set) var lastProgress = ContinuousClock.now

  mutating func add(_ ticket: WriteTicket<Value>) { tickets.append(ticket) }

  /// The database has answered something.
  mutating func progress() { lastProgress = ContinuousClock.now }

  /// Takes those whose time is over: nothing has been answered for as long as `patience`, or they have waited four times
  /// as long.
  /// - Returns: those to give up.
  mutating func sweep(patience: Duration) -> [WriteTicket<Value>] {
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
