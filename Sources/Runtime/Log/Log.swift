import Values

/// The log of a process: one line for each event, with a level, a message and named values.
public struct Log: Sendable {
  public enum Level: String, Sendable, Comparable, CaseIterable {
    case debug, info, warning, error
    private var rank: Int {
      switch self {
      case .debug: 0
      case .info: 1
      case .warning: 2
      case .error: 3
      }
    }
    public static func < (left: Level, right: Level) -> Bool { left.rank < right.rank }
  }

  /// How a line is written.
  public enum Format: String, Sendable, CaseIterable {
    /// `TIMESTAMP LEVEL MESSAGE name=value …`
    case text
    /// A JSON object with `time`, `level`, `message` and the values.
    case json
  }

  private let write: @Sendable (Level, String, [(String, String)]) -> Void

  public init(_ write: @escaping @Sendable (Level, String, [(String, String)]) -> Void) { self.write = write }

  public func debug(_ message: String, _ values: (String, String)...) { write(.debug, message, values) }
  public func info(_ message: String, _ values: (String, String)...) { write(.info, message, values) }
  public func warning(_ message: String, _ values: (String, String)...) { write(.warning, message, values) }
  public func error(_ message: String, _ values: (String, String)...) { write(.error, message, values) }

  /// Writes nothing.
  public static let silent = Log { _, _, _ in }

  /// Returns a log that writes to standard error through a queue. Logging never waits: a full queue drops the line.
  /// - Parameters:
  ///   - least: the lowest level that the log writes.
  ///   - format: how each line is written.
  ///   - clock: gives the timestamp of each line.
  public static func standardError(
    from least: Level, format: Format = .text, clock: any WallClock = SystemClock()
  ) -> Log {
    lines(from: least, format: format, clock: clock, to: LogQueue.standardError)
  }

  /// Returns a log that adds its lines to a queue.
  static func lines(from least: Level, format: Format, clock: any WallClock, to queue: LogQueue) -> Log {
    Log { level, message, values in
      guard level >= least else { return }
      queue.add(LogLine(at: clock.now(), level, message, values, format).text) { dropped in
        let lost = [("count", "\(dropped)")]
        return LogLine(
          at: clock.now(), .warning, "Log lines were dropped because the queue was full; the log continues", lost,
          format
        ).text
      }
    }
  }

  /// Waits until standard error has the lines that were logged before, at most `time`. Call it before the process ends.
  public static func flush(within time: Duration = .seconds(2)) { LogQueue.standardError.flush(within: time) }
}
