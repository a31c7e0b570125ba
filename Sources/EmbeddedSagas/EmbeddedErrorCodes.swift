/// The stable codes of this module's errors. Each has a page in `docs/errors/`.
enum EmbeddedErrorCode {
  static let stepThrew = "step.threw"
}
