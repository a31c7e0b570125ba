import Runtime

/// The options for the log of a serving process, the same for the engine and the laboratory.
enum LogOptions {
  /// - Parameter usual: the lowest level that is logged without an option.
  static func all(usual: Log.Level) -> [OptionSpec] {
    [
      OptionSpec(
        "log-format", value: "FORMAT", words: Log.Format.allCases.map(\.rawValue),
        help: "how the log is written to standard error: text or json; text"),
      OptionSpec(
        "log-level", value: "LEVEL", words: Log.Level.allCases.map(\.rawValue),
        help: "the lowest level that is logged: debug, info, warning or error; \(usual.rawValue)"),
      OptionSpec("verbose", help: "the same as --log-level info"),
    ]
  }
}

extension Invocation {
  /// Returns the log that `LogOptions` ask for.
  /// - Parameter usual: the lowest level that is logged without an option.
  func log(usual: Log.Level) throws(UsageError) -> Log {
    let level = try choice("log-level", of: Log.Level.self)
    if level != nil, arguments.has("verbose") { throw usage("--verbose is --log-level info: give one of them") }
    return .standardError(
      from: level ?? (arguments.has("verbose") ? .info : usual),
      format: try choice("log-format", of: Log.Format.self) ?? .text)
  }

  private func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ option: String, of: Choice.Type
  ) throws(UsageError) -> Choice? {
    guard let text = arguments.value(option) else { return nil }
    if let choice = Choice(rawValue: text) { return choice }
    let choices = Choice.allCases.map(\.rawValue)
    throw usage(
      "--\(option) wants \(choices.dropLast().joined(separator: ", ")) or \(choices.last ?? ""), not \"\(text)\"")
  }
}
