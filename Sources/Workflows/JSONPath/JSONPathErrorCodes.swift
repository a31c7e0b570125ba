/// The codes of what can be wrong with a query or a condition. Each has a page in `docs/errors/`.
public enum JSONPathErrorCode {
  public static let limit = "jsonpath.limit"
  public static let pattern = "jsonpath.pattern"
  public static let syntax = "jsonpath.syntax"
  public static let type = "jsonpath.type"
  public static let unknownFunction = "jsonpath.unknownFunction"
}
