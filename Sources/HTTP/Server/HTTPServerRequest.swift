/// A request as the server read it, whole.
public struct HTTPServerRequest: Sendable {
  public typealias Field = (name: String, value: String)

  public let method: String
  /// The path as it was sent, percent-encoded, without the query.
  public let path: String
  /// The path's segments, percent-decoded: `/a/b%2Fc` is `["a", "b/c"]`, and `/` is `[]`. A trailing slash gives a
  /// last, empty segment.
  public let segments: [String]
  /// The query's fields in order, percent-decoded, `+` read as a space.
  public let query: [Field]
  public let headers: HTTPHeaders
  public let body: [UInt8]
  /// The peer's IP address, without its port.
  public let remoteAddress: String
  /// Whether the request came over TLS of the server's own. Behind a proxy with TLS it is false.
  public let isEncrypted: Bool
  /// The number of the request on its connection, from 1. Above 1 the client has reused a kept connection.
  public let numberOnConnection: Int

  /// For tests and for calls in process: `target` is a path with an optional query, as in a request line.
  /// - Throws: a `Problem` with status 400 when the target's escapes can't be read.
  public init(
    _ method: String, _ target: String, headers: HTTPHeaders = [:], body: [UInt8] = [],
    remoteAddress: String = "127.0.0.1", isEncrypted: Bool = false, numberOnConnection: Int = 1
  ) throws(Problem) {
    self.init(
      method: method, target: try RequestTarget(parsing: target), headers: headers, body: body,
      remoteAddress: remoteAddress, isEncrypted: isEncrypted, numberOnConnection: numberOnConnection)
  }

  init(
    method: String, target: RequestTarget, headers: HTTPHeaders, body: [UInt8], remoteAddress: String,
    isEncrypted: Bool, numberOnConnection: Int
  ) {
    self.method = method
    self.path = target.path
    self.segments = target.segments
    self.query = target.query
    self.headers = headers
    self.body = body
    self.remoteAddress = remoteAddress
    self.isEncrypted = isEncrypted
    self.numberOnConnection = numberOnConnection
  }

  /// The first value of this name in the query.
  public func query(_ name: String) -> String? { query.first { $0.name == name }?.value }
}
