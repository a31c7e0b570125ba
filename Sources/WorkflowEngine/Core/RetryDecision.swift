import Values
import Workflows

/// Whether and when an attempt that failed is followed by another.
enum RetryDecision {
  /// A participant that asks for more patience than this is asked again after it all the same.
  static let longestRetryAfter = Duration.seconds(86_400)

  /// - Parameters:
  ///   - spent: attempts of the round that count, the failed one included, whichever policy they were made under.
  ///   - seed: names the attempt, so that a replay gives the same jitter.
  /// - Returns: when the next attempt is due, or nil when there is none.
  static func next(
    after failure: StepFailure, rules: RetryRules, spent: Int, seed: String, now: Timestamp
  ) -> Timestamp? {
    let policy = rules.policy(for: failure.codes)
    // A policy that names the failure makes it retryable, whatever its class.
    guard failure.isRetryable || policy.asksFor(failure.codes) else { return nil }
    guard !policy.refuses(failure.codes) else { return nil }
    guard spent < policy.maxAttempts else { return nil }
    var random = SeededRandom(name: seed)
    let backoff = policy.delay(afterAttempt: spent, random: random.fraction())
    let asked = min(failure.retryAfter ?? .zero, longestRetryAfter)
    return now + max(backoff, asked)
  }
}
