import Values

/// One event of a log as one line of text.
///
/// Messages and values contain text from outside: names, reasons, bytes of Kafka messages. The line shows each character
/// that could begin a line, move the cursor, or change the direction of text, as an escape. So text from outside cannot
/// imitate a line, or another value.
struct LogLine {
  /// The longest message or value, in characters; the rest is cut.
  static let longest = 2_000

  let text: String

  init(
    at timestamp: Timestamp, _ level: Log.Level, _ message: String, _ values: [(String, String)], _ format: Log.Format
  ) {
    text =
      switch format {
      case .text: Self.text(timestamp, level, message, values)
      case .json: Self.json(timestamp, level, message, values)
      }
  }

  // MARK: name=value

  private static func text(
    _ timestamp: Timestamp, _ level: Log.Level, _ message: String, _ values: [(String, String)]
  ) -> String {
    var line = "\(timestamp) \(level.rawValue) \(word(message, mayHaveSpaces: true))"
    for (name, value) in values { line += " \(word(name))=\(word(value))" }
    return line
  }

  /// Returns the text as it is when it is plain, and in quotes otherwise. Only text in quotes has escapes.
  private static func word(_ text: String, mayHaveSpaces: Bool = false) -> String {
    let shown = escaped(text) { "\\u{\(String($0.value, radix: 16, uppercase: true))}" }
    let isPlain =
      shown == text && !text.isEmpty
      && text.unicodeScalars.allSatisfy { $0 != "=" && (mayHaveSpaces || !$0.properties.isWhitespace) }
    return isPlain ? text : "\"\(shown)\""
  }

  // MARK: JSON

  private static func json(
    _ timestamp: Timestamp, _ level: Log.Level, _ message: String, _ values: [(String, String)]
  ) -> String {
    var names: Set<String> = []
    var members: [String] = []
    for (name, value) in [("time", "\(timestamp)"), ("level", level.rawValue), ("message", message)] + values {
      // A reader of JSON keeps one of two members with the same name.
      var unique = name
      var number = 2
      while !names.insert(unique).inserted {
        unique = "\(name)_\(number)"
        number += 1
      }
      members.append("\(string(unique)):\(string(value))")
    }
    return "{\(members.joined(separator: ","))}"
  }

  private static func string(_ text: String) -> String {
    let shown = escaped(text) { scalar in
      String(scalar).utf16.map { unit in
        let digits = String(unit, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }.joined()
    }
    return "\"\(shown)\""
  }

  // MARK: Escapes

  /// Returns the text with escapes, cut at `longest` characters.
  /// - Parameter escape: returns the escape of a character that has no short one.
  private static func escaped(_ text: String, _ escape: (Unicode.Scalar) -> String) -> String {
    var shown = String.UnicodeScalarView()
    var count = 0
    for scalar in text.unicodeScalars {
      if count == longest {
        shown.append(contentsOf: "… (cut)".unicodeScalars)
        break
      }
      count += 1
      switch scalar {
      case "\n": shown.append(contentsOf: #"\n"#.unicodeScalars)
      case "\r": shown.append(contentsOf: #"\r"#.unicodeScalars)
      case "\t": shown.append(contentsOf: #"\t"#.unicodeScalars)
      case "\\": shown.append(contentsOf: #"\\"#.unicodeScalars)
      case "\"": shown.append(contentsOf: #"\""#.unicodeScalars)
      default:
        if isUnseen(scalar) {
          shown.append(contentsOf: escape(scalar).unicodeScalars)
        } else {
          shown.append(scalar)
        }
      }
    }
    return String(shown)
  }

  /// Returns true for controls, formats (bidirectional marks and zero-width characters among them), line and paragraph
  /// separators, and code points without a character.
  private static func isUnseen(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return scalar.value < 0x20 || scalar.value == 0x7F }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse, .surrogate: return true
    default: return scalar.properties.isDefaultIgnorableCodePoint
    }
  }
}
