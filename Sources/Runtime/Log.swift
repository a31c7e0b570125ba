import Foundation

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
      let named = values.map { " \($0)=\($1)" }.joined()
      FileHandle.standardError.write(Data("\(clock.now()) \(level.rawValue) \(message)\(named)\n".utf8))
    }
  }
}
