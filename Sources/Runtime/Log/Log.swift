import Foundation
import Values

/// Where a process says what it does. One line an event: a level, a message, and named values.
public struct Log: Sendable {
  public enum Level: String, Sendable, Comparable {
    case debug, info, warning, error
    private var rank: Int { ["debug": 0, "info": 1, "warning": 2, "error": 3][rawValue] ?? 0 }
    public static func < (left: Level, right: Level) -> Bool { left.rank < right.rank }
  }

  private let write: @Sendable (Level, String, [(String, String)]) -> Void

  public init(_ write: @escaping @Sendable (Level, String, [(String, String)]) -> Void) { self.write = write }

  public func debug(_ message: String, _ values: (String, String)...) { write(.debug, message, values) }
  public func info(_ message: String, _ values: (String, String)...) { write(.info, message, values) }
  public func warning(_ message: String, _ values: (String, String)...) { write(.warning, message, values) }
  public func error(_ message: String, _ values: (String, String)...) { write(.error, message, values) }

  /// Says nothing.
  public static let silent = Log { _, _, _ in }

  /// Lines on standard error: moment, level, message, and values as `name=value`.
  public static func standardError(from least: Level, clock: any WallClock = SystemClock()) -> Log {
    Log { level, message, values in
      guard level >= least else { return }
      let line = LogLine(at: clock.now(), level, message, values)
      FileHandle.standardError.write(Data("\(line.text)\n".utf8))
    }
  }
}

/// One event of a log as one line of text.
///
/// Messages and values hold what others sent: names, reasons, bytes of Kafka messages. The line shows each character
/// that could begin a line, move the cursor, or change the order in which text is read, as an escape. So nothing that
/// was sent can pass for a line, or for another value, of the engine's.
struct LogLine {
  /// The longest message or value, in characters; more is cut.
  static let longest = 2_000

  let text: String

  init(at moment: Timestamp, _ level: Log.Level, _ message: String, _ values: [(String, String)]) {
    var line = "\(moment) \(level.rawValue) \(Self.escaped(message, isQuoted: false))"
    for (name, value) in values {
      let isPlain = !value.isEmpty && value.unicodeScalars.allSatisfy { $0 != " " && $0 != "\"" && $0 != "=" }
      line += " \(Self.escaped(name, isQuoted: false))="
      line += isPlain ? Self.escaped(value, isQuoted: false) : "\"\(Self.escaped(value, isQuoted: true))\""
    }
    text = line
  }

  private static func escaped(_ text: String, isQuoted: Bool) -> String {
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
      case "\"" where isQuoted: shown.append(contentsOf: #"\""#.unicodeScalars)
      default:
        if isUnseen(scalar) {
          shown.append(contentsOf: "\\u{\(String(scalar.value, radix: 16, uppercase: true))}".unicodeScalars)
        } else {
          shown.append(scalar)
        }
      }
    }
    return String(shown)
  }

  /// Controls, formats (bidirectional marks and zero-width characters among them), line and paragraph separators, and
  /// what no character is assigned to.
  private static func isUnseen(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return scalar.value < 0x20 || scalar.value == 0x7F }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse, .surrogate: return true
    default: return scalar.properties.isDefaultIgnorableCodePoint
    }
  }
}
