import Values

/// Why a server couldn't start.
public struct HTTPServerError: CodedError, Sendable, Hashable {
  public let code: String
  public let message: String

  init(_ code: String, _ message: String) {
    self.code = code
    self.message = message
  }
}
