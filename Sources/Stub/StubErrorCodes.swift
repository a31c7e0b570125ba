/// The stable codes of the stub. Each has a page in `docs/errors/`.
public enum StubErrorCode {
  public static let rulesInvalid = "stub.rulesInvalid"
  public static let noRule = "stub.noRule"
  public static let ruleFailed = "stub.ruleFailed"
  public static let keyReused = "stub.keyReused"
  public static let undoneBefore = "stub.undoneBefore"
  public static let nothingToUndo = "stub.nothingToUndo"
}
