import JSON

/// When a failed attempt is tried again.
public struct RetryRules: Sendable, Hashable {
  /// In order: the first that matches a failure's codes is used.
  public let policies: [RetryPolicy]
  /// Used when none of them matches.
  public let fallback: RetryPolicy

  /// What holds where the file says nothing.
  public static let builtIn = RetryRules(policies: [], fallback: RetryPolicy())
  /// What holds for an undo where the file says nothing.
  public static let builtInUndo = RetryRules(
    policies: [], fallback: RetryPolicy(maxAttempts: Undo.defaultMaxAttempts))

  public init(policies: [RetryPolicy], fallback: RetryPolicy = RetryPolicy()) {
    self.policies = policies
    self.fallback = fallback
  }

  /// The policy for a failure with these codes (its own and its classes).
  public func policy(for codes: [String]) -> RetryPolicy {
    policies.first { $0.applies(to: codes) } ?? fallback
  }

  /// Every policy that may be used.
  var all: [RetryPolicy] { policies.contains { $0.on == nil } ? policies : policies + [fallback] }
}

/// How often, and after what pauses, a step is attempted again.
public struct RetryPolicy: Sendable, Hashable {
  /// The failures it is for; nil: all.
  public let on: [String]?
  /// The first attempt included.
  public let maxAttempts: Int
  public let initialInterval: Duration
  public let backoffCoefficient: Double
  public let maxInterval: Duration
  /// By how much of itself a pause may be shortened, so that many sagas don't come back in one moment: 0 to 1.
  public let jitter: Double
  /// Failures that are final at once.
  public let nonRetryable: [String]

  public init(
    on: [String]? = nil, maxAttempts: Int = 3, initialInterval: Duration = .seconds(1),
    backoffCoefficient: Double = 2, maxInterval: Duration = .seconds(60), jitter: Double = 0.2,
    nonRetryable: [String] = []
  ) {
    self.on = on
    self.maxAttempts = maxAttempts
    self.initialInterval = initialInterval
    self.backoffCoefficient = backoffCoefficient
    self.maxInterval = maxInterval
    self.jitter = jitter
    self.nonRetryable = nonRetryable
  }

  /// Whether the policy is used for a failure with these codes.
  public func applies(to codes: [String]) -> Bool {
    guard let on else { return true }
    return on.contains { Self.matches($0, codes: codes) }
  }

  /// Whether the policy names one of these codes in its `on`: then even a failure that is usually final is retried.
  public func asksFor(_ codes: [String]) -> Bool { on != nil && applies(to: codes) }

  /// Whether a failure with these codes is final at once.
  public func refuses(_ codes: [String]) -> Bool { nonRetryable.contains { Self.matches($0, codes: codes) } }

  /// Whether a pattern of the file means one of a failure's codes: its own, or a class it belongs to, as `http.4xx`.
  /// A trailing `*` stands for any end.
  public static func matches(_ pattern: String, codes: [String]) -> Bool {
    guard pattern.utf8.last == UInt8(ascii: "*") else { return codes.contains { $0.hasSameScalars(as: pattern) } }
    let start = pattern.utf8.dropLast()
    return codes.contains { $0.utf8.starts(with: start) }
  }

  /// The pause after attempt `n` (1 is the first), in whole milliseconds: the interval grown by the coefficient after
  /// each attempt up to `maxInterval`, then shortened by up to `jitter` of itself.
  /// - Parameters:
  ///   - n: attempts made so far, from 1.
  ///   - random: from 0 up to, not including, 1; the same number gives the same pause.
  public func delay(afterAttempt n: Int, random: Double) -> Duration {
    let pause = interval(afterAttempt: n)
    let milliseconds = Self.milliseconds(pause)
    let shortened = milliseconds * (1 - jitter * min(max(random, 0), 1))
    return .milliseconds(Int64(shortened.rounded()))
  }

  /// The longest that the pause after attempt `n` may be.
  func interval(afterAttempt n: Int) -> Duration {
    guard initialInterval > .zero, initialInterval < maxInterval else { return min(initialInterval, maxInterval) }
    var interval = Self.milliseconds(initialInterval)
    let longest = Self.milliseconds(maxInterval)
    guard backoffCoefficient > 1 else { return initialInterval }
    var attempt = 1
    // Ends early: each turn multiplies, and a thousand turns are the most that a file may ask for.
    while attempt < n, interval < longest {
      interval *= backoffCoefficient
      attempt += 1
    }
    return interval < longest ? .milliseconds(Int64(interval.rounded())) : maxInterval
  }

  /// All the pauses of a step that uses up its attempts, each as long as it may be.
  var longestPauses: Duration {
    guard initialInterval > .zero, initialInterval < maxInterval, backoffCoefficient > 1 else {
      return min(initialInterval, maxInterval) * (maxAttempts - 1)
    }
    var total = Duration.zero
    let longest = Self.milliseconds(maxInterval)
    var interval = Self.milliseconds(initialInterval)
    var attempt = 1
    // One multiplication for each attempt: asking `interval(afterAttempt:)` would multiply from the start each time.
    while attempt < maxAttempts, interval < longest {
      total += .milliseconds(Int64(interval.rounded()))
      interval *= backoffCoefficient
      attempt += 1
    }
    // From here on the pauses no longer grow.
    return total + maxInterval * (maxAttempts - attempt)
  }

  private static func milliseconds(_ duration: Duration) -> Double {
    let (seconds, attoseconds) = duration.components
    return Double(seconds) * 1_000 + Double(attoseconds) / 1e15
  }
}
