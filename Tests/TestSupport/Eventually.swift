import Runtime
import Values

/// A fact that did not come true in its time.
public struct NeverTrue: Error, CustomStringConvertible {
  public let description: String
}

/// Checks again and again until a fact is true. The pauses grow from a millisecond to `pause`.
///
/// This is the one place where a test lets time pass.
/// - Parameters:
///   - fact: names the fact in the failure. It is read when the time is over.
///   - time: the longest wait. After it the test fails.
/// - Throws: `NeverTrue` after `time`, or when the test is cancelled by its time limit.
public func eventually(
  _ fact: @autoclosure () -> String, within time: Duration = .seconds(240), every pause: Duration = .milliseconds(20),
  _ isTrue: () async throws -> Bool
) async throws {
  _ = try await eventualValue(fact(), within: time, every: pause) { try await isTrue() ? true : nil }
}

/// Asks again and again until there is a value, and returns it. The parameters are those of `eventually`.
public func eventualValue<Value>(
  _ fact: @autoclosure () -> String, within time: Duration = .seconds(240), every pause: Duration = .milliseconds(20),
  _ value: () async throws -> Value?
) async throws -> Value {
  let clock = SystemClock()
  let deadline = ContinuousClock.now + time
  var next = min(pause, .milliseconds(1))
  while true {
    if let value = try await value() { return value }
    guard ContinuousClock.now < deadline else { throw NeverTrue(description: "never true within \(time): \(fact())") }
    do { try await clock.sleep(until: clock.now() + next) } catch {
      throw NeverTrue(description: "not true when the test was cancelled: \(fact())")
    }
    next = min(pause, next * 2)
  }
}

/// Returns when the task is cancelled.
public func untilCancelled() async {
  let (never, end) = AsyncStream.makeStream(of: Void.self)
  for await _ in never {}
  end.finish()
}
