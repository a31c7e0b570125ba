/// What is wrong with a query or a condition, and where in its text.
public struct JSONPathError: Error, Sendable, Hashable, CustomStringConvertible {
  /// One of `JSONPathErrorCode`.
  public let code: String
  /// One sentence for a person: what was expected.
  public let message: String
  /// How many Unicode scalars of the text stand before the place.
  public let at: Int

  public init(code: String, message: String, at: Int) {
    self.code = code
    self.message = message
    self.at = at
  }

  public var description: String { "\(message) (at character \(at + 1)) [\(code)]" }
}
