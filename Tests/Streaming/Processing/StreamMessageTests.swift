import JSON
import Messaging
import TestSupport
import Testing
import Values

@testable import Streaming

@Suite("Messages as streams read and write them", .timeLimit(.minutes(15)), .inTurn)
struct StreamMessageTests {
  private func message(_ value: String?, key: String? = nil, headers: [KafkaHeader] = []) -> KafkaMessage {
    KafkaMessage(
      topic: "samples", partition: 3, offset: 41, key: key.map { Array($0.utf8) }, value: value.map { Array($0.utf8) },
      headers: headers, timestamp: at("09:00"))
  }

  private static let headers = [
    KafkaHeader("ce_specversion", "1.0"), KafkaHeader("ce_id", "s/1"), KafkaHeader("ce_source", "/laboratory/samples"),
    KafkaHeader("ce_type", "sample.created"), KafkaHeader("ce_subject", "s"),
    KafkaHeader("ce_time", "2026-03-01T10:00:00+01:00"), KafkaHeader("ce_shard", "7"),
    KafkaHeader("ce_position", "12"), KafkaHeader("content-type", "application/json"),
  ]

  @Test("A CloudEvent in binary mode")
  func binary() throws {
    let event = try StreamEvent(message(#"{"type":"blood"}"#, key: "s", headers: Self.headers))
    #expect(event.identity == "/laboratory/samples#s/1")
    #expect(event.time == at("09:00") && event.key == "s")
    #expect(event.place == .init(source: "/laboratory/samples", shard: 7, position: 12))
    #expect(
      event.document == [
        "id": "s/1", "source": "/laboratory/samples", "type": "sample.created", "subject": "s",
        "time": "2026-03-01T09:00:00.000Z", "datacontenttype": "application/json", "shard": "7", "position": "12",
        "data": ["type": "blood"],
        "kafka": [
          "topic": "samples", "partition": 3, "offset": 41, "key": "s", "timestamp": "2026-03-01T09:00:00.000Z",
        ],
      ])
  }

  @Test("A CloudEvent in structured mode is the same event")
  func structured() throws {
    let text = """
      {"specversion":"1.0","id":"s/1","source":"/laboratory/samples","type":"sample.created","subject":"s",
       "time":"2026-03-01T10:00:00+01:00","shard":"7","position":"12","datacontenttype":"application/json",
       "data":{"type":"blood"}}
      """
    let header = KafkaHeader("content-type", "application/cloudevents+json; charset=UTF-8")
    let structured = try StreamEvent(message(text, key: "s", headers: [header]))
    #expect(structured == (try StreamEvent(message(#"{"type":"blood"}"#, key: "s", headers: Self.headers))))
  }

  @Test("Plain JSON is data, named after its place")
  func plain() throws {
    let event = try StreamEvent(message("[1]"))
    #expect(event.identity == "samples/3/41" && event.time == nil && event.place == nil && event.key == nil)
    #expect(event.document["data"] == [1] && event.document["id"] == nil)
    #expect(event.document["kafka"]?["key"] == nil)
  }

  @Test("A message without a value is null, a schema's id before the JSON is removed, and a key of bytes is not text")
  func odd() throws {
    #expect(try StreamEvent(message(nil)).document["data"] == .null)
    var framed = message("x", headers: Self.headers)
    framed = KafkaMessage(
      topic: "samples", partition: 0, offset: 0, key: [0xFF], value: [0, 0, 0, 0, 9] + Array("{}".utf8),
      headers: framed.headers)
    let event = try StreamEvent(framed)
    #expect(event.document["data"] == [:] && event.key == nil)
  }

  @Test("A message that is not JSON, or wrongly claims to be a CloudEvent, is poison")
  func poison() {
    func code(_ message: KafkaMessage) -> String? {
      do throws(Poison) {
        _ = try StreamEvent(message)
        return nil
      } catch { return error.code }
    }
    #expect(code(message("{")) == MessagingErrorCode.messageNotJSON)
    #expect(code(message("\0\0\0\0\0")) == MessagingErrorCode.messageNotJSON)
    #expect(code(message("{}", headers: [KafkaHeader("ce_specversion", "1.0")])) == MessagingErrorCode.messageMalformed)
    #expect(code(message("{}", headers: [KafkaHeader("ce_specversion", "0.3")])) == MessagingErrorCode.messageMalformed)
  }

  @Test("An output is a CloudEvent of the stream")
  func output() throws {
    var spec = try StreamSpecification(WindowCountTests.count(lateness: .zero))
    spec.when(sampleAt: "10:00")
    spec.when(sampleAt: "11:00")
    let record = try #require(spec.outputs.first).record(of: spec.machine.definition)
    #expect(record.topic == "out" && record.key == Array("blood".utf8))
    let sent = KafkaMessage(
      topic: "out", partition: 0, offset: 0, key: record.key, value: record.value, headers: record.headers)
    let event = try #require(try CloudEvent(sent))
    #expect(event.source == "/streams/per-hour" && event.type == "per-hour" && event.subject == "blood")
    #expect(event.time?.description == "2026-03-01T10:59:59.999Z")
    #expect(UniqueID(event.id) != nil)
    #expect(
      String(decoding: event.data, as: UTF8.self)
        == #"{"key":"blood","window":{"start":"2026-03-01T10:00:00.000Z","end":"2026-03-01T11:00:00.000Z"},"count":1}"#)
    // Without a key there is none: nor a subject.
    let keyless = StreamOutput(id: "x", type: "t", key: nil, time: nil, data: 1).record(of: spec.machine.definition)
    #expect(keyless.key == nil && !keyless.headers.contains { $0.name == "ce_subject" })
  }

  @Test("A late message is forwarded unchanged, with the reason")
  func late() {
    let record = message("{}", key: "s", headers: Self.headers).lateRecord(to: "late", stream: "per-hour", reason: "r")
    #expect(record.topic == "late" && record.key == Array("s".utf8) && record.value == Array("{}".utf8))
    #expect(Array(record.headers.prefix(Self.headers.count)) == Self.headers)
    #expect(
      record.headers.dropFirst(Self.headers.count).map { "\($0.name)=\($0.text)" } == [
        "late_stream=per-hour", "late_topic=samples", "late_partition=3", "late_offset=41", "late_reason=r",
      ])
  }
}
