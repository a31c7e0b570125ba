/// The error codes for queries and conditions. Each code has a page in `docs/errors/`.
public enum JSONPathErrorCode {
  public static let limit = "jsonpath.limit"
  public static let pattern = "jsonpath.pattern"
  public static let syntax = "jsonpath.syntax"
  public static let type = "jsonpath.type"
  public static let unknownFunction = "jsonpath.unknownFunction"
}
