import HTTP
import Values

/// What the operator configured for the calls to one service, beside its URL. No workflow can read or change it.
public struct ServiceAccess: Sendable, Hashable {
  /// A header that every call to the service has. It replaces a header of the same name that a workflow sets.
  public struct Field: Sendable, Hashable {
    public let name: String
    public let value: SecretSource

    public init(name: String, value: SecretSource) {
      self.name = name
      self.value = value
    }
  }

  public var fields: [Field]
  /// Nil for a service that wants no token.
  public var clientCredentials: ClientCredentials?
  /// The most time that one call may take, also when a step's timeout is longer; nil without such a limit.
  public var timeout: Duration?
  public var tls: HTTPClientTLS

  public init(
    fields: [Field] = [], clientCredentials: ClientCredentials? = nil, timeout: Duration? = nil,
    tls: HTTPClientTLS = HTTPClientTLS()
  ) {
    self.fields = fields
    self.clientCredentials = clientCredentials
    self.timeout = timeout
    self.tls = tls
  }
}

/// How a service's token is got: OAuth 2.0 client credentials (RFC 6749 §4.4).
public struct ClientCredentials: Sendable, Hashable {
  /// Where the request for a token has the client's id and secret (RFC 6749 §2.3.1).
  public enum Place: String, Sendable, CaseIterable {
    /// In the header `Authorization`. Every token server must take it.
    case basic
    /// In the form. Some token servers want it.
    case post
  }

  /// The token server's URL.
  public var tokenURL: String
  public var clientID: String
  public var clientSecret: SecretSource
  public var scope: String?
  /// For which service the token is, where the token server asks for it. RFC 6749 does not have it.
  public var audience: String?
  public var place: Place
  /// The trust and the certificate for the token server.
  public var tls: HTTPClientTLS

  public init(
    tokenURL: String, clientID: String, clientSecret: SecretSource, scope: String? = nil, audience: String? = nil,
    place: Place = .basic, tls: HTTPClientTLS = HTTPClientTLS()
  ) {
    self.tokenURL = tokenURL
    self.clientID = clientID
    self.clientSecret = clientSecret
    self.scope = scope
    self.audience = audience
    self.place = place
    self.tls = tls
  }
}
