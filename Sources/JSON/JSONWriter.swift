/// The layout of a value as text.
public enum JSONStyle: Sendable, Hashable {
  /// No white space.
  case compact
  /// One line for each member or element, indented by two spaces for each level.
  case pretty
  /// Compact, with members sorted by the scalars of their names and numbers in one spelling. Equal values have equal
  /// texts.
  case canonical
}

extension JSON {
  public func text(_ style: JSONStyle = .compact) -> String { String(decoding: bytes(style), as: UTF8.self) }

  public func bytes(_ style: JSONStyle = .compact) -> [UInt8] {
    var writer = JSONWriter(style: style)
    writer.write(self, level: 0)
    return writer.bytes
  }

  /// Appends the text to `bytes`.
  public func write(to bytes: inout [UInt8], _ style: JSONStyle = .compact) {
    var writer = JSONWriter(style: style)
    swap(&writer.bytes, &bytes)
    writer.write(self, level: 0)
    swap(&writer.bytes, &bytes)
  }
}

struct JSONWriter {
  let style: JSONStyle
  var bytes: [UInt8] = []

  init(style: JSONStyle) { self.style = style }

  mutating func write(_ value: JSON, level: Int) {
    switch value {
    case .null: append("null")
    case .bool(let value): append(value ? "true" : "false")
    case .number(let number): write(number)
    case .string(let text): write(text)
    case .array(let values): write(values, level)
    case .object(let members): write(members, level)
    }
  }

  private mutating func write(_ values: [JSON], _ level: Int) {
    bytes.append(UInt8(ascii: "["))
    var isFirst = true
    for value in values {
      separate(isFirst, level + 1)
      isFirst = false
      write(value, level: level + 1)
    }
    if !isFirst { breakLine(level) }
    bytes.append(UInt8(ascii: "]"))
  }

  private mutating func write(_ members: JSONObject, _ level: Int) {
    bytes.append(UInt8(ascii: "{"))
    if style == .canonical {
      var isFirst = true
      for member in members.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) {
        write(member.name, member.value, isFirst, level)
        isFirst = false
      }
    } else {
      for position in 0..<members.count {
        let member = members[position]
        write(member.name, member.value, position == 0, level)
      }
    }
    if !members.isEmpty { breakLine(level) }
    bytes.append(UInt8(ascii: "}"))
  }

  private mutating func write(_ name: String, _ value: JSON, _ isFirst: Bool, _ level: Int) {
    separate(isFirst, level + 1)
    write(name)
    bytes.append(UInt8(ascii: ":"))
    if style == .pretty { bytes.append(0x20) }
    write(value, level: level + 1)
  }

  private mutating func separate(_ isFirst: Bool, _ level: Int) {
    if !isFirst { bytes.append(UInt8(ascii: ",")) }
    breakLine(level)
  }

  private mutating func breakLine(_ level: Int) {
    guard style == .pretty else { return }
    bytes.append(0x0A)
    for _ in 0..<level {
      bytes.append(0x20)
      bytes.append(0x20)
    }
  }

  private mutating func write(_ number: JSONNumber) {
    bytes.append(contentsOf: (style == .canonical ? number.canonicalText : number.text).utf8)
  }

  /// Writes a text and escapes only what must be escaped: quotes, backslashes and control characters.
  private mutating func write(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    var text = text
    text.withUTF8 { source in
      var copied = 0
      for position in 0..<source.count {
        let byte = source[position]
        if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { continue }
        bytes.append(contentsOf: source[copied..<position])
        copied = position + 1
        escape(byte)
      }
      bytes.append(contentsOf: source[copied..<source.count])
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func escape(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "\""): append("\\\"")
    case UInt8(ascii: "\\"): append("\\\\")
    case 0x08: append("\\b")
    case 0x09: append("\\t")
    case 0x0A: append("\\n")
    case 0x0C: append("\\f")
    case 0x0D: append("\\r")
    default:
      append(byte < 0x10 ? "\\u000" : "\\u001")
      append(String(byte & 0x0F, radix: 16))
    }
  }

  private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }
}
