public import Values

/// An error of the schema registry or of its client. Its message never contains the password.
public struct RegistryError: CodedError, Hashable {
  public let code: String
  public let message: String

  public init(code: String, message: String) {
    self.code = code
    self.message = message
  }

  /// Whether a later retry may succeed although no person changes anything.
  public var isRetriable: Bool { code == RegistryErrorCode.registryUnavailable }
}
