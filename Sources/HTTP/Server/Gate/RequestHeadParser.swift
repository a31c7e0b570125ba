import Values

/// Parses the head of a request as its bytes arrive, and refuses everything that RFC 9112 does not allow.
///
/// Two servers that read a doubtful head differently can disagree on where a request ends. The parser therefore
/// never guesses: a head is exact or it is refused. A fault is found as soon as its line is complete, so that a
/// client with a broken head does not wait for a deadline.
struct RequestHeadParser {
  /// A head without a fault.
  struct Head {
    let head: RequestHead
    let body: BodyLength
    /// Whether the client allows a further request on its connection.
    let keepsConnection: Bool
    /// Whether the client waits for `100 Continue` before it sends the body.
    let expectsContinue: Bool
    let minorVersion: Int
    /// The number of bytes of the head, including empty lines before it.
    let size: Int
  }

  /// How the end of a body is found (RFC 9112 §6.3).
  enum BodyLength: Equatable {
    case exactly(Int)
    case chunked
  }

  private struct RequestLine {
    let method: String
    let target: RequestTarget
    let minorVersion: Int
  }

  /// More fields than any client sends are refused, because each costs more memory than its bytes.
  static let maxFields = 256
  /// Empty lines before a request that are passed over (RFC 9112 §2.2).
  private static let maxEmptyLines = 4

  private let configuration: HTTPServerConfiguration
  private let peer: String
  private let local: String
  private var line: RequestLine?
  private var headers = HTTPHeaders()
  /// The number of bytes that have been checked, and where the current line begins.
  private var checked = 0
  private var lineStart = 0
  private var emptyLines = 0

  /// - Parameters:
  ///   - peer: the client's address.
  ///   - local: this machine's address on the connection.
  init(_ configuration: HTTPServerConfiguration, peer: String, local: String) {
    self.configuration = configuration
    self.peer = peer
    self.local = local
  }

  /// The method, once the request line is complete.
  var method: String? { line?.method }

  /// Continues with what has arrived.
  /// - Parameter bytes: everything of this request so far, from its first byte.
  /// - Returns: the head, or nil while it is incomplete.
  mutating func parse(_ bytes: ArraySlice<UInt8>) throws(Problem) -> Head? {
    let start = bytes.startIndex
    while start + checked < bytes.endIndex {
      let byte = bytes[start + checked]
      switch byte {
      case .carriageReturn:
        // The line feed is still on its way.
        guard start + checked + 1 < bytes.endIndex else { return nil }
        guard bytes[start + checked + 1] == .lineFeed else {
          throw Self.malformed("The head has a carriage return without a line feed.")
        }
        let content = bytes[(start + lineStart)..<(start + checked)]
        checked += 2
        lineStart = checked
        if try finishLine(content) { return try finish() }
      case .lineFeed: throw Self.malformed("A line of the head ends in a line feed without a carriage return.")
      case 0x16 where checked == 0:
        throw Self.malformed("The request begins like a TLS handshake. This port speaks HTTP without TLS.")
      case 0x00...0x08, 0x0B...0x1F, 0x7F: throw Self.malformed("The head has a control character.")
      default: checked += 1
      }
      guard checked <= configuration.maxHeaderBytes else { throw tooLong }
    }
    return nil
  }

  /// - Returns: whether the line was the empty one behind the head.
  private mutating func finishLine(_ content: ArraySlice<UInt8>) throws(Problem) -> Bool {
    if line == nil {
      if content.isEmpty {
        emptyLines += 1
        guard emptyLines <= Self.maxEmptyLines else { throw Self.malformed("Empty lines come before the request.") }
      } else {
        line = try Self.requestLine(content)
      }
      return false
    }
    if content.isEmpty { return true }
    guard headers.count < Self.maxFields else {
      throw Problem(
        431, HTTPErrorCode.headersTooLarge, detail: "The request has more than \(Self.maxFields) header fields.")
    }
    try headers.add(field: content)
    return false
  }

