public import Values

/// The reason why a head cannot be used.
public struct AuditError: CodedError, Hashable {
  public let code: String
  public let message: String

  public init(_ code: String, _ message: String) {
    self.code = code
    self.message = message
  }
}
