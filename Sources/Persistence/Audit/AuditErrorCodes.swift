/// The error codes of the audit. Each code has a page in `docs/errors/`.
public enum AuditErrorCode {
  public static let headUnreadable = "audit.headUnreadable"
  public static let headUnsigned = "audit.headUnsigned"
  public static let otherKey = "audit.otherKey"
  public static let signatureWrong = "audit.signatureWrong"
  public static let otherStore = "audit.otherStore"
}
