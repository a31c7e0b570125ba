import Persistence
import Values

/// The notices of one shard that wait for one destination, in their order.
struct DeliveryProgress {
  struct Pending {
    let notice: Notice
    /// The number of sagas that the notice said when it was last tried; nil for a notice of no incident.
    var sagas: Int?
    /// The position of its event in the shard.
    let position: Int64
    var tries = 0
    /// When it first failed.
    var since: Timestamp?
    var notBefore: Timestamp?

    /// The notice as it is sent.
    var said: Notice { sagas.map(notice.saying) ?? notice }
  }

  /// The events that the sender has not checked.
  var tail: ShardTail
  var queue: [Pending] = []

  init(shard: Int, checkpoint: Int64) { tail = ShardTail(shard: shard, after: checkpoint) }

  var shard: Int { tail.shard }
  /// Whether the shard has events that have not been checked, because the queue was full.
  var hasMore: Bool { !queue.isEmpty && !tail.isAtEnd }
  /// The position that the delivery checkpoint may have: before the first notice that is not delivered or given up.
  var settled: Int64 { queue.first.map { $0.position - 1 } ?? (tail.next - 1) }
}
