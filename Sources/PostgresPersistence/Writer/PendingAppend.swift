import Persistence

/// An append that waits for its result.
struct PendingAppend: Sendable {
  let id: UInt64
  let append: Append
  let month: Int
  let shard: Int
  let bytes: Int
  let ticket: WriteTicket<Appended>
  /// True when the append was sent and its answer was lost. First the writer must read whether it was committed.
  var isUncertain = false
  /// The number of times that the append failed alone because of concurrent work, or that its refusal ended the
  /// session.
  var tries = 0
}

/// The name of a start key or claim, compared byte by byte.
struct ExactName: Hashable {
  let scope: [UInt8]
  let value: [UInt8]

  init(_ scope: String, _ value: String) {
    self.scope = Array(scope.utf8)
    self.value = Array(value.utf8)
  }
}
