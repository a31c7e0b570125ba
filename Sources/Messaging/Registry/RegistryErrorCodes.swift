/// The codes of errors with schemas and their registry. Each has a page in `docs/errors/`.
public enum RegistryErrorCode {
  // Codes of framed messages.
  public static let schemaUnknown = "schema.unknown"
  public static let schemaTruncated = "schema.truncated"
  // Codes of the registry.
  public static let schemaIncompatible = "schema.incompatible"
  public static let registryUnavailable = "schema.registryUnavailable"
  public static let registryRefused = "schema.registryRefused"
  public static let registryInvalid = "schema.registryInvalid"
}
