/// The codes of this module's errors. Each has a page in `docs/errors/`.
public enum StreamingErrorCode {
  public static let echoRewindInvalid = "echo.rewindInvalid"

  // Codes of streams.
  public static let streamInvalid = "stream.invalid"
  public static let streamDefinitionChanged = "stream.definitionChanged"
  public static let streamOffsetGone = "stream.offsetGone"
  public static let streamStateUnreadable = "stream.stateUnreadable"

  // Codes of events that a stream can't use; they become dead letters.
  public static let streamNoKey = "stream.noKey"
  public static let streamNoTime = "stream.noTime"
  public static let streamTimeAhead = "stream.timeAhead"
}
