import CCurl
import Synchronization
import Values

extension Transfer {
  /// Ends a call that libcurl gave up. Once its status is known, a caller that takes a partial body gets what came.
  func end(_ result: CURLcode) {
    let error = error(of: result)
    if let status, request.takesPartialBody, error.code != HTTPErrorCode.cancelled {
      succeed(status: status, bodyError: error)
    } else {
      finish(.failure(error))
    }
  }

  /// Whether the connection was kept from an earlier call, and broke before anything of an answer came.
  func lostKeptConnection(_ result: CURLcode) -> Bool {
    let code = error(of: result).code
    return usedKeptConnection && status == nil
      && (code == HTTPErrorCode.connectionLost || code == HTTPErrorCode.protocolError)
  }

  /// Why libcurl gave up. `sent` says whether the request may have reached the server: libcurl calls `mayWrite` right
  /// before it writes a request to a connection.
  private func error(of result: CURLcode) -> HTTPClientError {
    let why = String(cString: curl_easy_strerror(result))
    let (code, message): (String, String) =
      if isCancelled.load(ordering: .acquiring) {
        (HTTPErrorCode.cancelled, "The call was cancelled.")
      } else if tooLarge {
        (HTTPErrorCode.responseTooLarge, "The response from \(origin) is longer than allowed.")
      } else if let refusedAddress, result == CURLE_COULDNT_CONNECT, !sent {
        (
          HTTPErrorCode.addressRefused,
          "\(origin) leads to \(refusedAddress.text), \(refusedAddress.kind). No call goes there."
        )
      } else if refusedRepeat {
        (
          HTTPErrorCode.connectionLost,
          "The connection to \(origin) was lost after the request was sent; the request was not sent again."
        )
      } else {
        switch self.code(of: result) {
        case HTTPErrorCode.answerNotHTTP:
          (
            HTTPErrorCode.answerNotHTTP,
            "What \(origin) answered is not HTTP. Whether the request took effect is unknown."
          )
        case let code: (code, "The call to \(origin) failed: \(why).")
        }
      }
    return HTTPClientError(code: code, message: message, sent: sent)
  }

  private func code(of result: CURLcode) -> String {
    switch result {
    // Before anything is written, of the URL; afterwards, of an answer without a status line (HTTP/0.9, or no HTTP).
    case CURLE_UNSUPPORTED_PROTOCOL where sent: HTTPErrorCode.answerNotHTTP
    case CURLE_WEIRD_SERVER_REPLY where status == nil: HTTPErrorCode.answerNotHTTP
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
