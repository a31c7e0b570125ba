import JSON
public import Messaging
public import Runtime
import Synchronization
import Values
import WorkflowEngine

/// Writes notices to a topic, as CloudEvents in binary mode with the saga as key.
public final class KafkaNotices: NoticeDestination {
  public let name: String
  public let types: Set<NoticeType>
  private let cluster: KafkaCluster
  private let topic: KafkaTopic
  private let producer: KafkaProducer
  /// Whether the topic is known to exist.
  private let isPrepared = Mutex(false)

  public static let source = "/notices"
  public static let typePrefix = "dev.tracseq.notice."

  /// - Throws: `kafka.configurationInvalid`.
  public init(
    name: String = "kafka", cluster: KafkaCluster, topic: KafkaTopic = KafkaTopic("saga.notices"),
    types: Set<NoticeType> = NoticeType.usual, log: Log = .silent
  ) throws(KafkaError) {
    self.name = name
    self.types = types
    self.cluster = cluster
    self.topic = topic
    // A notice that is not taken soon waits in the store, where its delay is visible.
    producer = try KafkaProducer(cluster, name: "notices", patience: .atMost(.seconds(20)), log: log)
  }

  public var kind: NoticeDestinationKind { .kafka }
  public var target: String { "\(topic.name) at \(cluster.brokers)" }

  public func deliver(_ notice: Notice) async -> NoticeOutcome {
    do throws(KafkaError) {
      if !isPrepared.withLock({ $0 }) {
        _ = try await KafkaTopics(cluster).ensure([topic])
        isPrepared.withLock { $0 = true }
      }
      let place = try await producer.send(Self.event(notice).record(topic: topic.name, key: notice.subject))
      return .delivered(answer: "\(place.topic)/\(place.partition)/\(place.offset)")
    } catch {
      // The topic may have been deleted.
      isPrepared.withLock { $0 = false }
      return .failed(NoticeFailure(code: error.code, message: error.message))
    }
  }

  static func event(_ notice: Notice) -> CloudEvent {
    CloudEvent(
      id: notice.id, source: source, type: typePrefix + notice.type.rawValue, subject: notice.subject, time: notice.at,
      extensions: [.init("partitionkey", notice.subject)], data: notice.shownData.bytes())
  }

  public func close() async { await producer.close(flushWithin: .seconds(1)) }
}
