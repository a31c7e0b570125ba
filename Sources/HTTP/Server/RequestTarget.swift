import Values

/// The path and query of a request line, decoded. libmicrohttpd's own decoding cuts a path at `%00` and lets broken
/// escapes through.
struct RequestTarget: Sendable {
  /// The host of an absolute target, or nil.
  let authority: Authority?
  let path: String
  let segments: [String]
  let query: [HTTPServerRequest.Field]

  /// The target of a request line (RFC 9112 §3.2): a path, an absolute URL of the scheme `http`, or `*` for `OPTIONS`.
  /// - Throws: 400, 421 or 501 for every other target.
  init(line target: String, method: String) throws(Problem) {
    guard method != "CONNECT" else {
      throw Problem(501, HTTPErrorCode.methodUnknown, detail: "The server is not a proxy and makes no tunnels.")
    }
    if target == "*" {
      // `OPTIONS *` asks about the server as a whole.
      guard method == "OPTIONS" else { throw Self.problem("The target * goes with OPTIONS only.") }
      self.init(authority: nil, path: "*", segments: [], query: [])
      return
    }
    guard !target.hasPrefix("/"), let colon = target.firstRange(of: "://") else {
      try self.init(parsing: target)
      return
    }
    let scheme = target[..<colon.lowerBound].lowercased()
    guard scheme == "http" else {
      throw Problem(
        421, HTTPErrorCode.hostNotAllowed, detail: "The server answers for targets of the scheme http only.")
    }
    let rest = target[colon.upperBound...]
    let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
    guard let authority = Authority(String(rest[..<end])), !authority.host.isEmpty else {
      throw Self.problem("The request's target has no valid host.")
    }
    let tail = rest[end...]
    let target = try RequestTarget(parsing: tail.hasPrefix("/") ? String(tail) : "/" + tail)
    self.init(authority: authority, path: target.path, segments: target.segments, query: target.query)
  }

  private init(authority: Authority?, path: String, segments: [String], query: [HTTPServerRequest.Field]) {
    self.authority = authority
    self.path = path
    self.segments = segments
    self.query = query
  }

  /// - Throws: 400 for what is not a path with an optional query: an escape that isn't two hexadecimal digits, one that
  ///   decodes to NUL or to bytes that aren't UTF-8, or a raw byte that must be escaped.
  init(parsing target: String) throws(Problem) {
    authority = nil
    let bytes = Array(target.utf8)
    guard bytes.first == UInt8(ascii: "/") else {
      throw Self.problem("The request's target must be a path that begins with a slash.")
    }
    for byte in bytes where byte <= 0x20 || byte >= 0x7F || byte == UInt8(ascii: "#") {
      throw Self.problem("The request's target has a byte that must be percent-encoded.")
    }
    let mark = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.endIndex
    let rawPath = bytes[..<mark]
    path = String(decoding: rawPath, as: UTF8.self)
    var segments: [String] = []
    if rawPath.count > 1 {
      for raw in rawPath.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
        segments.append(try Self.decode(raw, plusIsSpace: false, what: "path"))
      }
    }
    self.segments = segments
    var query: [HTTPServerRequest.Field] = []
    if mark < bytes.endIndex {
      for raw in bytes[(mark + 1)...].split(separator: UInt8(ascii: "&")) {
        let equals = raw.firstIndex(of: UInt8(ascii: "="))
        let name = try Self.decode(raw[..<(equals ?? raw.endIndex)], plusIsSpace: true, what: "query")
        let value = try equals.map { (at) throws(Problem) in
          try Self.decode(raw[(at + 1)...], plusIsSpace: true, what: "query")
        }
        query.append((name, value ?? ""))
      }
    }
    self.query = query
  }

  private static func decode(_ raw: ArraySlice<UInt8>, plusIsSpace: Bool, what: String) throws(Problem) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(raw.count)
    var index = raw.startIndex
    while index < raw.endIndex {
      switch raw[index] {
      case UInt8(ascii: "%"):
        guard index + 2 < raw.endIndex, let high = raw[index + 1].hexDigit, let low = raw[index + 2].hexDigit
        else { throw problem("The \(what) has a % that isn't followed by two hexadecimal digits.") }
        guard high | low != 0 else { throw problem("The \(what) has an encoded NUL.") }
        bytes.append(high << 4 | low)
        index += 3
      case UInt8(ascii: "+") where plusIsSpace:
        bytes.append(0x20)
        index += 1
      default:
        bytes.append(raw[index])
        index += 1
      }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw problem("The \(what) doesn't decode to UTF-8.")
    }
    return text
  }

  private static func problem(_ detail: String) -> Problem {
    Problem(400, HTTPErrorCode.badRequest, detail: detail)
  }
}
