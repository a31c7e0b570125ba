import Values

/// A command line that can't be understood.
struct UsageError: CodedError, Equatable {
  let message: String
  /// The command whose help fits the error; nil for the list of commands.
  let command: String?
  let code: String

  init(_ message: String, of command: CommandSpec? = nil, code: String = CLIErrorCode.usage) {
    self.message = message
    self.command = command?.name
    self.code = code
  }
}

/// Another error of the command line itself.
struct CLIError: CodedError {
  let code: String
  let message: String
  /// Advice, one line each.
  let advice: [String]

  init(_ code: String, _ message: String, advice: [String] = []) {
    self.code = code
    self.message = message
    self.advice = advice
  }
}
