import Values

/// How long a step is expected to take, and how that is known.
public struct ExpectedTime: Sendable, Hashable {
  public enum Basis: String, Sendable, Hashable, CaseIterable {
    /// The workflow says so.
    case declared
    /// It follows from how long the step took before.
    case learned
  }
  public let duration: Duration
  public let basis: Basis
  /// How many runs it was learned from.
  public let samples: Int?

  init(_ duration: Duration, _ basis: Basis, samples: Int? = nil) {
    self.duration = duration
    self.basis = basis
    self.samples = samples
  }

  /// What the workflow says.
  public static func declared(_ duration: Duration) -> ExpectedTime { ExpectedTime(duration, .declared) }
  /// What was learned from so many runs.
  public static func learned(_ duration: Duration, samples: Int) -> ExpectedTime {
    ExpectedTime(duration, .learned, samples: samples)
  }
}

/// What has been learned of the steps of one workflow, by their ids. The core is given it, as it is given the time.
public typealias LearnedTimes = [String: ExpectedTime]

/// That a step takes longer than was expected of it.
public struct StepOverdue: Sendable, Hashable {
  /// The moment by which it was expected to be over. A pause puts it off, as it does every moment of a saga.
  public internal(set) var since: Timestamp
  public let expected: ExpectedTime
}

extension StepStatus {
  /// The phase that is under way, from its first attempt, or from when the step began to wait, until it has settled.
  var phaseUnderWay: StepPhase? {
    switch self {
    case .running, .backingOff, .waiting: .forward
    case .undoing: .undo
    case .pending, .succeeded, .failed, .skipped, .undone, .undoFailed: nil
    }
  }
}
