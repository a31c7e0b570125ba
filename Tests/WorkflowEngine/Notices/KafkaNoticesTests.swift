import JSON
import Messaging
import TestSupport
import Testing
import Values

@testable import Notifications
@testable import WorkflowEngine

@Suite("Notices on Kafka", .timeLimit(.minutes(15)), .inTurn)
struct KafkaNoticesTests {
  @Test("A notice is a CloudEvent with the saga as key")
  func delivered() async throws {
    let broker = try await TestBroker.mock(topics: ["saga.notices:3"])
    let cluster = KafkaCluster(brokers: broker.brokers)
    let topic = KafkaTopic("saga.notices", partitions: 3)
    let kafka = try KafkaNotices(cluster: cluster, topic: topic)
    #expect(kafka.target == "saga.notices at \(broker.brokers)")
    guard case .delivered(let place) = await kafka.deliver(WebhookTests.notice) else {
      Issue.record("It was not delivered")
      return
    }
    #expect(place.hasPrefix("saga.notices/"))
    let reader = try KafkaReader(cluster, name: "test")
    let count = try await reader.partitionCount(of: "saga.notices")
    try await reader.assign(
      Dictionary(uniqueKeysWithValues: (0..<count).map { (.init(topic: "saga.notices", number: $0), 0) }))
    var messages: [KafkaMessage] = []
    while messages.isEmpty { messages += try await reader.next(atMost: 10, waiting: .seconds(1)).messages }
    await reader.close()
    let message = messages[0]
    #expect(message.key == Array(WebhookTests.notice.subject.utf8))
    #expect(message.value == WebhookTests.notice.data.bytes())
    #expect(message.header("ce_type") == "dev.tracseq.notice.saga.stuck")
    #expect(message.header("ce_id") == WebhookTests.notice.id && message.header("ce_source") == "/notices")
    #expect(message.header("ce_subject") == WebhookTests.notice.subject)
    #expect(message.header("ce_time") == "2026-03-01T08:15:30.250Z")
    #expect(message.header("content-type") == "application/json")
    await kafka.close()
  }

  @Test("A sealed value is masked in the topic, as in a webhook")
  func masked() throws {
    let notice = Notice(
      id: "1", type: .sagaStuck, at: WebhookTests.notice.at, subject: "019c", summary: "Case sealed:1:QUJD is stuck.",
      details: ["title": "sealed:1:QUJD"])
    let data = try JSON(parsing: KafkaNotices.event(notice).data)
    #expect(data == notice.body["data"])
    #expect(data["title"] == .string(SealedText.mask) && data["summary"] == "Case ••• is stuck.")
  }

  @Test("A broker that is down is a failure of the delivery")
  func nobody() async throws {
    let kafka = try KafkaNotices(cluster: KafkaCluster(brokers: "127.0.0.1:1"))
    guard case .failed(let failure) = await kafka.deliver(WebhookTests.notice) else {
      Issue.record("Nobody took it")
      return
    }
    #expect(failure.code == MessagingErrorCode.unavailable)
    await kafka.close()
  }
}
