public import JSON

/// A label of a saga: a name that its workflow gives, and the saga's value. Lists find sagas by labels.
public struct Label: Sendable, Hashable {
  public let name: String
  public let value: String

  /// The most labels of a saga.
  public static let most = 16

  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

extension JSON {
  /// Returns labels as an object: `{"patient": "P-17"}`.
  public static func labels(_ labels: [Label]) -> JSON {
    .object(JSONObject(labels.map { ($0.name, JSON.string($0.value)) }))
  }

  /// Returns the labels of an object; nil when the value is not an object of strings.
  public var labelsValue: [Label]? {
    guard let members = objectValue else { return nil }
    let labels = members.compactMap { name, value in value.stringValue.map { Label(name, $0) } }
    return labels.count == members.count ? labels : nil
  }
}

/// The form of a title and of a label's value: one line without characters that a person cannot see.
///
/// A line break, a control character and every kind of blank become a space. A run of spaces becomes one, and the ends
/// have none. Invisible characters are removed, and so is a combining mark without a character before it.
public enum ShownLine {
  /// The most characters (Unicode scalars) of a line.
  public static let longest = 200

  /// Returns the line of a title. A longer text is cut and ends in `…`.
  /// - Returns: nil when the text has no visible character.
  public static func title(_ text: String) -> String? {
    guard let line = clean(text), line.unicodeScalars.count > longest else { return clean(text) }
    var cut = ""
    var count = 0
    for character in line {
      count += character.unicodeScalars.count
      guard count < longest else { break }
      cut.append(character)
    }
    return cut + "…"
  }

  /// Returns the line of a label's value.
  /// - Returns: nil when the text has no visible character, or is longer than `longest`. A cut value would be the value of
  ///   another label.
  public static func label(_ text: String) -> String? {
    guard let line = clean(text), line.unicodeScalars.count <= longest else { return nil }
    return line
  }

  private static func clean(_ text: String) -> String? {
    var line = String.UnicodeScalarView()
    var isBlank = true
    for scalar in text.unicodeScalars {
      switch kind(of: scalar) {
      case .blank:
        if !isBlank { line.append(" ") }
        isBlank = true
      case .invisible: continue
      case .mark where isBlank: continue
      case .mark, .visible:
        line.append(scalar)
        isBlank = false
      }
    }
    if line.last == " " { line.removeLast() }
    return line.isEmpty ? nil : String(line)
  }

  private enum Kind { case blank, invisible, mark, visible }

  private static func kind(of scalar: Unicode.Scalar) -> Kind {
    if scalar.value < 0x7F { return scalar.value <= 0x20 ? .blank : .visible }
    let properties = scalar.properties
    // The Braille blank is a symbol in Unicode.
    if properties.isWhitespace || scalar == "\u{2800}" { return .blank }
    switch properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: return .blank
    case .format, .surrogate, .privateUse, .unassigned: return .invisible
    case .nonspacingMark, .spacingMark, .enclosingMark:
      return properties.isDefaultIgnorableCodePoint ? .invisible : .mark
    default: return properties.isDefaultIgnorableCodePoint ? .invisible : .visible
    }
  }
}
