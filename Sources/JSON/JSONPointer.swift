/// The path from the root of a document to a value (RFC 6901), such as `/steps/0/id`. The root is the empty text.
public struct JSONPointer: Sendable, Hashable, CustomStringConvertible {
  /// One step of the path: into a member of an object, or an element of an array.
  public enum Token: Sendable {
    case name(String)
    case index(Int)
  }

  public var tokens: [Token]

  public init(_ tokens: [Token] = []) { self.tokens = tokens }

  /// The document itself.
  public static let root = JSONPointer()

  public func appending(_ token: Token) -> JSONPointer { JSONPointer(tokens + [token]) }
  public func appending(_ name: String) -> JSONPointer { appending(.name(name)) }
  public func appending(_ index: Int) -> JSONPointer { appending(.index(index)) }
  /// Returns this path followed by another.
  public func appending(_ rest: JSONPointer) -> JSONPointer { JSONPointer(tokens + rest.tokens) }

  public var description: String { tokens.map { "/\($0)" }.joined() }

  /// The limits of `shown`: the most characters of a name, and the most names.
  private static let mostShown = (characters: 100, names: 64)

  /// Returns the text for a message. It is the same as `description`, unless names are long or many. The sign `…`
  /// replaces omitted parts.
  public var shown: String {
    var text = ""
    for token in tokens.prefix(Self.mostShown.names) {
      switch token {
      case .name(let name) where name.utf8.count > Self.mostShown.characters:
        let start = String(String.UnicodeScalarView(name.unicodeScalars.prefix(Self.mostShown.characters)))
        text += "/\(Token.name(start))…"
      case .name, .index: text += "/\(token)"
      }
    }
    return tokens.count > Self.mostShown.names ? text + "/…" : text
  }

  /// Returns the value at the end of the path, or nil when the path leads to no value.
  public func value(in root: JSON) -> JSON? {
    var value = root
    for token in tokens {
      let next =
        switch token {
        case .name(let name): value[name]
        case .index(let index): value[index]
        }
      guard let next else { return nil }
      value = next
    }
    return value
  }
}

extension JSONPointer.Token: Hashable, CustomStringConvertible {
  public static func == (left: Self, right: Self) -> Bool {
    switch (left, right) {
    case (.name(let left), .name(let right)): left.hasSameScalars(as: right)
    case (.index(let left), .index(let right)): left == right
    case (.name, .index), (.index, .name): false
    }
  }

  public func hash(into hasher: inout Hasher) {
    switch self {
    case .name(let name): hasher.combine(ScalarKey(name))
    case .index(let index): hasher.combine(index)
    }
  }

  /// The text of the pointer. `~` and `/` in a name are written `~0` and `~1`.
  public var description: String {
    switch self {
    case .index(let index): return "\(index)"
    case .name(let name):
      var text = String.UnicodeScalarView()
      for scalar in name.unicodeScalars {
        switch scalar {
        case "~": text.append(contentsOf: "~0".unicodeScalars)
        case "/": text.append(contentsOf: "~1".unicodeScalars)
        default: text.append(scalar)
        }
      }
      return String(text)
    }
  }
}
