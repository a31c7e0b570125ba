/// An error in a query or a condition, with its place in the text.
public struct JSONPathError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The error code, one of `JSONPathErrorCode`.
  public let code: String
  /// One sentence for a person: what the parser expected.
  public let message: String
  /// The number of Unicode scalars before the place of the error.
  public let at: Int

  public init(code: String, message: String, at: Int) {
    self.code = code
    self.message = message
    self.at = at
  }

  public var description: String { "\(message) (at character \(at + 1)) [\(code)]" }
}
