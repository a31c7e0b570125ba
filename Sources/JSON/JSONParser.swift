/// Reads one JSON text from bytes. The depth limit bounds the recursion. Places are computed only for an error.
struct JSONParser {
  /// An error before its line and column are known.
  struct Failure: Error {
    var code: String
    var message: String
    var offset: Int
    /// The path to the value being read, from its end. Each level adds its token as the error passes.
    var reversedTokens: [JSONPointer.Token] = []

    func inside(_ token: JSONPointer.Token) -> Failure {
      var outer = self
      outer.reversedTokens.append(token)
      return outer
    }
  }

  let bytes: UnsafeBufferPointer<UInt8>
  let maxDepth: Int
  var at = 0
  private var depth = 0

  private init(_ bytes: UnsafeBufferPointer<UInt8>, _ limits: JSONLimits) {
    self.bytes = bytes
    maxDepth = min(limits.maxDepth, JSONLimits.deepest)
  }

  static func parse(_ bytes: UnsafeBufferPointer<UInt8>, _ limits: JSONLimits) -> Result<JSON, JSONError> {
    var parser = JSONParser(bytes, limits)
    do throws(Failure) {
      return .success(try parser.document(limits))
    } catch {
      var places = PlaceCounter(bytes)
      return .failure(
        JSONError(
          code: error.code, message: error.message, place: places.place(at: error.offset),
          pointer: JSONPointer(error.reversedTokens.reversed())))
    }
  }

  private mutating func document(_ limits: JSONLimits) throws(Failure) -> JSON {
    if let most = limits.maxBytes, bytes.count > most {
      throw Failure(
        code: JSONErrorCode.tooLarge, message: "The text has \(bytes.count) bytes; at most \(most) are allowed.",
        offset: most)
    }
    try refuseOtherEncodings()
    skipWhitespace()
    let value = try value()
    skipWhitespace()
    if at < bytes.count {
      throw failure(
        JSONErrorCode.trailingData, "The value ends before this, but more follows: \(found()). A text is one value.")
    }
    return value
  }

  private func refuseOtherEncodings() throws(Failure) {
    if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF {
      throw failure(
        JSONErrorCode.byteOrderMark, "The text starts with a byte order mark; save it as UTF-8 without one.")
    }
    if bytes.count >= 2, (bytes[0] == 0xFE && bytes[1] == 0xFF) || (bytes[0] == 0xFF && bytes[1] == 0xFE) {
      throw failure(JSONErrorCode.notUTF8, "The text is UTF-16; save it as UTF-8.")
    }
    if bytes.count >= 2, bytes[0] == 0 || bytes[1] == 0 {
      throw failure(JSONErrorCode.notUTF8, "The text is not UTF-8 (UTF-16 or UTF-32, it seems); save it as UTF-8.")
    }
  }

  // MARK: Values

  private mutating func value() throws(Failure) -> JSON {
    guard at < bytes.count else { throw incomplete("a value") }
    switch bytes[at] {
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: throw notAValue()
    }
  }

  private mutating func word(_ word: StaticString, _ value: JSON) throws(Failure) -> JSON {
    let length = word.utf8CodeUnitCount
    guard at + length <= bytes.count else { throw bytes.count - at < length ? unfinishedWord(word) : notAValue() }
    for index in 0..<length where bytes[at + index] != word.utf8Start[index] { throw notAValue() }
    if at + length < bytes.count, isWordByte(bytes[at + length]) { throw notAValue() }
    at += length
    return value
  }

  private mutating func array() throws(Failure) -> JSON {
    try enter()
    let start = at
    at += 1
    var values: [JSON] = []
    skipWhitespace()
    if at < bytes.count, bytes[at] == UInt8(ascii: "]") {
      at += 1
      depth -= 1
      return .array(values)
    }
    while true {
      do throws(Failure) {
        values.append(try value())
      } catch { throw error.inside(.index(values.count)) }
      skipWhitespace()
      guard at < bytes.count else { throw unclosed("array", "]", from: start) }
      if bytes[at] == UInt8(ascii: "]") { break }
      guard bytes[at] == UInt8(ascii: ",") else {
        throw failure(JSONErrorCode.syntax, "A comma or ] was expected after an array's element, not \(found()).")
      }
      let comma = at
      at += 1
      skipWhitespace()
      if at < bytes.count, bytes[at] == UInt8(ascii: "]") {
        throw Failure(code: JSONErrorCode.syntax, message: "No comma may stand before ].", offset: comma)
      }
    }
    at += 1
    depth -= 1
    return .array(values)
  }

  private mutating func object() throws(Failure) -> JSON {
    try enter()
    let start = at
    at += 1
    var members = JSONObject()
    skipWhitespace()
    if at < bytes.count, bytes[at] == UInt8(ascii: "}") {
      at += 1
      depth -= 1
      return .object(members)
    }
    while true {
      guard at < bytes.count else { throw unclosed("object", "}", from: start) }
      guard bytes[at] == UInt8(ascii: "\"") else {
        throw notAName()
      }
      let nameStart = at
      let name = try string()
      do throws(Failure) {
        skipWhitespace()
        guard at < bytes.count else { throw unclosed("object", "}", from: start) }
        guard bytes[at] == UInt8(ascii: ":") else {
          throw failure(JSONErrorCode.syntax, "A colon was expected after a member's name, not \(found()).")
        }
        at += 1
        skipWhitespace()
        let value = try value()
        guard members.append(name, value) else {
          throw Failure(
            code: JSONErrorCode.duplicateName,
            message: "The name \"\(shown(name))\" stands twice in this object; names must be unique.",
            offset: nameStart)
        }
      } catch { throw error.inside(.name(name)) }
      skipWhitespace()
      guard at < bytes.count else { throw unclosed("object", "}", from: start) }
      if bytes[at] == UInt8(ascii: "}") { break }
      guard bytes[at] == UInt8(ascii: ",") else {
        throw failure(JSONErrorCode.syntax, "A comma or } was expected after a member's value, not \(found()).")
      }
      let comma = at
      at += 1
      skipWhitespace()
      if at < bytes.count, bytes[at] == UInt8(ascii: "}") {
        throw Failure(code: JSONErrorCode.syntax, message: "No comma may stand before }.", offset: comma)
      }
    }
    at += 1
    depth -= 1
    return .object(members)
  }

  private mutating func enter() throws(Failure) {
    depth += 1
    if depth > maxDepth {
      throw failure(JSONErrorCode.tooDeep, "More than \(maxDepth) arrays and objects stand inside each other.")
    }
  }

  @inline(__always)
  private mutating func skipWhitespace() {
    while at < bytes.count {
      switch bytes[at] {
      case 0x20, 0x0A, 0x0D, 0x09: at += 1
      default: return
      }
    }
  }
}
