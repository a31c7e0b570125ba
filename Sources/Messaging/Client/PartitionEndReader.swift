import CKafka
import Dispatch
import Synchronization

/// Requests the ends of partitions from the broker. The request blocks, so it has a dispatch queue of its own.
final class PartitionEndReader: Sendable {
  /// The longest wait for one partition, in milliseconds.
  private static let patience: Int32 = 1_000

  private let handle: KafkaHandle
  private let assignment: ConsumerAssignment
  private let queue = DispatchQueue(label: "tracseq.kafka.ends")
  private let isReading = Atomic(false)

  init(_ handle: KafkaHandle, _ assignment: ConsumerAssignment) {
    self.handle = handle
    self.assignment = assignment
  }

  /// Notes the ends of these partitions in the assignment, later. Does nothing while an earlier request is under way.
  func read(_ partitions: [ConsumerAssignment.Partition]) {
    guard !isReading.exchange(true, ordering: .relaxed) else { return }
    queue.async { [self] in
      defer { isReading.store(false, ordering: .relaxed) }
      for partition in partitions {
        var (low, high): (Int64, Int64) = (0, 0)
        let code = rd_kafka_query_watermark_offsets(
          handle.client, partition.topic, Int32(partition.number), &low, &high, Self.patience)
        // A broker that does not answer would not answer for the next partition either.
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        assignment.note(end: high, of: partition)
      }
    }
  }
}
