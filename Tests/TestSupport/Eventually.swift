import Runtime
import Values

/// A fact that did not come true in its time.
public struct NeverTrue: Error, CustomStringConvertible {
  public let description: String
}

/// Asks again and again until a fact is true.
/// - Parameters:
///   - fact: in words, for the failure.
///   - time: by when it must be true; then the test fails.
public func eventually(
  _ fact: String, within time: Duration = .seconds(30), every pause: Duration = .milliseconds(20),
  _ isTrue: () async throws -> Bool
) async throws {
  let clock = SystemClock()
  let deadline = ContinuousClock.now + time
  while try await !isTrue() {
    guard ContinuousClock.now < deadline else { throw NeverTrue(description: "never true within \(time): \(fact)") }
    try await clock.sleep(until: clock.now() + pause)
  }
}
