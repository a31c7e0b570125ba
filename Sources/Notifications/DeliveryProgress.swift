import Values
import WorkflowEngine

/// The notices of one shard that wait for one destination, in their order.
struct DeliveryProgress {
  struct Pending {
    let notice: Notice
    /// The position of its event in the shard.
    let position: Int64
    var tries = 0
    /// When it first failed.
    var since: Timestamp?
    var notBefore: Timestamp?
  }

  let shard: Int
  /// The position of the stored delivery checkpoint.
  var saved: Int64
  /// The position up to which the sender has checked events.
  var scanned: Int64
  var queue: [Pending] = []
  /// Whether the shard has events that have not been checked, because the queue was full.
  var hasMore = false

  init(shard: Int, checkpoint: Int64) {
    self.shard = shard
    saved = checkpoint
    scanned = checkpoint
  }

  /// The position that the delivery checkpoint may have: before the first notice that is not delivered or given up.
  var settled: Int64 { queue.first.map { $0.position - 1 } ?? scanned }
}
