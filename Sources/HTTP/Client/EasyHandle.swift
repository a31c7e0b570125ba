import CCurl
import Values

/// Sets a transfer's options on one of libcurl's easy handles.
struct EasyHandle {
  /// The most whole seconds for which a kept connection may be idle and still be used. libcurl cuts fractions off, so a
  /// connection is used for less than two seconds: servers keep them for five, some for two.
  static let longestIdle = 1

  let pointer: UnsafeMutableRawPointer

  /// - Throws: the first option that libcurl wouldn't take.
  /// - Parameters:
  ///   - usesNewConnection: whether the call gets a connection that no other call uses.
  ///   - usesHTTP2: whether HTTP/2 is spoken to a server that offers it over TLS.
  func prepare(
    _ transfer: Transfer, _ configuration: HTTPClientConfiguration, usesNewConnection: Bool, usesHTTP2: Bool
  ) throws(HTTPClientError) {
    let request = transfer.request
    let left = max(1, (transfer.deadline - .now).curlMilliseconds)
    try set(CURLOPT_URL, request.url)
    try set(CURLOPT_PROTOCOLS_STR, "http,https")
    try set(CURLOPT_NOSIGNAL, 1)
    try set(CURLOPT_FOLLOWLOCATION, 0)
    // A path goes out as it was written: what looks like `..` is data of the caller's.
    try set(CURLOPT_PATH_AS_IS, 1)
    try set(CURLOPT_SSL_VERIFYPEER, 1)
    try set(CURLOPT_SSL_VERIFYHOST, 2)
    try set(CURLOPT_HTTP_VERSION, Int(usesHTTP2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1))
    try set(CURLOPT_TIMEOUT_MS, left)
    try set(CURLOPT_CONNECTTIMEOUT_MS, max(1, min(left, configuration.connectTimeout.curlMilliseconds)))
    // A cancelled call doesn't wait for a slow name server.
    try set(CURLOPT_QUICK_EXIT, 1)
    try set(CURLOPT_TCP_NODELAY, 1)
    try set(CURLOPT_MAXAGE_CONN, Self.longestIdle)
    if usesNewConnection {
      try set(CURLOPT_FRESH_CONNECT, 1)
      try set(CURLOPT_FORBID_REUSE, 1)
    }
    // A proxy's answer to CONNECT is not the server's answer.
    try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    try set(CURLOPT_USERAGENT, configuration.userAgent)
    try setTLS(request.tls, configuration)
    if !configuration.usesProxyFromEnvironment { try set(CURLOPT_PROXY, "") }
    try setMethodAndBody(request)
    try setHeaders(transfer)
    transfer.easy = pointer
    try setCallbacks(transfer)
    if !configuration.reachesRefusedAddresses { try checkAddresses(transfer) }
    try setNames(configuration.namesForTests, transfer)
  }

  private func setTLS(_ tls: HTTPClientTLS, _ configuration: HTTPClientConfiguration) throws(HTTPClientError) {
    if let authorities = tls.certificateAuthorities {
      try set(CURLOPT_CAINFO, authorities)
      // libcurl would keep the authorities of a file for a day, although the file changed.
      try set(CURLOPT_CA_CACHE_TIMEOUT, 0)
    } else if let authorities = configuration.certificateAuthorities {
      try set(CURLOPT_CAINFO, authorities)
    }
    guard let certificate = tls.certificate else { return }
    try set(CURLOPT_SSLCERT, certificate)
    try set(CURLOPT_SSLKEY, tls.key ?? certificate)
    // Without this OpenSSL would ask the terminal for the passphrase of an encrypted key.
    try set(CURLOPT_KEYPASSWD, "")
  }

  /// libcurl opens no socket to an address of `RefusedAddress`. The check sees the address to which the connection goes,
  /// so a name that resolves to another address at the second look gets nothing.
  private func checkAddresses(_ transfer: Transfer) throws(HTTPClientError) {
    let check = transfer.peerCheck
    check.pointee.context = Unmanaged.passUnretained(transfer).toOpaque()
    check.pointee.may_connect = { context, family, address, length in
      guard let address else { return 0 }
      let bytes = UnsafeRawBufferPointer(start: address, count: length)
      guard let refused = RefusedAddress.of(family: family, bytes) else { return 1 }
      Transfer.from(context)?.refusedAddress = refused
      return 0
    }
    try self.check(tracseq_curl_set_peer_check(pointer, check))
  }

