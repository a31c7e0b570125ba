import JSON

/// A participant's answer to a command that did not come over HTTP: over Kafka, or as a task.
enum CommandReply: Sendable, Equatable {
  /// The command took effect, now or when its key first came.
  case succeeded(JSON)
  /// The command had no effect.
  /// - retryable: the same command may succeed soon.
  /// - gone: the command's subject does not exist any more.
  case failed(code: String, message: String, retryable: Bool = false, gone: Bool = false)
  /// The command may have taken effect.
  case unknown(code: String, message: String)

  /// Makes the reply for a refusal. Over HTTP its status says the same.
  init(_ refusal: LabRefusal) {
    let message =
      refusal.places.count > 1
      ? refusal.places.map { "\($0.pointer): \($0.message)" }.joined(separator: "; ") : refusal.message
    switch refusal.status {
    case 408, 425, 429, 500...: self = .unknown(code: refusal.code, message: message)
    default:
      self = .failed(
        code: refusal.code, message: message, retryable: refusal.code == LabErrorCode.conflict,
        gone: refusal.status == 404 || refusal.status == 410)
    }
  }

  var json: JSON {
    switch self {
    case .succeeded(let output): ["outcome": "succeeded", "output": output]
    case .failed(let code, let message, let retryable, let gone):
      .members(
        ("outcome", "failed"), ("code", .string(code)), ("message", .string(message)),
        ("retryable", retryable ? true : nil), ("gone", gone ? true : nil))
    case .unknown(let code, let message):
      ["outcome": "unknown", "code": .string(code), "message": .string(message)]
    }
  }
}
