/// The text that a store has in place of a sensitive value: `sealed:1:` and base64 for URLs. Only the saga's data key
/// opens it.
public enum SealedText {
  /// The beginning of every sealed text. The number is the version of the form.
  public static let prefix = "sealed:1:"
  /// The text that people see in place of a sealed one.
  public static let mask = "•••"

  private static let prefixBytes = Array(prefix.utf8)
  private static let maskBytes = Array(mask.utf8)

  package static func isOne(_ text: String) -> Bool { text.utf8.starts(with: prefixBytes) }

  /// Returns the bytes of a sealed text; nil for a text of another form.
  package static func content(of text: String) -> [UInt8]? {
    guard isOne(text) else { return nil }
    return Base64URL.decode(text.dropFirst(prefix.count))
  }

  package static func text(of bytes: [UInt8]) -> String { prefix + Base64URL.encode(bytes) }

  /// Returns bytes in UTF-8 with `•••` in place of each sealed text.
  public static func masked(_ bytes: [UInt8]) -> [UInt8] {
    var masked: [UInt8] = []
    var copied = 0
    forEach(in: bytes) { range in
      masked += bytes[copied..<range.lowerBound]
      masked += maskBytes
      copied = range.upperBound
    }
    if copied == 0 { return bytes }
    return masked + bytes[copied...]
  }

  /// Returns a text with `•••` in place of each sealed text.
  public static func masked(text: String) -> String {
    let bytes = Array(text.utf8)
    return String(decoding: masked(bytes), as: UTF8.self)
  }

  /// Returns the sealed texts in bytes in UTF-8, in their order. A text that comes twice is there twice.
  package static func all(in bytes: [UInt8]) -> [String] {
    var found: [String] = []
    forEach(in: bytes) { found.append(String(decoding: bytes[$0], as: UTF8.self)) }
    return found
  }

  /// Calls `body` with the range of each sealed text. It walks once over the bytes.
  private static func forEach(in bytes: [UInt8], _ body: (Range<Int>) -> Void) {
    let first = prefixBytes[0]
    var index = 0
    while index + prefixBytes.count <= bytes.count {
      guard bytes[index] == first, bytes[index..<index + prefixBytes.count].elementsEqual(prefixBytes) else {
        index += 1
        continue
      }
      var end = index + prefixBytes.count
      while end < bytes.count, Base64URL.isDigit(bytes[end]) { end += 1 }
      body(index..<end)
      index = end
    }
  }
}
