/// By what people know a saga.
public struct SagaName: Sendable, Hashable {
  /// The title that its workflow gives it; nil without one.
  public let title: String?
  /// The idempotency key that has started it; nil without one.
  public let key: String?

  public init(title: String?, key: String?) {
    self.title = title
    self.key = key
  }
}
