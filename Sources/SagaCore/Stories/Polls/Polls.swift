import JSON
import Values
import Workflows

// A step with a `poll` asks again and again. One call is a look. This file has the values: the stage of the step, the
// answer to a look, and what the engine remembers of looks.
//
// The history does not have every look. It has the timetable: `PollStarted` says when the first look is made and how
// much time is between two looks. It has an event for each answer that says something new, for each look without an
// answer, and for the end. So between two events there are at most as many looks as the timetable has times. A look
// that may change something (`POST`) is an attempt like any other: the history has its start.

extension StepStage {
  /// The step waits for its next look.
  public struct Polling: Sendable, Hashable {
    /// The time from one look to the next.
    public let every: Duration
    /// The time at which the poll ends with a failure; nil when only the saga's timeout limits it.
    public internal(set) var until: Timestamp?
    /// The time of a look. Further looks follow each `every`, until an event says otherwise.
    public internal(set) var next: Timestamp
    /// The number of the look at `next`, from 1. Each time of the timetable has a number, also when no look was made
    /// then: the engine was stopped, or a look was still under way.
    public internal(set) var look: Int
    /// Whether the look at `next` repeats one that failed. Then no look follows before it has an answer.
    public internal(set) var isRetry = false
    /// The last answer that the history has.
    public internal(set) var answer: Answer?

    /// An answer that did not end the poll.
    public struct Answer: Sendable, Hashable {
      public let status: Int
      /// The first 16 hexadecimal digits of the SHA-256 of the status and of all values that the conditions read.
      public let digest: String
      /// The value that `until` asks for first, as a short text; nil when it is none.
      public let shown: String?
      /// The time since which the answers are the same.
      public let since: Timestamp
    }
  }
}

extension StepStage.Polling {
  private var everyMilliseconds: Int64 { max(1, Int64(every.wholeMilliseconds)) }

  /// Returns how many times of the timetable come before `time`.
  private func count(before time: Timestamp) -> Int64 {
    guard time > next else { return 0 }
    return (time.milliseconds - next.milliseconds + everyMilliseconds - 1) / everyMilliseconds
  }

  /// Returns the time of the first look that is not before `time`. The last look is made when the poll ends.
  /// - Returns: nil when no look comes any more before an event says otherwise.
  func look(notBefore time: Timestamp) -> Timestamp? {
    if isRetry { return time <= next ? next : nil }
    let regular = next + .milliseconds(count(before: time) * everyMilliseconds)
    guard let until, regular > until else { return regular }
    return time <= until ? until : nil
  }

  /// Returns the next look as the timetable has it, for people to see: a look that is due now is made now.
  /// - Returns: nil when the last look is due or under way.
  public func next(after now: Timestamp) -> (at: Timestamp, number: Int)? {
    guard let time = isRetry ? max(next, now) : look(notBefore: now) else { return nil }
    return (time, number(at: time))
  }

  /// The end of a poll that comes before the time at which the poll may repeat a look; nil otherwise.
  var endsWithoutLook: Timestamp? { until.flatMap { isRetry && $0 < next ? $0 : nil } }

  /// The time of the look that is due first, as the history has it.
  var due: Timestamp { look(notBefore: .distantPast) ?? next }

  /// Returns the number of a look that begins at this time. The last look has the number of the one that it replaces.
  func number(at time: Timestamp) -> Int {
    if isRetry { return look }
    if let until, time >= until { return look + Int(count(before: until)) }
    return look + Int(max(0, count(before: time + .milliseconds(1)) - 1))
  }

  mutating func shift(by length: Duration) {
    next = next + length
    until = until.map { $0 + length }
  }

  /// Makes a look due at `time`, and moves the timetable there.
  mutating func look(at time: Timestamp) {
    if !isRetry { look += Int(count(before: time)) }
    next = time
  }
}

extension Timestamp {
  /// A time before every time that a saga can name.
  fileprivate static let distantPast = Timestamp(milliseconds: .min)
}

extension StepState {
  /// The poll of the step, while it waits for a look, and while a look that the history has is under way.
  public var polling: StepStage.Polling? { stage.polling }

  /// The time at which the step's wait ends by itself, for a signal, a delay, a poll, a task and an open group.
  public var waitsUntil: Timestamp? {
    switch stage {
    case .waiting(let wait), .undoWaiting(let wait): wait.until
    case .polling(let polling): polling.until
    case .open(let until), .queued(let until): until
    case .running, .undoing: stage.offeredUntil
    case .pending, .backingOff, .succeeded, .failed, .skipped, .undoBackingOff, .undone, .undoFailed: nil
    }
  }
}

extension SagaState {
  /// Whether a step waits for its next look.
  public var isPolling: Bool { sets.waiting.contains { steps[$0].polling != nil } }
}

extension StepStage {
  var polling: Polling? {
    get {
      switch self {
      case .polling(let polling): polling
      case .running(let attempt): attempt.polling
      case .pending, .queued, .backingOff, .waiting, .open, .succeeded, .failed, .skipped, .undoing, .undoBackingOff,
        .undoWaiting, .undone, .undoFailed:
        nil
      }
    }
    set {
      guard let newValue else { return }
      switch self {
      case .polling: self = .polling(newValue)
      case .running(var attempt):
        attempt.polling = newValue
        self = .running(attempt)
      case .pending, .queued, .backingOff, .waiting, .open, .succeeded, .failed, .skipped, .undoing, .undoBackingOff,
        .undoWaiting, .undone, .undoFailed:
        break
      }
    }
  }
}

