/// The stable codes of the command line's own errors. Each has a page in `docs/errors/`.
enum CLIErrorCode {
  static let usage = "cli.usage"
  static let fileUnreadable = "cli.fileUnreadable"
  static let fileUnwritable = "cli.fileUnwritable"
  static let keyInvalid = "cli.keyInvalid"
  static let inputInvalid = "cli.inputInvalid"
  static let sagaAmbiguous = "cli.sagaAmbiguous"
  static let sagaUnknown = "cli.sagaUnknown"
  static let timeInvalid = "cli.timeInvalid"
  static let lineInvalid = "cli.lineInvalid"
  static let serverUnreachable = "cli.serverUnreachable"
  static let answerUnexpected = "cli.answerUnexpected"
  static let configurationInvalid = "cli.configurationInvalid"
  static let insecure = "cli.insecure"
  static let accessKeyInvalid = "cli.accessKeyInvalid"
  static let childFailed = "cli.childFailed"
}
