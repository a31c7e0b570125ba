import HTTP
import Values

extension APIClient {
  /// One client for the process: its connections are kept open between calls.
  private static let http = HTTPClient(
    // The person at the terminal names the engine, which may be on a link-local address of the same cable.
    HTTPClientConfiguration(userAgent: "saga/\(ProgramVersion.text)", reachesRefusedAddresses: true))

  /// Sends by libcurl.
  static let overHTTP: Send = { (url, request) async throws(APIUnreachable) in
    do throws(HTTPClientError) {
      let response = try await http.send(
        HTTPClientRequest(
          method: request.method, url: url, headers: HTTPHeaders(request.headers.map { ($0.name, $0.value) }),
          body: request.body ?? [], timeout: request.timeout, maxResponseBytes: 256 << 20,
          tls: HTTPClientTLS(certificateAuthorities: request.authorities)))
      return APIAnswer(status: response.status, body: response.body)
    } catch {
      throw APIUnreachable(
        mayHaveArrived: error.sent, isUntrusted: error.code == HTTPErrorCode.tls, why: error.message)
    }
  }
}
