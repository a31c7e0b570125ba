import JSON

/// The normalized path of a node: `$['steps'][0]['id']` (RFC 9535 §2.7).
public struct NormalizedPath: Sendable, Hashable, CustomStringConvertible {
  public let tokens: [JSONPointer.Token]

  public init(_ tokens: [JSONPointer.Token]) { self.tokens = tokens }

  public var pointer: JSONPointer { JSONPointer(tokens) }

  public var description: String {
    var text = "$"
    for token in tokens {
      switch token {
      case .index(let index): text += "[\(index)]"
      case .name(let name): text += "['\(Self.escaped(name))']"
      }
    }
    return text
  }

  private static func escaped(_ name: String) -> String {
    var text = String.UnicodeScalarView()
    for scalar in name.unicodeScalars {
      switch scalar {
      case "'": text.append(contentsOf: "\\'".unicodeScalars)
      case "\\": text.append(contentsOf: "\\\\".unicodeScalars)
      case "\u{08}": text.append(contentsOf: "\\b".unicodeScalars)
      case "\t": text.append(contentsOf: "\\t".unicodeScalars)
      case "\n": text.append(contentsOf: "\\n".unicodeScalars)
      case "\u{0C}": text.append(contentsOf: "\\f".unicodeScalars)
      case "\r": text.append(contentsOf: "\\r".unicodeScalars)
      case let control where control.value < 0x20:
        let digits = String(control.value, radix: 16)
        text.append(contentsOf: "\\u00\(digits.utf8.count < 2 ? "0" : "")\(digits)".unicodeScalars)
      default: text.append(scalar)
      }
    }
    return String(text)
  }
}
