/// How a server listens, and what it puts up with.
public struct HTTPServerConfiguration: Sendable, Hashable {
  /// An IPv4 or IPv6 address, or `localhost`.
  public var host: String
  /// 0 takes any free port; `start()` returns which.
  public var port: Int
  /// A request with a longer body is answered 413, before its body is read when `Content-Length` says so.
  public var maxBodyBytes: Int
  /// The request line and headers together; more is answered 431 (or 414).
  public var maxHeaderBytes: Int
  /// Further connections wait in the listen queue until one ends.
  public var maxConnections: Int
  /// A connection on which nothing moves for this long is closed. Whole seconds, rounded up.
  public var idleTimeout: Duration
  /// A request must have arrived whole this long after its first byte, however steadily it trickles; else 408 and
  /// the connection is closed.
  public var requestTimeout: Duration

  public init(
    host: String = "127.0.0.1", port: Int = 0, maxBodyBytes: Int = 8 << 20, maxHeaderBytes: Int = 32 << 10,
    maxConnections: Int = 4_096, idleTimeout: Duration = .seconds(60), requestTimeout: Duration = .seconds(30)
  ) {
    self.host = host
    self.port = port
    self.maxBodyBytes = maxBodyBytes
    self.maxHeaderBytes = maxHeaderBytes
    self.maxConnections = maxConnections
    self.idleTimeout = idleTimeout
    self.requestTimeout = requestTimeout
  }
}
