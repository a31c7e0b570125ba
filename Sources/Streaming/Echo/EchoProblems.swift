import Messaging
import Values

/// What stands in the echo's way, each thing until it is out of it: a shard that goes on says nothing of another.
struct EchoProblems: Sendable {
  enum Source: Sendable, Hashable {
    /// It has ended, and not because it was told to.
    case ending
    case preparing
    case store
    case shard(Int)
  }

  private var all: [Source: EchoStatus.Problem] = [:]

  /// - Returns: whether it is another than before.
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

  /// The one that has been there longest.
  var first: EchoStatus.Problem? { all.values.min { $0.since < $1.since } }
}
