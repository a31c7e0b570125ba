/// The codes of this module's errors. Each has a page in `docs/errors/`.
public enum StreamingErrorCode {
  public static let echoRewindInvalid = "echo.rewindInvalid"
  public static let streamInvalid = "stream.invalid"
}
