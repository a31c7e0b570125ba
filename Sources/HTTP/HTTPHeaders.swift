/// Header fields in the order they were written. Names are compared without regard to ASCII case.
public struct HTTPHeaders: Sendable {
  public typealias Field = (name: String, value: String)

  private var fields: [Field] = []

  public init() {}
  public init(_ fields: [(String, String)]) { self.fields = fields.map { (name: $0.0, value: $0.1) } }

  /// The first value of this name. Setting replaces every field of the name; setting nil removes them.
  public subscript(name: String) -> String? {
    get { fields.first { $0.name.isSameHeaderName(as: name) }?.value }
    set {
      guard let newValue else {
        fields.removeAll { $0.name.isSameHeaderName(as: name) }
        return
      }
      guard let first = fields.firstIndex(where: { $0.name.isSameHeaderName(as: name) }) else {
        fields.append((name, newValue))
        return
      }
      let later = fields[(first + 1)...].filter { !$0.name.isSameHeaderName(as: name) }
      fields[first] = (name, newValue)
      fields.replaceSubrange((first + 1)..., with: later)
    }
  }

  /// Appends a field beside those of the same name.
  public mutating func add(_ name: String, _ value: String) { fields.append((name, value)) }

  /// Every value of this name, in order.
  public func all(_ name: String) -> [String] {
    fields.filter { $0.name.isSameHeaderName(as: name) }.map(\.value)
  }

  public func contains(_ name: String) -> Bool { fields.contains { $0.name.isSameHeaderName(as: name) } }
}

extension HTTPHeaders: RandomAccessCollection {
  public var startIndex: Int { 0 }
  public var endIndex: Int { fields.count }
  public subscript(position: Int) -> Field { fields[position] }
}

extension HTTPHeaders: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, String)...) { self.init(elements) }
}

extension HTTPHeaders: Hashable {
  /// Equal when they hold the same fields in the same order, names without regard to case.
  public static func == (left: HTTPHeaders, right: HTTPHeaders) -> Bool {
    left.count == right.count
      && zip(left.fields, right.fields).allSatisfy {
        $0.name.isSameHeaderName(as: $1.name) && $0.value.utf8.elementsEqual($1.value.utf8)
      }
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(count)
    for field in fields {
      for byte in field.name.utf8 { hasher.combine(byte.asciiLowercased) }
      for byte in field.value.utf8 { hasher.combine(byte) }
    }
  }
}

extension String {
  /// Whether both are the same when ASCII letters are compared without case.
  func isSameHeaderName(as other: String) -> Bool {
    utf8.count == other.utf8.count && zip(utf8, other.utf8).allSatisfy { $0.asciiLowercased == $1.asciiLowercased }
  }

  /// Whether this is a token of RFC 9110 §5.6.2, as methods and header names must be.
  package var isHTTPToken: Bool {
    !isEmpty && utf8.allSatisfy(\.isHTTPTokenByte)
  }

  /// Whether a header may contain this: no CR, LF, NUL or other control character but the tab (RFC 9110 §5.5).
  package var isHTTPFieldValue: Bool {
    utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }
  }

  /// Without spaces and tabs at either end.
  var trimmedOfBlanks: Substring {
    var text = self[...]
    while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return text
  }
}

extension UInt8 {
  var asciiLowercased: UInt8 { (0x41...0x5A).contains(self) ? self + 0x20 : self }

  var isHTTPTokenByte: Bool {
    switch self {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E: true
    default: false
    }
  }
}
