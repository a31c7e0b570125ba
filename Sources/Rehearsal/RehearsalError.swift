import Values

/// Why a saga can't run, or can't go on, in virtual time.
public struct RehearsalError: CodedError, Hashable {
  public let code: String
  public let message: String

  public init(_ code: String, _ message: String) {
    self.code = code
    self.message = message
  }
}
