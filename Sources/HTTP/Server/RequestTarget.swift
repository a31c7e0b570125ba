/// The path and query of a request line, decoded by ourselves: libmicrohttpd's own decoding cuts a path at `%00` and
/// lets broken escapes through.
struct RequestTarget: Sendable {
  let path: String
  let segments: [String]
  let query: [HTTPServerRequest.Field]

  /// - Throws: 400 for what is no origin-form target (RFC 9112 §3.2.1): an escape that isn't two hexadecimal digits,
  ///   one that decodes to NUL or to bytes that aren't UTF-8, or a raw byte that must be escaped.
  init(parsing target: String) throws(Problem) {
    let bytes = Array(target.utf8)
    // `OPTIONS *` asks about the server as a whole.
    guard bytes.first == UInt8(ascii: "/") || bytes == [UInt8(ascii: "*")] else {
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
        guard index + 2 < raw.endIndex, let high = raw[index + 1].hexDigitValue, let low = raw[index + 2].hexDigitValue
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

extension UInt8 {
  fileprivate var hexDigitValue: UInt8? {
    switch self {
    case 0x30...0x39: self - 0x30
    case 0x41...0x46: self - 0x37
    case 0x61...0x66: self - 0x57
    default: nil
    }
  }
}