  private var tooLong: Problem {
    guard line == nil else {
      return Problem(
        431, HTTPErrorCode.headersTooLarge,
        detail: "The request's head is longer than \(configuration.maxHeaderBytes) bytes.")
    }
    return Problem(
      414, HTTPErrorCode.targetTooLong,
      detail: "The request line is longer than \(configuration.maxHeaderBytes) bytes.")
  }

  private static func requestLine(_ content: ArraySlice<UInt8>) throws(Problem) -> RequestLine {
    let parts = content.split(separator: .space, omittingEmptySubsequences: false)
    guard parts.count == 3, !parts[1].isEmpty else {
      throw malformed("The request line must be a method, a target and a version, with one space between.")
    }
    let version = Array(parts[2])
    guard version.count == 8, version[..<5] == ArraySlice("HTTP/".utf8), version[6] == UInt8(ascii: "."),
      let major = version[5].decimalDigit, let minor = version[7].decimalDigit
    else { throw malformed("The request line must end in a version, such as HTTP/1.1.") }
    guard major == 1 else {
      throw Problem(
        505, HTTPErrorCode.versionNotSupported, detail: "The server speaks HTTP/1.1, not HTTP/\(major).\(minor).")
    }
    let method = String(decoding: parts[0], as: UTF8.self)
    guard method.isHTTPToken else { throw malformed("The method has a character that HTTP does not allow.") }
    guard HTTPMethod.known.contains(method) else {
      throw Problem(501, HTTPErrorCode.methodUnknown, detail: "The server knows no method of this name.")
    }
    let target = try RequestTarget(line: String(decoding: parts[1], as: UTF8.self), method: method)
    return RequestLine(method: method, target: target, minorVersion: Int(minor))
  }

  /// Checks what the fields say together.
  private func finish() throws(Problem) -> Head? {
    guard let line else { return nil }
    let body = try bodyLength(line)
    if let coding = headers.all("Content-Encoding").first(where: { !$0.isSameHeaderName(as: "identity") }) {
      throw Problem(
        415, HTTPErrorCode.unsupportedContentEncoding,
        detail: coding.isEmpty
          ? "The header Content-Encoding is empty." : "The server takes bodies without a Content-Encoding only.",
        headers: ["Accept-Encoding": "identity"])
    }
    var expectsContinue = false
    // HTTP/1.0 has no expectations; a server passes over them (RFC 9110 §10.1.1).
    if line.minorVersion > 0 {
      for expectation in headers.all("Expect") {
        guard expectation.isSameHeaderName(as: "100-continue") else {
          throw Problem(
            417, HTTPErrorCode.expectationFailed, detail: "The only expectation that the server meets is 100-continue.")
        }
        expectsContinue = true
      }
    }
    try configuration.hosts.check(headers, target: line.target, minorVersion: line.minorVersion, local: local)
    try CrossSiteCheck.check(
      line.method, headers, target: line.target, isEncrypted: configuration.certificate != nil)
    return Head(
      head: RequestHead(method: line.method, target: line.target, headers: headers, remoteAddress: peer), body: body,
      keepsConnection: keepsConnection(line), expectsContinue: expectsContinue && body != .exactly(0),
      minorVersion: line.minorVersion, size: checked)
  }

