/// The address and the limits of a server.
public struct HTTPServerConfiguration: Sendable, Hashable {
  /// An IPv4 or IPv6 address, or `localhost`.
  public var host: String
  /// 0 takes any free port; `start()` returns which.
  public var port: Int
  /// A request with a longer body is answered 413, before its body is read when `Content-Length` says so.
  public var maxBodyBytes: Int
  /// The request line and headers together; more is answered 431 (or 414).
  public var maxHeaderBytes: Int
  /// What the server shows to its clients; nil to speak HTTP without TLS.
  public var certificate: ServerCertificate?
  /// The names under which the server may be asked; a request for another is answered 421.
  public var hosts: HostPolicy
  /// Further connections wait in the listen queue until one ends.
  public var maxConnections: Int
  /// A further connection of the same address is answered 429 and closed. A reverse proxy is one address.
  public var maxConnectionsPerAddress: Int
  /// The bytes of all bodies that are arriving or being handled, without the first 16 KiB of each. A request that would
  /// exceed it is answered 503.
  public var maxBodyBytesInFlight: Int
  /// A connection on which nothing moves for this long is closed. Whole seconds, rounded up.
  public var idleTimeout: Duration
  /// A request must have arrived whole this long after its first byte, however steadily it trickles; else 408 and
  /// the connection is closed.
  public var requestTimeout: Duration

  public init(
    host: String = "127.0.0.1", port: Int = 0, maxBodyBytes: Int = 8 << 20, maxHeaderBytes: Int = 32 << 10,
    hosts: HostPolicy? = nil, maxConnections: Int = 4_096, maxConnectionsPerAddress: Int = 1_024,
    maxBodyBytesInFlight: Int = 64 << 20, idleTimeout: Duration = .seconds(60), requestTimeout: Duration = .seconds(30)
  ) {
    self.host = host
    self.port = port
    self.maxBodyBytes = maxBodyBytes
    self.maxHeaderBytes = maxHeaderBytes
    self.hosts = hosts ?? HostPolicy(bound: host)
    self.maxConnections = maxConnections
    self.maxConnectionsPerAddress = maxConnectionsPerAddress
    self.maxBodyBytesInFlight = maxBodyBytesInFlight
    self.idleTimeout = idleTimeout
    self.requestTimeout = requestTimeout
  }

  /// Whether only programs on this machine can reach the address.
  public var isLoopback: Bool { ListeningSocket.isLoopback(host) }
}
