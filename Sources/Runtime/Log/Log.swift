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
  /// The lowest level that is written; nil for a log that writes nothing.
  private let least: Level?

  /// - Parameters:
  ///   - least: the lowest level that `write` gets.
  ///   - write: writes one line; called from any thread.
  public init(
    from least: Level = .debug, _ write: @escaping @Sendable (Level, String, [(String, String)]) -> Void
  ) {
    self.least = least
    self.write = write
  }

  private init() {
    least = nil
    write = { _, _, _ in }
  }

  public func debug(_ message: String, _ values: (String, String)...) { add(.debug, message, values) }
  public func info(_ message: String, _ values: (String, String)...) { add(.info, message, values) }
  public func warning(_ message: String, _ values: (String, String)...) { add(.warning, message, values) }
  public func error(_ message: String, _ values: (String, String)...) { add(.error, message, values) }

  /// Adds a line with a level that the caller computes.
  public func add(_ level: Level, _ message: String, _ values: [(String, String)]) {
    if writes(level) { write(level, message, values) }
  }

  /// Whether lines of this level are written. A caller asks before it makes the values of a frequent line.
  public func writes(_ level: Level) -> Bool { least.map { level >= $0 } ?? false }

  /// Writes nothing.
  public static let silent = Log()

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
    Log(from: least) { level, message, values in
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
