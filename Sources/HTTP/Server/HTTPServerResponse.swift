import JSON

/// The answer to a request.
public struct HTTPServerResponse: Sendable {
  public var status: Int
  public var headers: HTTPHeaders
  public var body: HTTPBody

  public init(status: Int = 200, headers: HTTPHeaders = [:], body: HTTPBody = .bytes([])) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// No answer: the connection is closed without a byte. For servers that simulate faults.
  public static let hangUp = HTTPServerResponse(status: 500, body: .hangUp)

  /// A JSON answer, compact.
  public static func json(_ value: JSON, status: Int = 200, headers: HTTPHeaders = [:]) -> HTTPServerResponse {
    bytes(value.bytes(), type: "application/json", status: status, headers: headers)
  }

  /// A problem as RFC 9457 has it, with the problem's own headers.
  public static func problem(_ problem: Problem) -> HTTPServerResponse {
    bytes(
      problem.json.bytes(), type: "application/problem+json", status: problem.status, headers: problem.headers)
  }

  /// Plain text in UTF-8.
  public static func text(_ text: String, status: Int = 200, headers: HTTPHeaders = [:]) -> HTTPServerResponse {
    bytes(Array(text.utf8), type: "text/plain; charset=utf-8", status: status, headers: headers)
  }

  /// Bytes with their media type, unless `headers` already names one.
  public static func bytes(
    _ bytes: [UInt8], type: String, status: Int = 200, headers: HTTPHeaders = [:]
  ) -> HTTPServerResponse {
    var headers = headers
    if !headers.contains("Content-Type") { headers["Content-Type"] = type }
    return HTTPServerResponse(status: status, headers: headers, body: .bytes(bytes))
  }
}

/// The body of an answer.
public enum HTTPBody: Sendable {
  case bytes([UInt8])
  /// Chunks sent as they come. The stream is cancelled when the client is found to have gone, which shows only when
  /// something is written to it. An empty chunk writes nothing.
  case stream(AsyncStream<[UInt8]>)
  /// No answer at all: see `HTTPServerResponse.hangUp`.
  case hangUp

  /// The bytes, or nil when they are streamed.
  public var bytes: [UInt8]? { if case .bytes(let bytes) = self { bytes } else { nil } }
}
