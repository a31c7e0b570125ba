/// The stable codes of mistakes in a request, and of the problems that `/readyz` reports. Each has a page in
/// `docs/errors/`.
public enum ServerErrorCode {
  public static let bodyMalformed = "request.bodyMalformed"
  public static let memberUnknown = "request.memberUnknown"
  public static let memberMissing = "request.memberMissing"
  public static let memberInvalid = "request.memberInvalid"
  public static let parameterUnknown = "request.parameterUnknown"
  public static let parameterInvalid = "request.parameterInvalid"
  public static let headerInvalid = "request.headerInvalid"
  public static let cursorMalformed = "cursor.malformed"
  public static let sagaIDMalformed = "saga.idMalformed"
  public static let operationIDMalformed = "operation.idMalformed"
  // Of the live stream.
  public static let liveFull = "live.full"
  public static let liveSlow = "live.slow"
  public static let liveTooFarBehind = "live.tooFarBehind"
  // Of the echo and the consumers.
  public static let echoOff = "echo.off"
  public static let echoHeld = "echo.held"
  public static let echoBehind = "echo.behind"
  public static let consumerFailing = "consumer.failing"
  // Of the lists.
  public static let listsBehind = "lists.behind"
  // Of the destinations of notices.
  public static let noticeFailing = "notice.failing"
  // Of callers and their rights.
  public static let keyMissing = "access.keyMissing"
  public static let keyUnknown = "access.keyUnknown"
  public static let keyExpired = "access.keyExpired"
  public static let keyRevoked = "access.keyRevoked"
  public static let sessionEnded = "access.sessionEnded"
  public static let roleMissing = "access.roleMissing"
  public static let otherPerson = "access.otherPerson"
  public static let keysUnreadable = "access.keysUnreadable"
  // Of an OpenID provider and its tokens.
  public static let tokenInvalid = "access.tokenInvalid"
  public static let tokenExpired = "access.tokenExpired"
  public static let signInFailed = "access.signInFailed"
  public static let providerOff = "access.providerOff"
  public static let providerUnavailable = "access.providerUnavailable"
  public static let oidcUnreadable = "access.oidcUnreadable"

  /// The codes with which a route that asks a permission can refuse any caller.
  static let ofAccess = [
    keyExpired, keyMissing, keyRevoked, keyUnknown, providerUnavailable, roleMissing, sessionEnded, tokenExpired,
    tokenInvalid,
  ]
  /// The codes with which a sign-in with a key, or with a token in its place, can be refused.
  static let ofCredentials = [keyExpired, keyRevoked, keyUnknown, providerUnavailable, tokenExpired, tokenInvalid]
}
