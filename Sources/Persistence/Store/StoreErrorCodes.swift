/// The codes of this module's errors. Each code has a page in `docs/errors/`.
public enum StoreErrorCode {
  public static let versionConflict = "store.versionConflict"
  public static let startKeyTaken = "store.startKeyTaken"
  public static let claimTaken = "store.claimTaken"
  public static let definitionConflict = "store.definitionConflict"
  public static let checkpointConflict = "store.checkpointConflict"
  public static let notOwner = "store.notOwner"
  public static let unavailable = "store.unavailable"
  public static let outcomeUnknown = "store.outcomeUnknown"
  public static let invalid = "store.invalid"
  public static let closed = "store.closed"
  public static let corrupt = "store.corrupt"
  public static let locked = "store.locked"
  public static let foreign = "store.foreign"
  public static let newerVersion = "store.newerVersion"
  public static let olderVersion = "store.olderVersion"
}
