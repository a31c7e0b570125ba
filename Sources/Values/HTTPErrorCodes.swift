/// The codes of HTTP. Each has a page in `docs/errors/`. The module HTTP adds the codes of its server in an extension.
public enum HTTPErrorCode {
  // The client's.
  public static let connectionRefused = "http.connectionRefused"
  public static let nameNotResolved = "http.nameNotResolved"
  public static let connectTimeout = "http.connectTimeout"
  public static let timeout = "http.timeout"
  public static let connectionLost = "http.connectionLost"
  public static let tls = "http.tls"
  public static let protocolError = "http.protocolError"
  public static let answerNotHTTP = "http.answerNotHTTP"
  public static let responseTooLarge = "http.responseTooLarge"
  public static let invalidRequest = "http.invalidRequest"
  public static let cancelled = "http.cancelled"
  public static let shutdown = "http.shutdown"
}
