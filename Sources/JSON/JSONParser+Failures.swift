/// Builds the parser's error messages.
extension JSONParser {
  func failure(_ code: String, _ message: String) -> Failure { Failure(code: code, message: message, offset: at) }

  func incomplete(_ expected: String) -> Failure {
    if bytes.isEmpty { return failure(JSONErrorCode.incomplete, "The text is empty; a JSON value was expected.") }
    return Failure(
      code: JSONErrorCode.incomplete, message: "The text ends where \(expected) was expected.", offset: bytes.count)
  }

  func unclosed(_ what: String, _ bracket: String, from start: Int) -> Failure {
    var places = PlaceCounter(bytes)
    let place = places.place(at: start)
    return Failure(
      code: JSONErrorCode.incomplete,
      message: "The text ends before the \(what) that starts at line \(place.line), column \(place.column)"
        + " is closed with \(bracket).",
      offset: bytes.count)
  }

  func unfinishedWord(_ word: StaticString) -> Failure {
    for index in 0..<(bytes.count - at) where bytes[at + index] != word.utf8Start[index] { return notAValue() }
    return incomplete("the rest of \(word)")
  }

  /// Returns the failure for text where a member's name was expected.
  func notAName() -> Failure {
    let hint =
      switch bytes[at] {
      case UInt8(ascii: "/"), UInt8(ascii: "#"): " JSON has no comments; use a \"description\" member."
      case UInt8(ascii: "'"): " A text is in double quotes (\"), not single ones."
      default: ""
      }
    return failure(JSONErrorCode.syntax, "A member's name in double quotes was expected, not \(found()).\(hint)")
  }

  /// Returns the failure for text that is not a value. Words from other languages have their own message.
  func notAValue() -> Failure {
    let word = wordHere()
    switch word {
    case "NaN", "nan", "Infinity", "inf":
      return failure(JSONErrorCode.number, "JSON has no \(word); leave the member out or write null.")
    case "True", "False", "TRUE", "FALSE", "Null", "NULL", "None", "undefined", "nil":
      let meant = ["t": "true", "f": "false"][word.prefix(1).lowercased()] ?? "null"
      return failure(JSONErrorCode.syntax, "\(word) is no JSON; write \(meant).")
    case "":
      break
    default:
      return failure(JSONErrorCode.syntax, "\(word) is no JSON value; text stands in double quotes.")
    }
    switch bytes[at] {
    case UInt8(ascii: "'"):
      return failure(JSONErrorCode.syntax, "Text stands in double quotes (\"), not single ones.")
    case UInt8(ascii: "/"), UInt8(ascii: "#"):
      return failure(JSONErrorCode.syntax, "JSON has no comments; use a \"description\" member.")
    case UInt8(ascii: "+"), UInt8(ascii: "."):
      return failure(JSONErrorCode.number, "A number starts with a digit or a minus sign, not \(found()).")
    default:
      return failure(JSONErrorCode.syntax, "A value was expected, not \(found()).")
    }
  }

  func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }

  private func wordHere() -> String {
    var end = at
    while end < bytes.count, end - at < 40, isWordByte(bytes[end]) { end += 1 }
    return String(decoding: bytes[at..<end], as: UTF8.self)
  }

  /// Returns what is at the current place, for a message.
  func found() -> String {
    guard at < bytes.count else { return "the end of the text" }
    let byte = bytes[at]
    if byte < 0x20 || byte == 0x7F { return "the control character \(codePoint(UInt32(byte)))" }
    if byte < 0x80 { return "\(Unicode.Scalar(byte))" }
    let end = min(at + 4, bytes.count)
    guard let scalar = String(decoding: bytes[at..<end], as: UTF8.self).unicodeScalars.first, scalar != "\u{FFFD}"
    else { return "bytes that are no UTF-8" }
    return scalar.properties.isWhitespace ? "the space \(codePoint(scalar.value))" : "\(scalar)"
  }

  func codePoint(_ value: UInt32) -> String {
    let digits = String(value, radix: 16, uppercase: true)
    return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  /// Returns a name, shortened for a message.
  func shown(_ name: String) -> String {
    let scalars = name.unicodeScalars
    return scalars.count <= 60 ? name : String(String.UnicodeScalarView(scalars.prefix(60))) + "…"
  }
}
