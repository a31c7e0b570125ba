import Values

/// Calls HTTP servers through libcurl: one thread a client runs every transfer, and connections are kept and shared.
///
/// Redirects aren't followed: an answer is an answer. Certificates are verified.
public final class HTTPClient: Sendable {
  private let loop: TransferLoop

  public init(_ configuration: HTTPClientConfiguration = .init()) {
    loop = TransferLoop(configuration)
    loop.start()
  }

  deinit { loop.stop() }

  /// Makes one call. Cancelling the task ends the transfer at once.
  ///
  /// The request is written once at most, whatever its method. A connection that breaks before an answer came, kept or
  /// new, fails the call as `http.connectionLost`, `sent`: the caller decides whether to make it again.
  public func send(_ request: HTTPClientRequest) async throws(HTTPClientError) -> HTTPClientResponse {
    try request.check()
    let transfer = Transfer(request)
    let loop = loop
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        transfer.begin(continuation)
        loop.submit(transfer)
      }
    } onCancel: {
      loop.cancel(transfer)
    }
    return try result.get()
  }

  /// Ends what is in flight as `http.shutdown` and returns when the client's thread has ended.
  public func shutdown() async {
    loop.stop()
    await loop.ended()
  }
}

extension HTTPClientRequest {
  /// Refuses what would let one request smuggle in another, or contradict what libcurl writes itself.
  func check() throws(HTTPClientError) {
    func refuse(_ message: String) -> HTTPClientError {
      HTTPClientError(code: HTTPErrorCode.invalidRequest, message: message, sent: false)
    }
    guard method.isHTTPToken else { throw refuse("The method isn't a word that HTTP allows.") }
    guard !url.isEmpty, url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw refuse("The URL is empty or has a character that must be percent-encoded.")
    }
    for (name, value) in headers {
      guard name.isHTTPToken else { throw refuse("A header's name isn't a word that HTTP allows.") }
      guard value.isHTTPFieldValue else { throw refuse("The header \(name) has a control character in its value.") }
      guard !name.isSameHeaderName(as: "Content-Length"), !name.isSameHeaderName(as: "Transfer-Encoding") else {
        throw refuse("The header \(name) is written by the client itself.")
      }
      // A 417 to it would have libcurl send the request again.
      guard !name.isSameHeaderName(as: "Expect") else { throw refuse("The client doesn't send the header Expect.") }
    }
    guard timeout > .zero else {
      throw HTTPClientError(
        code: HTTPErrorCode.timeout, message: "The call's time was up before it began.", sent: false)
    }
  }

  /// `scheme://host:port` in lower case. Calls to one of them share its limit. Without the user, because messages show it.
  var origin: String {
    guard let separator = url.firstRange(of: "://") else { return "" }
    let end = url[separator.upperBound...].firstIndex { "/?#".contains($0) } ?? url.endIndex
    let authority = url[separator.upperBound..<end]
    let host = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
    return (url[..<separator.upperBound] + host).lowercased()
  }
}
