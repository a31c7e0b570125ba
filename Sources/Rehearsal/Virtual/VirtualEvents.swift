import SagaCore
import Values

// What happens to a virtual saga beside its participants: signals, operators, and crashes of the engine.

/// A signal or an operator's request.
public struct VirtualAct: Sendable, Hashable {
  public enum Request: Sendable, Hashable {
    case signal(SignalGiven)
    case operate(OperatorRequest)

    var command: SagaCommand {
      switch self {
      case .signal(let signal): .give(signal)
      case .operate(let request): .operate(request)
      }
    }
  }

  /// The time from the start of the saga. Of an act that answers a wait: the time from the begin of the wait.
  public let after: Duration
  public let request: Request

  public init(after: Duration, _ request: Request) {
    self.after = after
    self.request = request
  }
}

/// A step, or its undo, that has begun to wait for a signal.
public struct VirtualWait: Sendable, Hashable {
  public let step: String
  public let phase: StepPhase
  public let signal: String
  public let round: Int
  public let since: Timestamp
  /// When the wait ends by itself; nil when only the saga's timeout limits it.
  public let until: Timestamp?

  /// The key of a signal that answers this wait alone.
  var signalID: String { "\(step)-\(round)" + (phase == .undo ? "-undo" : "") }
}

/// A crash of the engine. All work that the engine has not recorded is lost. The engine then starts again and recovers
/// the saga from its events.
public struct VirtualCrash: Sendable, Hashable {
  public enum Point: Sendable, Hashable {
    /// The answer of this attempt has come, and the engine has not recorded it.
    case beforeRecord(step: String, phase: StepPhase, attempt: Int)
    /// The engine has recorded the outcome of this attempt, and has not acted on it.
    case afterRecord(step: String, phase: StepPhase, attempt: Int)
    /// This long after the start of the saga.
    case at(Duration)
  }

  public let point: Point
  /// The time until the engine runs again.
  public let downtime: Duration

  public init(_ point: Point, downtime: Duration = .seconds(5)) {
    self.point = point
    self.downtime = downtime
  }

  func matches(_ call: StepCall, isRecorded: Bool) -> Bool {
    switch point {
    case .beforeRecord(let step, let phase, let attempt):
      !isRecorded && step == call.step && phase == call.phase && attempt == call.attempt
    case .afterRecord(let step, let phase, let attempt):
      isRecorded && step == call.step && phase == call.phase && attempt == call.attempt
    case .at: false
    }
  }
}

/// The most that one run in virtual time may need.
public struct VirtualBudget: Sendable, Hashable {
  public let events: Int
  /// Answers, effects, acts, wakes and restarts.
  public let happenings: Int
  public let time: Duration

  public init(events: Int, happenings: Int, time: Duration) {
    self.events = events
    self.happenings = happenings
    self.time = time
  }

  /// 50,000 events, 200,000 happenings, and ten years.
  public static let standard = VirtualBudget(events: 50_000, happenings: 200_000, time: .seconds(10 * 366 * 86_400))
}
