/// Text as part of a URL (RFC 3986).
public enum PercentEncoding {
  /// Returns the text with everything encoded except the unreserved characters. It stays within one segment or one
  /// parameter.
  public static func segment(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      if isUnreserved(byte) {
        bytes.append(byte)
      } else {
        bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Returns the first segment of a path that is `.` or `..`, also with encoded dots. A client or a server may read it
  /// as a step up.
  public static func dotSegment(in path: String) -> String? {
    for segment in path.split(separator: "/") {
      switch segment.lowercased() {
      case ".", "..", "%2e", ".%2e", "%2e.", "%2e%2e": return String(segment)
      default: continue
      }
    }
    return nil
  }

  public static func isUnreserved(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "~"):
      true
    default: false
    }
  }
}

extension String {
  /// The text encoded as one segment of a path, or as one name or value of a query: see `PercentEncoding.segment`.
  public var percentEncoded: String { PercentEncoding.segment(self) }
}
