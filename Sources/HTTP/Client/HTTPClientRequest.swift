/// One call to make.
public struct HTTPClientRequest: Sendable, Hashable {
  public var method: String
  /// An absolute `http` or `https` URL, percent-encoded.
  public var url: String
  public var headers: HTTPHeaders
  public var body: [UInt8]
  /// From the call of `send` to the response's last byte, waiting in line included. In milliseconds, rounded up.
  public var timeout: Duration
  /// A longer response is refused as `http.responseTooLarge`.
  public var maxResponseBytes: Int

  public init(
    method: String = "GET", url: String, headers: HTTPHeaders = [:], body: [UInt8] = [],
    timeout: Duration = .seconds(30), maxResponseBytes: Int = 8 << 20
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.timeout = timeout
    self.maxResponseBytes = maxResponseBytes
  }
}

/// What a server answered, whatever its status.
public struct HTTPClientResponse: Sendable, Hashable {
  public let status: Int
  public let headers: HTTPHeaders
  public let body: [UInt8]

  public init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }
}
