import CMicrohttpd
import Synchronization
import Values

/// Hands an answer to libmicrohttpd, on its thread.
struct ResponseWriter {
  let exchange: Exchange
  let suspended: SuspendedCount
  /// Whether the connection is closed after it.
  let closes: Bool
  /// Whether the answer demands TLS with this host from now on.
  let demandsTLS: Bool

  func send(_ answer: HTTPServerResponse) -> MHD_Result {
    var answer = (answer.isSendable ? answer : .unsendable).withStandardHeaders
    // For HEAD, libmicrohttpd would leave out the chunks of a stream and send their end. The client would take that for the
    // beginning of the next answer on the connection.
    if exchange.admitted.head.method == "HEAD", case .stream(let stream) = answer.body {
      stream.cancel()
      answer.body = .bytes([])
    }
    guard let response = create(answer.body) else { return .NO }
    defer { MHD_destroy_response(response) }
    for (name, value) in answer.headers where !Self.ownHeaders.contains(where: { $0.isSameHeaderName(as: name) }) {
      guard MHD_add_response_header(response, name, value) == .YES else { return .NO }
    }
    // RFC 6797, for half a year.
    if demandsTLS { _ = MHD_add_response_header(response, "Strict-Transport-Security", "max-age=15768000") }
    if closes { _ = MHD_add_response_header(response, "Connection", "close") }
    return MHD_queue_response(exchange.connection.pointer, UInt32(answer.status), response)
  }

  /// The headers about the body that libmicrohttpd writes itself; an answer must not repeat them.
  private static let ownHeaders = ["Content-Length", "Transfer-Encoding", "Connection", "Date"]

  private func create(_ body: HTTPBody) -> OpaquePointer? {
    switch body {
    case .bytes(let bytes):
      return bytes.withUnsafeBytes {
        MHD_create_response_from_buffer(
          $0.count, UnsafeMutableRawPointer(mutating: $0.baseAddress), .RESPMEM_MUST_COPY)
      }
    case .hangUp:
      // Without a response, libmicrohttpd closes the connection.
      return nil
    case .stream(let source):
      let stream = StreamingBody(source, connection: exchange.connection, suspended: suspended)
      exchange.state.withLock { $0.stream = stream }
      return MHD_create_response_from_callback(
        UInt64.max, 32 << 10,
        { context, _, buffer, room in
          guard let context, let buffer else { return -2 }
          let stream = Unmanaged<StreamingBody>.fromOpaque(context).takeUnretainedValue()
          return stream.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: room))
        },
        Unmanaged.passRetained(stream).toOpaque(),
        { context in
          if let context { Unmanaged<StreamingBody>.fromOpaque(context).release() }
        })
    }
  }
}

extension HTTPServerResponse {
  /// libmicrohttpd drops the connection over a header or a status that it can't send.
  fileprivate var isSendable: Bool {
    (200...599).contains(status)
      && headers.allSatisfy { $0.name.isHTTPToken && $0.value.isHTTPFieldValue && !$0.value.utf8.contains(0x09) }
  }

  fileprivate static let unsendable = HTTPServerResponse.problem(
    Problem(500, HTTPErrorCode.internalError, detail: "The answer had a status or a header that HTTP can't carry."))
}

extension HTTPServerResponse {
  /// Returns the answer with the standard headers that it does not set itself.
  ///
  /// No answer may be read by a page of another origin, shown in its frame, taken for a script, or kept by a cache.
  /// No answer has a header that allows another origin.
  var withStandardHeaders: HTTPServerResponse {
    var answer = self
    for (name, value) in Self.standardHeaders where !answer.headers.contains(name) { answer.headers.add(name, value) }
    return answer
  }

  private static let standardHeaders = [
    ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"), ("X-Frame-Options", "DENY"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
  ]
}
