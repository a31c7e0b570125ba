import JSON

/// The rules for trying a failed attempt again.
public struct RetryRules: Sendable, Hashable {
  /// The policies in order. The first one that matches a failure's codes is used.
  public let policies: [RetryPolicy]
  /// The policy that is used when no policy matches.
  public let fallback: RetryPolicy

  /// The rules when the file sets none.
  public static let builtIn = RetryRules(policies: [], fallback: RetryPolicy())
  /// The rules for an undo when the file sets none.
  public static let builtInUndo = RetryRules(
    policies: [], fallback: RetryPolicy(maxAttempts: Undo.defaultMaxAttempts))

  public init(policies: [RetryPolicy], fallback: RetryPolicy = RetryPolicy()) {
    self.policies = policies
    self.fallback = fallback
  }

  /// Returns the policy for a failure with these codes (its own code and its classes).
  public func policy(for codes: [String]) -> RetryPolicy {
    policies.first { $0.applies(to: codes) } ?? fallback
  }

  /// All policies that may be used.
  var all: [RetryPolicy] { policies.contains { $0.on == nil } ? policies : policies + [fallback] }
}

/// The number of attempts of a step and the pauses between them.
public struct RetryPolicy: Sendable, Hashable {
  /// The failures to which the policy applies; nil means all.
  public let on: [String]?
  /// The most attempts, with the first one included.
  public let maxAttempts: Int
  public let initialInterval: Duration
  public let backoffCoefficient: Double
  public let maxInterval: Duration
  /// The largest part of a pause by which it may be shortened: 0 to 1. With it, many sagas do not retry at the same
  /// time.
  public let jitter: Double
  /// The failures that are final immediately.
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

  /// Returns true when the policy applies to a failure with these codes.
  public func applies(to codes: [String]) -> Bool {
    guard let on else { return true }
    return on.contains { Self.matches($0, codes: codes) }
  }

  /// Returns true when the policy names one of these codes in its `on`. Then even a failure that is usually final is
  /// retried.
  public func asksFor(_ codes: [String]) -> Bool { on != nil && applies(to: codes) }

  /// Returns true when a failure with these codes is final immediately.
  public func refuses(_ codes: [String]) -> Bool { nonRetryable.contains { Self.matches($0, codes: codes) } }

  /// Returns true when a pattern of the file matches one of a failure's codes: its own code, or a class such as
  /// `http.4xx`. A trailing `*` matches any ending.
  public static func matches(_ pattern: String, codes: [String]) -> Bool {
    guard pattern.utf8.last == UInt8(ascii: "*") else { return codes.contains { $0.hasSameScalars(as: pattern) } }
    let start = pattern.utf8.dropLast()
    return codes.contains { $0.utf8.starts(with: start) }
  }

  /// Returns the pause after attempt `n` (1 is the first), in whole milliseconds. After each attempt the interval is
  /// multiplied by the coefficient, up to `maxInterval`. Then up to `jitter` of the pause is removed.
  /// - Parameters:
  ///   - n: the number of attempts so far, from 1.
  ///   - random: from 0 (included) to 1 (excluded). The same number gives the same pause.
  public func delay(afterAttempt n: Int, random: Double) -> Duration {
    let pause = interval(afterAttempt: n)
    let milliseconds = Self.milliseconds(pause)
    let shortened = milliseconds * (1 - jitter * min(max(random, 0), 1))
    return .milliseconds(Int64(shortened.rounded()))
  }

  /// Returns the longest possible pause after attempt `n`.
  func interval(afterAttempt n: Int) -> Duration {
    guard initialInterval > .zero, initialInterval < maxInterval else { return min(initialInterval, maxInterval) }
    var interval = Self.milliseconds(initialInterval)
    let longest = Self.milliseconds(maxInterval)
    guard backoffCoefficient > 1 else { return initialInterval }
    var attempt = 1
    // The loop ends early. Each turn multiplies, and a file may request at most 1,000 turns.
    while attempt < n, interval < longest {
      interval *= backoffCoefficient
      attempt += 1
    }
    return interval < longest ? .milliseconds(Int64(interval.rounded())) : maxInterval
  }

  /// The sum of all pauses of a step that uses all its attempts, each at its longest.
  var longestPauses: Duration {
    guard initialInterval > .zero, initialInterval < maxInterval, backoffCoefficient > 1 else {
      return min(initialInterval, maxInterval) * (maxAttempts - 1)
    }
    var total = Duration.zero
    let longest = Self.milliseconds(maxInterval)
    var interval = Self.milliseconds(initialInterval)
    var attempt = 1
    // One multiplication for each attempt. `interval(afterAttempt:)` would multiply from the start each time.
    while attempt < maxAttempts, interval < longest {
      total += .milliseconds(Int64(interval.rounded()))
      interval *= backoffCoefficient
      attempt += 1
    }
    // From here on the pauses stay the same.
    return total + maxInterval * (maxAttempts - attempt)
  }

  private static func milliseconds(_ duration: Duration) -> Double {
    let (seconds, attoseconds) = duration.components
    return Double(seconds) * 1_000 + Double(attoseconds) / 1e15
  }
}
