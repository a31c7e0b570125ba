import Values

/// A command line that can't be understood.
struct UsageError: CodedError, Equatable {
  let message: String
  /// Whose help would help; nil for the list of commands.
  let command: String?
  var code: String { CLIErrorCode.usage }

  init(_ message: String, of command: CommandSpec? = nil) {
    self.message = message
    self.command = command?.name
  }
}

/// Something else that the command line itself has to say.
struct CLIError: CodedError {
  let code: String
  let message: String
  /// What to do about it, a line each.
  let advice: [String]

  init(_ code: String, _ message: String, advice: [String] = []) {
    self.code = code
    self.message = message
    self.advice = advice
  }
}
