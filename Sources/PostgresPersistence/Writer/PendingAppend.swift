import Persistence
import Values

/// An append that waits for its verdict.
struct PendingAppend: Sendable {
  let id: UInt64
  let append: Append
  let month: Int
  let shard: Int
  let bytes: Int
  let ticket: WriteTicket<Appended>
  /// It was sent and the answer got lost: whether it was committed must be read before anything else.
  var isUncertain = false
  /// How often it lost alone against something that ran at the same time, or the session was ended by a refusal of it.
  var tries = 0
}

/// A name of a start key or claim, byte by byte.
struct ExactName: Hashable {
  let scope: [UInt8]
  let value: [UInt8]

  init(_ scope: String, _ value: String) {
    self.scope = Array(scope.utf8)
    self.value = Array(value.utf8)
  }
}
