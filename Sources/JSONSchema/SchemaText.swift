import JSON
import Values

/// Parts of values for messages, each of a limited length.
enum SchemaText {
  private static let longest = 80

  static func shortened(_ text: String) -> String {
    guard text.utf8.count > longest else { return text }
    let start = text.unicodeScalars.prefix(longest)
    return start.endIndex == text.unicodeScalars.endIndex ? text : String(String.UnicodeScalarView(start)) + "…"
  }

  /// Returns a scalar as JSON text, and the kind of another value.
  static func shown(_ value: JSON) -> String {
    switch value {
    case .null, .bool: value.text()
    case .number(let number): shortened(number.text)
    case .string(let text): JSON.string(shortened(text)).text()
    case .array(let values): values.isEmpty ? "an empty array" : "an array"
    case .object(let members): members.isEmpty ? "an empty object" : "an object"
    }
  }

  /// Returns a number or a boolean, and the kind of another value with its article.
  static func kind(of value: JSON) -> String {
    switch value {
    case .number(let number): shortened(number.text)
    case .bool(let value): "\(value)"
    case .null, .string, .array, .object: value.kindWithArticle
    }
  }

  /// Returns the number of elements, such as “1 element”.
  static func elements(_ values: [JSON]) -> String { count(values.count, "element") }

  /// Returns the first values of a list, such as “"routine" or "urgent"”.
  static func choice(_ values: [JSON]) -> String {
    let most = 8
    let shown = values.prefix(most).map(shown)
    if values.count > most { return shown.joined(separator: ", ") + " or one of \(values.count - most) more" }
    guard let last = shown.last, shown.count > 1 else { return shown.first ?? "nothing" }
    return shown.dropLast().joined(separator: ", ") + " or " + last
  }

  static func nearType(to name: JSON) -> String? {
    name.stringValue.flatMap { NearNames.nearest(to: $0, among: SchemaTypes.names.map(\.name)) }
  }

  static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
