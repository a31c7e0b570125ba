import Messaging
import Persistence
import Runtime
import Streaming
import TestSupport
import Testing
import Values

@testable import KafkaGateway
@testable import SagaCore
@testable import WorkflowEngine

@Suite("A saga's published event", .timeLimit(.minutes(15)), .inTurn)
struct SagaEventEchoTests {
  private func stored(_ type: String, meta: String, data: String = #"{"at":"2026-03-01T08:15:30.250Z"}"#) -> StoredEvent
  {
    StoredEvent(
      stream: SagaSpecification.id, version: 3, shard: 28, position: 9, type: type, data: Array(data.utf8),
      meta: Array(meta.utf8), appendID: SagaSpecification.id, hash: [], chain: nil,
      recordedAt: Timestamp(milliseconds: 1_772_352_000_250))
  }

  @Test("A published event has the headers that the guide lists, and exactly the stored bytes as data")
  func message() throws {
    let id = SagaSpecification.id.description
    let event = SagaEventEcho.event(stored("stepSucceeded", meta: #"{"schema":1,"status":"running"}"#), topic: "t")
    let record = event.event.record(topic: event.topic, key: event.key, partition: 28 % 16)
    #expect(record.topic == "t" && record.partition == 12 && record.key == Array(id.utf8))
    #expect(record.value == Array(#"{"at":"2026-03-01T08:15:30.250Z"}"#.utf8))
    #expect(
      record.headers.map { "\($0.name)=\($0.text)" } == [
        "ce_specversion=1.0", "ce_id=\(id)/3", "ce_source=/sagas", "ce_type=dev.tracseq.saga.stepSucceeded",
        "ce_subject=\(id)", "ce_time=2026-03-01T08:00:00.250Z", "ce_dataschema=urn:tracseq:saga-event:stepSucceeded:1",
        "content-type=application/json", "ce_partitionkey=\(id)", "ce_shard=28", "ce_position=9", "ce_streamversion=3",
      ])
  }

  @Test(
    "A published event's schema is the version at the beginning of the stored event's meta",
    arguments: [
      (#"{"schema":2}"#, 2), (#"{"schema":12,"status":"running"}"#, 12), ("{}", 1), (#"{"status":"running"}"#, 1),
    ])
  func schema(meta: String, version: Int) {
    let event = SagaEventEcho.event(stored("sagaStarted", meta: meta), topic: "t").event
    #expect(event.dataSchema == "urn:tracseq:saga-event:sagaStarted:\(version)")
  }

  @Test("The meta of every stored event begins with the schema")
  func stores() async throws {
    let store = MemoryStore(environment: .system)
    let running = try await CommandTests.engine(on: store)
    let id = try await running.start().id
    for stored in try await store.read(id, after: 0, limit: 10) {
      #expect(stored.meta.starts(with: Array(#"{"schema":\#(SagaEvent.schema)"#.utf8)))
    }
    await running.stop()
  }
}