// MARK: Looks

/// A call that is a look.
public enum Look: Sendable, Hashable {
  /// The history has it as an attempt, because its method may change something.
  case recorded
  /// The history has its answer only if that says something new.
  /// - Parameters:
  ///   - number: its number in the timetable.
  ///   - at: the time at which it began.
  case unrecorded(number: Int, at: Timestamp)
}

/// The end of a look that the history does not have as an attempt.
public struct LookReport: Sendable, Hashable {
  public let step: String
  public let round: Int
  public let number: Int
  /// When it began.
  public let at: Timestamp
  public var outcome: StepOutcome

  public init(step: String, round: Int, number: Int, at: Timestamp, outcome: StepOutcome) {
    self.step = step
    self.round = round
    self.number = number
    self.at = at
    self.outcome = outcome
  }
}

/// A service's answer to a look or to an attempt, with a status that means success.
public struct LookAnswer: Sendable, Hashable {
  public let status: Int
  /// By their names in lower case. Several values of one name are joined by a comma.
  public let headers: [String: String]
  /// The value of the body; nil when the body can't be read.
  public let body: JSON?
  /// Why the body can't be read, or can't become the step's output.
  public var problem: StepFailure?
  /// The participant's own code in the body, for an answer that fails the step.
  public let code: String?
  /// The participant's message in the body, for an answer that fails the step.
  public let words: String?
  /// The beginning of a body that can't be read.
  var unread: CallExcerpt?

  public init(
    status: Int, headers: [String: String] = [:], body: JSON?, problem: StepFailure? = nil, code: String? = nil,
    words: String? = nil
  ) {
    self.status = status
    self.headers = headers
    self.body = body
    self.problem = problem
    self.code = code
    self.words = words
  }

  /// The step's output, when the answer ends the step.
  var output: StepOutput {
    problem.map { StepOutput(problem: $0, answer: recorded(withBody: true)) }
      ?? StepOutput(body ?? .null, answer: recorded(withBody: false))
  }

  /// The answer as the conditions read it, as the member `answer` of the document.
  var document: JSON {
    var fields = JSONObject()
    for name in headers.keys.sorted() { fields[name] = headers[name].map(JSON.string) }
    var members: JSONObject = ["status": .int(status), "headers": .object(fields)]
    members["body"] = body
    return .object(members)
  }
}

extension StepOutcome {
  /// The answer to a look. An executor that knows no looks reports a success without a status.
  var answer: LookAnswer? {
    switch self {
    case .answered(let answer): answer
    case .succeeded(let body): LookAnswer(status: 200, body: body)
    case .succeededUnread(let problem): LookAnswer(status: 200, body: nil, problem: problem)
    case .failed, .unknown, .notSent: nil
    }
  }
}

// MARK: What the engine remembers

/// The looks of a saga that the engine remembers and does not store: which are under way, and when the next ones are
/// due. It is a value that the caller keeps and passes in, like the time. When it is lost, each poll looks at the next
/// time that the history knows, or at once when that time has passed.
public struct Looks: Sendable {
  private struct Memory {
    let round: Int
    /// The poll to which `next` belongs. An event that changes the poll makes `next` void.
    var polling: StepStage.Polling
    /// Nil when no look comes before an event says so.
    var next: Timestamp?
    var isUnderWay = false
  }
  private var steps: [String: Memory] = [:]

  public init() {}

  /// Remembers that all looks that were due by `time` have been made.
  public init(of state: SagaState, madeUntil time: Timestamp) {
    for step in state.sets.waiting.map({ state.steps[$0] }) {
      guard let polling = step.polling, let next = polling.look(notBefore: time + .milliseconds(1)) else { continue }
      steps[step.id] = Memory(round: step.round, polling: polling, next: next)
    }
  }

  public var isOneUnderWay: Bool { steps.values.contains(where: \.isUnderWay) }

  /// Returns when the step looks next; nil while a look is under way, and when none comes by itself.
  func next(of step: StepState) -> Timestamp? {
    guard case .polling(let polling) = step.stage else { return nil }
    guard let memory = steps[step.id], memory.round == step.round else { return polling.due }
    if memory.isUnderWay { return nil }
    return memory.polling == polling ? memory.next : polling.due
  }

  /// Remembers that a look of the step begins.
  public mutating func begin(_ step: StepState, at time: Timestamp) {
    guard let polling = step.polling else { return }
    steps[step.id] = Memory(
      round: step.round, polling: polling, next: polling.look(notBefore: time + .milliseconds(1)), isUnderWay: true)
  }

  /// Remembers that a look has ended. A look that was not sent is made again soon.
  public mutating func end(_ report: LookReport, at time: Timestamp) {
    guard steps[report.step]?.round == report.round else { return }
    steps[report.step]?.isUnderWay = false
    if case .notSent = report.outcome { steps[report.step]?.next = time + Decider.pauseAfterNotSent }
  }

  /// Remembers that the looks up to the last one of the step's poll would say nothing new.
  package mutating func skip(toEndOf step: StepState) {
    guard let polling = step.polling else { return }
    steps[step.id] = Memory(round: step.round, polling: polling, next: polling.until)
  }

  /// Moves the times by the length of a pause.
  public mutating func shift(by length: Duration) {
    for step in steps.keys {
      steps[step]?.polling.shift(by: length)
      if let next = steps[step]?.next { steps[step]?.next = next + length }
    }
  }
}