  /// The length of the body, which must be said once and in one way (RFC 9112 §6).
  private func bodyLength(_ line: RequestLine) throws(Problem) -> BodyLength {
    let lengths = headers.all("Content-Length")
    let codings = headers.all("Transfer-Encoding")
    guard lengths.isEmpty || codings.isEmpty else {
      throw Problem(
        400, HTTPErrorCode.ambiguousLength,
        detail: "The request has both Content-Length and Transfer-Encoding, so that the end of its body is in doubt.")
    }
    guard lengths.count <= 1 else {
      throw Problem(400, HTTPErrorCode.ambiguousLength, detail: "The request has more than one Content-Length.")
    }
    if !codings.isEmpty {
      guard line.minorVersion > 0 else { throw Self.malformed("HTTP/1.0 has no Transfer-Encoding.") }
      guard codings.count == 1, codings[0].isSameHeaderName(as: "chunked") else {
        throw Problem(
          501, HTTPErrorCode.unsupportedTransferEncoding, detail: "The only Transfer-Encoding taken is chunked.")
      }
      return .chunked
    }
    guard let text = lengths.first else { return .exactly(0) }
    guard !text.isEmpty, text.utf8.allSatisfy({ $0.decimalDigit != nil }) else {
      throw Self.malformed("The Content-Length is not a number.")
    }
    guard let length = Int(text), length <= configuration.maxBodyBytes else { throw configuration.bodyTooLarge }
    return .exactly(length)
  }

  private func keepsConnection(_ line: RequestLine) -> Bool {
    let options = headers.all("Connection").joined(separator: ",").split(separator: ",").map {
      String(String($0).trimmedOfBlanks)
    }
    if options.contains(where: { $0.isSameHeaderName(as: "close") }) { return false }
    return line.minorVersion > 0 || options.contains { $0.isSameHeaderName(as: "keep-alive") }
  }

  static func malformed(_ detail: String) -> Problem { Problem(400, HTTPErrorCode.badRequest, detail: detail) }
}

extension HTTPHeaders {
  /// Adds one line of a head or of a trailer.
  mutating func add(field line: ArraySlice<UInt8>) throws(Problem) {
    guard let first = line.first, first != .space, first != .tab else {
      throw RequestHeadParser.malformed("A header line is folded.")
    }
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
      throw RequestHeadParser.malformed("A header line has no colon.")
    }
    let name = String(decoding: line[..<colon], as: UTF8.self)
    guard name.isHTTPToken else {
      throw RequestHeadParser.malformed("A header's name has a character that HTTP does not allow.")
    }
    guard let value = String(validating: line[(colon + 1)...], as: UTF8.self) else {
      throw RequestHeadParser.malformed("The header \(name) is not UTF-8.")
    }
    add(name, String(value.trimmedOfBlanks))
  }
}

/// The methods that a server of HTTP recognises (RFC 9110 §9, RFC 5789). What a path takes is the router's to say.
enum HTTPMethod {
  static let known: Set<String> = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"]
  /// The methods that change nothing (RFC 9110 §9.2.1).
  static let safe: Set<String> = ["GET", "HEAD", "OPTIONS", "TRACE"]
}

extension HTTPServerConfiguration {
  var bodyTooLarge: Problem {
    Problem(413, HTTPErrorCode.bodyTooLarge, detail: "The body is longer than \(maxBodyBytes) bytes.")
  }
}

extension UInt8 {
  static let tab: UInt8 = 0x09
  static let lineFeed: UInt8 = 0x0A
  static let carriageReturn: UInt8 = 0x0D
  static let space: UInt8 = 0x20

  var decimalDigit: UInt8? { (0x30...0x39).contains(self) ? self - 0x30 : nil }

  var hexDigit: UInt8? {
    switch self {
    case 0x30...0x39: self - 0x30
    case 0x41...0x46: self - 0x37
    case 0x61...0x66: self - 0x57
    default: nil
    }
  }
}

extension RequestHeadParser.Head {
  /// The head that libmicrohttpd reads: nothing but what it acts on. The handler gets the head as the client sent it.
  func reduced(asksForBody: Bool) -> String {
    var text = "\(head.method) / HTTP/1.\(min(minorVersion, 1))\r\nHost: gate\r\n"
    text += keepsConnection ? "Connection: keep-alive\r\n" : "Connection: close\r\n"
    switch body {
    case .exactly(let count): if count > 0 { text += "Content-Length: \(count)\r\n" }
    case .chunked: text += "Transfer-Encoding: chunked\r\n"
    }
    if expectsContinue, asksForBody { text += "Expect: 100-continue\r\n" }
    return text + "\r\n"
  }
}
