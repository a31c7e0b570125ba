import SagaCore

/// Performs one kind of action. It reports the outcome of an attempt and never decides about retries: the core does.
public protocol StepExecutor: Sendable {
  /// Makes one attempt. It returns by the call's deadline. A cancelled task returns soon, with the outcome as far as it
  /// is known.
  func perform(_ call: StepCall) async -> StepOutcome
}

/// A service that steps call by its name. A workflow never contains a URL: the operator configures the URL of each
/// name.
public struct Service: Sendable, Hashable {
  public let name: String
  /// `http://host:port/prefix`, without a trailing slash.
  public let baseURL: String
  /// Whether an undo that comes before its command makes the participant refuse the late command.
  public let keepsTombstones: Bool
  /// The number of calls that may be under way at once.
  public let maxInFlight: Int

  /// `maxInFlight` of a service for which the operator sets no other number.
  public static let usualInFlight = 64

  public init(name: String, baseURL: String, keepsTombstones: Bool = false, maxInFlight: Int = Service.usualInFlight) {
    self.name = name
    self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
    self.keepsTombstones = keepsTombstones
    self.maxInFlight = max(1, maxInFlight)
  }
}
