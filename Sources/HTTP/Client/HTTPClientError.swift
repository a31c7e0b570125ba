import Values

/// Why a call got no answer.
public struct HTTPClientError: CodedError, Sendable, Hashable {
  public let code: String
  public let message: String
  /// True when the request may have reached the server, so that what became of it is unknown. False when it
  /// certainly has not: nothing of it was written.
  public let sent: Bool

  public init(code: String, message: String, sent: Bool) {
    self.code = code
    self.message = message
    self.sent = sent
  }
}
