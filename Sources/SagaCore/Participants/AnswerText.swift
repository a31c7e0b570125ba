/// The parts of an answer's `Content-Type` that decide how its body is read.
struct MediaType {
  /// In lower case, without parameters; empty when it is missing or invalid.
  let name: String
  /// In lower case; nil when none is given.
  let charset: String?

  init(_ header: String?) {
    let parts = (header ?? "").split(separator: ";").map { $0.trimmed.lowercased() }
    let type = parts.first ?? ""
    name = type.split(separator: "/", omittingEmptySubsequences: false).count == 2 && !type.contains(" ") ? type : ""
    charset =
      parts.dropFirst().lazy.compactMap { parameter -> String? in
        guard parameter.hasPrefix("charset") else { return nil }
        let value = parameter.dropFirst("charset".count).trimmed
        guard value.hasPrefix("=") else { return nil }
        return value.dropFirst().trimmed.filter { $0 != "\"" && $0 != "'" }
      }.first
  }

  private var subtype: Substring { name.split(separator: "/").last ?? "" }

  /// Whether the body says that it is JSON.
  var isJSON: Bool { subtype == "json" || subtype.hasSuffix("+json") }
  /// Whether the body may be JSON: its type is missing, or similar to JSON, as `application/x-ndjson`.
  var mayBeJSON: Bool { name.isEmpty || subtype.contains("json") }
  var isHTML: Bool { subtype == "html" || subtype == "xhtml+xml" }
  var isXML: Bool { (subtype == "xml" || subtype.hasSuffix("+xml")) && !isHTML }
  var isForm: Bool { subtype == "x-www-form-urlencoded" }
}

/// Decodes the bytes of an answer to text.
enum AnswerText {
  /// Decodes by the byte order mark, else by the charset, else as UTF-8. The result omits the byte order mark.
  /// - Returns: nil when the bytes are not text in that encoding, or contain a NUL.
  static func exact(_ bytes: [UInt8], charset: String?) -> String? {
    let text: String?
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
      text = String(validating: bytes[3...], as: UTF8.self)
    } else if bytes.starts(with: [0xFF, 0xFE]) {
      text = utf16(bytes[2...], bigEndian: false)
    } else if bytes.starts(with: [0xFE, 0xFF]) {
      text = utf16(bytes[2...], bigEndian: true)
    } else {
      switch charset {
      case "iso-8859-1", "iso8859-1", "latin1", "latin-1", "l1", "windows-1252", "cp1252", "x-cp1252", "iso-8859-15":
        text = windows1252(bytes)
      case "utf-16", "utf-16le", "utf16", "utf16le", "ucs-2": text = utf16(bytes[...], bigEndian: false)
      case "utf-16be", "utf16be": text = utf16(bytes[...], bigEndian: true)
      // The encoding's name is unknown here. Text that is valid UTF-8 is almost certainly UTF-8.
      default: text = String(validating: bytes, as: UTF8.self)
      }
    }
    guard let text, !text.unicodeScalars.contains("\0") else { return nil }
    return text
  }

  /// Decodes for people to read. Bytes that are not valid in their encoding are read as Windows-1252, the usual case.
  /// - Returns: nil when the bytes are not text, but an image or compressed data.
  static func forPeople(_ bytes: [UInt8], charset: String?) -> String? {
    if let text = exact(bytes, charset: charset) { return text }
    let controls = bytes.count { $0 < 0x20 && !(0x09...0x0D).contains($0) }
    guard controls * 50 <= bytes.count else { return nil }
    // The cut may have split a character.
    for cut in 1...3 where bytes.count > cut {
      if let text = exact(bytes.dropLast(cut), charset: charset) { return text }
    }
    return windows1252(bytes)
  }

  private static func utf16(_ bytes: ArraySlice<UInt8>, bigEndian: Bool) -> String? {
    guard bytes.count.isMultiple(of: 2) else { return nil }
    let units = stride(from: bytes.startIndex, to: bytes.endIndex, by: 2).map { at -> UInt16 in
      let (first, second) = (UInt16(bytes[at]), UInt16(bytes[at + 1]))
      return bigEndian ? (first << 8) | second : (second << 8) | first
    }
    return String(validating: units, as: UTF16.self)
  }

  private static func exact(_ bytes: ArraySlice<UInt8>, charset: String?) -> String? {
    exact(Array(bytes), charset: charset)
  }

  /// ISO 8859-1 as the Web reads it (WHATWG Encoding), which is Windows-1252.
  private static func windows1252(_ bytes: [UInt8]) -> String {
    var text = String.UnicodeScalarView()
    for byte in bytes {
      let scalar =
        (0x80...0x9F).contains(byte) ? Unicode.Scalar(upperHalf[Int(byte) - 0x80]) : Unicode.Scalar(UInt32(byte))
      text.append(scalar ?? "\u{FFFD}")
    }
    return String(text)
  }

  /// 0x80 to 0x9F.
  private static let upperHalf: [UInt32] = [
    0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D, 0x017D,
    0x8F, 0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,
    0x017E, 0x0178,
  ]
}

extension StringProtocol {
  /// Returns the text without white space at either end.
  var trimmed: String {
    var text = Substring(self)
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }
}
