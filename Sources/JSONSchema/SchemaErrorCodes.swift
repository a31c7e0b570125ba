/// The error codes for JSON Schemas. Each code has a page in `docs/errors/`.
public enum SchemaErrorCode {
  /// A keyword has a value that it can't have.
  public static let keyword = "jsonschema.keyword"
  /// A reference leads to nothing, or back to itself.
  public static let reference = "jsonschema.reference"
  /// A reference leads out of the document.
  public static let remoteReference = "jsonschema.remoteReference"
  /// A text is not a regular expression.
  public static let pattern = "jsonschema.pattern"
  /// A part of the standard that this program does not support.
  public static let unsupported = "jsonschema.unsupported"
  /// The schema is written in another draft or dialect.
  public static let dialect = "jsonschema.dialect"
  /// The schema is too large to compile.
  public static let tooLarge = "jsonschema.tooLarge"
  /// A warning: a member that is not a keyword, but resembles one.
  public static let misspelt = "jsonschema.misspelt"
  /// A value doesn't meet a schema.
  public static let violation = "jsonschema.violation"
  /// A validation takes more than its budget.
  public static let budget = "jsonschema.budget"
}
