import Values

extension HTTPErrorCode {
  // The client's, beside those that every module knows.
  public static let addressRefused = "http.addressRefused"

  // Codes of the server's and the router's answers.
  public static let badRequest = "http.badRequest"
  public static let ambiguousLength = "http.ambiguousLength"
  public static let unsupportedTransferEncoding = "http.unsupportedTransferEncoding"
  public static let unsupportedContentEncoding = "http.unsupportedContentEncoding"
  public static let targetTooLong = "http.targetTooLong"
  public static let versionNotSupported = "http.versionNotSupported"
  public static let methodUnknown = "http.methodUnknown"
  public static let expectationFailed = "http.expectationFailed"
  public static let hostNotAllowed = "http.hostNotAllowed"
  public static let crossSite = "http.crossSite"
  public static let tlsNeeded = "http.tlsNeeded"
  public static let tooManyConnections = "http.tooManyConnections"
  public static let tooManyBodies = "http.tooManyBodies"
  public static let headersTooLarge = "http.headersTooLarge"
  public static let bodyTooLarge = "http.bodyTooLarge"
  public static let requestTimeout = "http.requestTimeout"
  public static let notFound = "http.notFound"
  public static let methodNotAllowed = "http.methodNotAllowed"
  public static let unsupportedMediaType = "http.unsupportedMediaType"
  public static let emptyBody = "http.emptyBody"
  public static let internalError = "http.internal"
  public static let shuttingDown = "http.shuttingDown"

  // Starting a server.
  public static let addressInUse = "http.addressInUse"
  public static let cannotListen = "http.cannotListen"
  // The server's certificate.
  public static let certificateUnusable = "http.certificateUnusable"
  public static let certificateEnding = "http.certificateEnding"
}
