public import Messaging
public import Runtime
import Values

/// Reads topics of a Kafka cluster for one stream.
public final class KafkaStreamSource: StreamSource {
  private let reader: KafkaReader
  private let most: Int
  private let patience: Duration

  /// - Parameters:
  ///   - cluster: the cluster to read from.
  ///   - name: the stream's name.
  ///   - most: the largest number of messages in one transaction.
  ///   - patience: how long a batch waits for its first message.
  /// - Throws: `kafka.configurationInvalid`.
  public init(
    _ cluster: KafkaCluster, name: String, atMost most: Int = 500, waiting patience: Duration = .milliseconds(500),
    log: Log = .silent
  ) throws(KafkaError) {
    reader = try KafkaReader(cluster, name: "stream-\(name)", log: log)
    self.most = most
    self.patience = patience
  }

  public func partitionCount(of topic: String) async throws -> Int { try await reader.partitionCount(of: topic) }

  public func bounds(of partition: StreamPartition) async throws -> Range<Int64> {
    try await reader.bounds(of: KafkaReader.Partition(partition))
  }

  public func assign(_ offsets: [StreamPartition: Int64]) async throws {
    try await reader.assign(
      Dictionary(uniqueKeysWithValues: offsets.map { (KafkaReader.Partition($0.key), $0.value) }))
  }

  public func nextBatch() async throws -> StreamBatch {
    let batch = try await reader.next(atMost: most, waiting: patience)
    return StreamBatch(
      messages: batch.messages,
      ended: Set(batch.ended.map { StreamPartition(topic: $0.topic, number: $0.number) }),
      problem: batch.problem?.description)
  }

  public func close() async { await reader.close() }
}

extension KafkaReader.Partition {
  fileprivate init(_ partition: StreamPartition) { self.init(topic: partition.topic, number: partition.number) }
}
