/// One call to make.
public struct HTTPClientRequest: Sendable, Hashable {
  public var method: String
  /// An absolute `http` or `https` URL, percent-encoded.
  public var url: String
  public var headers: HTTPHeaders
  public var body: [UInt8]
  /// From the call of `send` to the response's last byte, waiting in line included. In milliseconds, rounded up.
  public var timeout: Duration
  /// The most bytes that the body of the response may have. A longer one is refused as `http.responseTooLarge`.
  public var maxResponseBytes: Int
  /// Whether a response whose status is known counts although its body isn't whole: `HTTPClientResponse.bodyError` then
  /// says why. If not, the call fails with that error.
  public var takesPartialBody: Bool
  /// The trust and the certificate of this call; the client's own trust without them.
  public var tls: HTTPClientTLS

  public init(
    method: String = "GET", url: String, headers: HTTPHeaders = [:], body: [UInt8] = [],
    timeout: Duration = .seconds(30), maxResponseBytes: Int = 8 << 20, takesPartialBody: Bool = false,
    tls: HTTPClientTLS = HTTPClientTLS()
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.timeout = timeout
    self.maxResponseBytes = maxResponseBytes
    self.takesPartialBody = takesPartialBody
    self.tls = tls
  }
}

/// Files in PEM for TLS. Each new connection reads them, so a renewed certificate needs no restart.
public struct HTTPClientTLS: Sendable, Hashable {
  /// The certificate authorities to trust instead of the client's; nil for the client's.
  public var certificateAuthorities: String?
  /// The certificate that the client shows, with the certificates of its issuers behind it; nil for none.
  public var certificate: String?
  /// The private key of `certificate`, without a passphrase; nil when it is in the same file.
  public var key: String?

  public init(certificateAuthorities: String? = nil, certificate: String? = nil, key: String? = nil) {
    self.certificateAuthorities = certificateAuthorities
    self.certificate = certificate
    self.key = key
  }
}

/// A server's answer with any status.
public struct HTTPClientResponse: Sendable, Hashable {
  public let status: Int
  public let headers: HTTPHeaders
  /// The body as it came; it is not decompressed.
  public let body: [UInt8]
  /// The text after the status in HTTP/1; empty in HTTP/2.
  public let reason: String
  /// Why the body isn't whole; nil when it is.
  public let bodyError: HTTPClientError?

  public init(
    status: Int, headers: HTTPHeaders = [:], body: [UInt8] = [], reason: String = "",
    bodyError: HTTPClientError? = nil
  ) {
    self.status = status
    self.reason = reason
    self.bodyError = bodyError
    self.headers = headers
    self.body = body
  }
}
