import CCurl
import Synchronization

extension Transfer {
  /// Says why libcurl gave up. Whether the request may have reached the server is what `sent` knows: libcurl tells
  /// us right before it writes a request to a connection.
  func fail(_ result: CURLcode) {
    let why = String(cString: curl_easy_strerror(result))
    if isCancelled.load(ordering: .acquiring) {
      fail(HTTPErrorCode.cancelled, "The call was cancelled.")
    } else if tooLarge {
      fail(HTTPErrorCode.responseTooLarge, "The response from \(origin) is longer than allowed.")
    } else if refusedRepeat {
      fail(
        HTTPErrorCode.connectionLost, "The kept connection to \(origin) was lost, and the request can't be repeated.")
    } else {
      fail(code(of: result), "The call to \(origin) failed: \(why).")
    }
  }

  private func code(of result: CURLcode) -> String {
    switch result {
    case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: HTTPErrorCode.invalidRequest
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: HTTPErrorCode.nameNotResolved
    case CURLE_COULDNT_CONNECT: HTTPErrorCode.connectionRefused
    case CURLE_OPERATION_TIMEDOUT: sent ? HTTPErrorCode.timeout : HTTPErrorCode.connectTimeout
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
      CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_ENGINE_INITFAILED, CURLE_USE_SSL_FAILED,
      CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CRL_BADFILE:
      HTTPErrorCode.tls
    case CURLE_HTTP2, CURLE_HTTP2_STREAM, CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING:
      HTTPErrorCode.protocolError
    // Nothing else can end a transfer but a connection that broke: while sending, while waiting, within the answer.
    default: HTTPErrorCode.connectionLost
    }
  }
}
