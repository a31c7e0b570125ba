/// The timeouts, limits and trust of a client.
public struct HTTPClientConfiguration: Sendable, Hashable {
  /// The longest time to open a connection, TLS included.
  public var connectTimeout: Duration
  /// Calls on the wire at once; further ones wait in line, each within its own deadline.
  public var maxInFlight: Int
  /// Calls on the wire at once to one host and port; further ones wait in line.
  public var maxInFlightPerHost: Int
  /// A response whose headers are longer is refused.
  public var maxResponseHeaderBytes: Int
  /// Sent as `User-Agent` unless the request has its own.
  public var userAgent: String
  /// A PEM file of certificate authorities to trust instead of the system's.
  public var certificateAuthorities: String?
  /// Whether the proxies that the environment names (`http_proxy`, …) are used.
  public var usesProxyFromEnvironment: Bool
  /// Whether calls may reach the addresses that `RefusedAddress` lists: link-local ones, those of a cloud's metadata, and
  /// those that name no single machine. The address of each new connection counts, whatever name led to it.
  public var reachesRefusedAddresses: Bool
  /// Addresses of names instead of those that the name server gives, as `HOST:PORT:ADDRESS`. For tests.
  package var namesForTests: [String] = []

  public init(
    connectTimeout: Duration = .seconds(10), maxInFlight: Int = 256, maxInFlightPerHost: Int = 128,
    maxResponseHeaderBytes: Int = 64 << 10, userAgent: String = "tracseq-sagas",
    certificateAuthorities: String? = nil, usesProxyFromEnvironment: Bool = false,
    reachesRefusedAddresses: Bool = false
  ) {
    self.connectTimeout = connectTimeout
    self.maxInFlight = maxInFlight
    self.maxInFlightPerHost = maxInFlightPerHost
    self.maxResponseHeaderBytes = maxResponseHeaderBytes
    self.userAgent = userAgent
    self.certificateAuthorities = certificateAuthorities
    self.usesProxyFromEnvironment = usesProxyFromEnvironment
    self.reachesRefusedAddresses = reachesRefusedAddresses
  }
}
