import JSON
import Persistence
import Values

/// An error as a problem document (RFC 9457), for the programs that asked for `--json`.
enum ErrorDocument {
  /// Returns the engine's document unchanged, or one of the same form for an error of the command line.
  static func json(of error: any Error) -> JSON {
    switch error {
    case let refusal as APIRefusal:
      guard case .object(var members)? = refusal.problem else {
        return document(refusal.code, refusal.message, advice: refusal.advice, status: refusal.status)
      }
      if refusal.isAboutFile { members["detail"] = .string(refusal.message) }
      return .object(members)
    case let error as CLIError: return document(error.code, error.message, advice: error.advice)
    case let error as StoreError: return document(error.code, error.message, advice: error.detail.map { [$0] } ?? [])
    case let error as any CodedError: return document(error.code, error.message, advice: [])
    default: return ["title": "The command failed", "detail": .string("\(error)")]
    }
  }

  /// - Parameters:
  ///   - advice: what to do, a line each.
  ///   - status: the HTTP status, when the engine answered.
  private static func document(_ code: String, _ message: String, advice: [String], status: Int? = nil) -> JSON {
    var members: JSONObject = [
      "type": .string("/errors/\(code)"),
      "title": code == CLIErrorCode.usage ? "The command line is wrong" : "The command failed",
      "detail": .string(message), "code": .string(code),
    ]
    members["status"] = status.map(JSON.int)
    if !advice.isEmpty { members["advice"] = .array(advice.map(JSON.string)) }
    return .object(members)
  }
}
