/// The speed of an operation, in sagas per second. The rate rises gradually.
///
/// A service that has just come back is not helped by hundreds of retries at once.
public struct OperationPace: Sendable, Hashable {
  /// The full rate, in sagas per second.
  public let rate: Double
  /// The time in which the rate rises evenly from zero.
  public let ramp: Duration

  public static let usualRate = 10.0
  public static let rates = 0.01...1_000.0
  public static let longestRamp = Duration.seconds(3_600)

  public init(rate: Double = usualRate, ramp: Duration = .zero) {
    self.rate = rate
    self.ramp = ramp
  }

  /// Returns the time at which a saga has its turn, from the beginning of the operation.
  ///
  /// While the rate rises, `rate · t² / 2·ramp` sagas have had their turn at `t`; from then on `rate` more each second.
  /// - Parameter index: of the saga, from 0.
  public func turn(_ index: Int) -> Duration {
    let sagas = Double(index)
    let ramp = self.ramp / .seconds(1)
    let seconds =
      sagas < rate * ramp / 2 ? (2 * ramp * sagas / rate).squareRoot() : sagas / rate + ramp / 2
    // A saga is acted on a little late rather than a little early.
    return .milliseconds(Int64((seconds * 1_000).rounded(.up)))
  }
}
