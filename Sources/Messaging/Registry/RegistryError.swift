public import Values

/// Why the schema registry, or its client, refused or failed. It never says with which password.
public struct RegistryError: CodedError, Hashable {
  public let code: String
  public let message: String

  public init(code: String, message: String) {
    self.code = code
    self.message = message
  }

  /// Whether trying the same again later may help without anyone doing something.
  public var isRetriable: Bool { code == RegistryErrorCode.registryUnavailable }
}