  private func setNames(_ names: [String], _ transfer: Transfer) throws(HTTPClientError) {
    guard !names.isEmpty else { return }
    for name in names {
      guard let list = curl_slist_append(transfer.nameList, name) else { throw Self.refused("out of memory") }
      transfer.nameList = list
    }
    try check(tracseq_curl_set_pointer(pointer, CURLOPT_RESOLVE, UnsafeMutableRawPointer(transfer.nameList)))
  }

  private func setMethodAndBody(_ request: HTTPClientRequest) throws(HTTPClientError) {
    if request.method == "HEAD" {
      try set(CURLOPT_NOBODY, 1)
    } else if !request.body.isEmpty || ["POST", "PUT", "PATCH"].contains(request.method) {
      try set(CURLOPT_POST, 1)
      try check(tracseq_curl_set_offset(pointer, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count)))
      let code = request.body.withUnsafeBytes { body in
        // An empty array may have no address; libcurl would then read the body from standard input.
        body.baseAddress.map {
          tracseq_curl_set_pointer(pointer, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: $0))
        }
          ?? tracseq_curl_set_text(pointer, CURLOPT_COPYPOSTFIELDS, "")
      }
      try check(code)
      try set(CURLOPT_CUSTOMREQUEST, request.method)
    } else {
      try set(CURLOPT_HTTPGET, 1)
      try set(CURLOPT_CUSTOMREQUEST, request.method)
    }
  }

  private func setHeaders(_ transfer: Transfer) throws(HTTPClientError) {
    let headers = transfer.request.headers
    var lines = headers.map { $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)" }
    // libcurl would wait a second for a 100, and call a body a form.
    for name in ["Expect", "Content-Type"] where !headers.contains(name) { lines.append("\(name):") }
    // Without this a server may compress its answer as it likes (RFC 9110 §12.5.3).
    if !headers.contains("Accept-Encoding") { lines.append("Accept-Encoding: identity") }
    for line in lines {
      guard let list = curl_slist_append(transfer.headerList, line) else { throw Self.refused("out of memory") }
      transfer.headerList = list
    }
    try check(tracseq_curl_set_list(pointer, transfer.headerList))
  }

  private func setCallbacks(_ transfer: Transfer) throws(HTTPClientError) {
    // The loop holds the transfer for as long as the handle is at work.
    let context = Unmanaged.passUnretained(transfer).toOpaque()
    // libcurl calls this once a connection is up, each time that it is about to write the request, for whatever reason:
    // the first time, after a lost connection, a refused HTTP/2 stream, a 417. It writes nothing when told to abort.
    try check(
      tracseq_curl_set_before_request(
        pointer,
        { context, _, _, _, _ in
          Transfer.from(context)?.mayWrite() == true ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
        }, context))
    try check(
      tracseq_curl_set_data(pointer, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
        guard let transfer = Transfer.from(context) else { return 0 }
        let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
        return transfer.receiveHeader(line) ? size * count : 0
      })
    try check(tracseq_curl_set_pointer(pointer, CURLOPT_HEADERDATA, context))
    try check(
      tracseq_curl_set_data(pointer, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
        let chunk = UnsafeRawBufferPointer(start: bytes, count: size * count)
        return Transfer.from(context)?.receiveBody(chunk) == true ? size * count : 0
      })
    try check(tracseq_curl_set_pointer(pointer, CURLOPT_WRITEDATA, context))
  }

  private func set(_ option: CURLoption, _ value: Int) throws(HTTPClientError) {
    try check(tracseq_curl_set_long(pointer, option, value))
  }

  private func set(_ option: CURLoption, _ value: String) throws(HTTPClientError) {
    try check(tracseq_curl_set_text(pointer, option, value))
  }

  private func check(_ code: CURLcode) throws(HTTPClientError) {
    if code != CURLE_OK { throw Self.refused(String(cString: curl_easy_strerror(code))) }
  }

  private static func refused(_ why: String) -> HTTPClientError {
    HTTPClientError(code: HTTPErrorCode.invalidRequest, message: "The call can't be made: \(why).", sent: false)
  }
}

extension Transfer {
  fileprivate static func from(_ context: UnsafeMutableRawPointer?) -> Transfer? {
    context.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
  }
}

extension Duration {
  /// Rounded up.
  var curlMilliseconds: Int {
    let (seconds, attoseconds) = components
    let part = (attoseconds + (attoseconds > 0 ? 999_999_999_999_999 : 0)) / 1_000_000_000_000_000
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
    // libcurl takes a C long of milliseconds and caps it, so any longer time becomes a fortnight.
    return overflow ? 1_209_600_000 : Int(min(whole + part, 1_209_600_000))
  }
}
