import Messaging
import Persistence
import Values

/// The echo's current problems, by source. A problem of one shard ends when that shard delivers again.
struct EchoProblems: Sendable {
  enum Source: Sendable, Hashable {
    /// The echo ended by an error.
    case ending
    case preparing
    case store
    case shard(Int)
  }

  private var all: [Source: EchoStatus.Problem] = [:]

  /// - Returns: whether the source's error code changed.
  @discardableResult
  mutating func note(_ error: any Error, of source: Source, at now: Timestamp) -> Bool {
    let code = (error as? any CodedError)?.code ?? MessagingErrorCode.failed
    let message = (error as? any CodedError)?.message ?? "\(error)"
    let known = all[source]
    all[source] = EchoStatus.Problem(
      code: code, message: message, since: known?.code == code ? known?.since ?? now : now)
    return known?.code != code
  }

  mutating func clear(_ source: Source) { if !all.isEmpty { all[source] = nil } }

  func of(_ source: Source) -> EchoStatus.Problem? { all[source] }

  /// The oldest problem.
  var first: EchoStatus.Problem? { all.values.min { $0.since < $1.since } }
}
