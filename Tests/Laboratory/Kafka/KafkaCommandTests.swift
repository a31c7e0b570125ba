import JSON
import Messaging
import Persistence
import Runtime
import TestSupport
import Testing
import Values

@testable import Laboratory

@Suite("Commands over Kafka, in process", .timeLimit(.minutes(15)), .inTurn)
struct KafkaCommandTests {
  @Test("Every command of every service is tried")
  func complete() async throws {
    for service in LabService.allCases {
      let tried = Set(CommandCase.all.filter { $0.service == service }.map(\.name))
      #expect(tried == Set(service.commands))
    }
    // The table has exactly the commands that HTTP has.
    let lab = try await LabBench()
    let known = Set(lab.participants.commands.map { "\($0.service.rawValue).\($0.name)" })
    #expect(
      known == Set(LabService.allCases.flatMap { service in service.commands.map { "\(service.rawValue).\($0)" } }))
    await lab.participants.close()
  }

  @Test("A command does over Kafka what it does over HTTP, and answers the same", arguments: CommandCase.all)
  func sameAsHTTP(command: CommandCase) async throws {
    // Two laboratories with one clock's time and one seed.
    let overHTTP = try await LabBench()
    let overKafka = LabKafkaBench(try await LabBench())
    for step in command.before {
      for lab in [overHTTP, overKafka.lab] {
        let reply = try await send(step, to: lab)
        try #require((200..<300).contains(reply.status), "\(step): \(reply.body.text())")
      }
    }
    let expected = try await send(command, to: overHTTP)
    try #require((200..<300).contains(expected.status), "\(expected.body.text())")
    let message = overKafka.message(
      command.service, command.name, command.said, key: command.key, compensates: command.compensates, attempt: 2)
    let reply = try await overKafka.ask(message)
    #expect(reply.body == ["outcome": "succeeded", "output": expected.body])
    #expect(try await events(of: overKafka.lab) == events(of: overHTTP))
    // The answer finds its way.
    #expect(reply.record.topic == "saga.replies" && reply.record.key == Array("saga".utf8))
    #expect(reply.header("idempotency-key") == command.key && reply.header("saga-attempt") == "2")
    #expect(reply.header("ce_type") == "dev.tracseq.saga.reply" && reply.header("ce_specversion") == "1.0")
    #expect(reply.header("ce_source") == "/laboratory/\(command.service.rawValue)")
    #expect(reply.header("content-type") == "application/json")

    // A repeat, over either wire, gets the first answer, and nothing happens again.
    let again = try await overKafka.ask(message)
    #expect(again.body == reply.body)
    let other = try await send(command, to: overKafka.lab)
    #expect(other == expected)
    #expect(try await events(of: overKafka.lab) == events(of: overHTTP))
    let effects = try await overKafka.lab.send("GET", "/lab/effects?sagaId=saga").body["effects"]?.objectValue
    #expect(effects?[command.key] == 1)
    await overHTTP.participants.close()
    await overKafka.lab.participants.close()
  }

  @Test("A command with another body under the same key is refused")
  func keyReused() async throws {
    let bench = LabKafkaBench(try await LabBench())
    let sample: JSON = .string(UniqueID.named("s").description)
    func tube(_ barcode: String) -> JSON {
      var body = LabBench.tube(barcode).objectValue ?? [:]
      body["sampleId"] = sample
      return .object(body)
    }
    #expect(try await bench.ask(bench.message(.samples, "create", tube("TS-1"), key: "k")).outcome == "succeeded")
    let reused = try await bench.ask(bench.message(.samples, "create", tube("TS-2"), key: "k"))
    #expect(reused.outcome == "failed" && reused.code == LabErrorCode.keyReused && !reused.isGone)
    await bench.lab.participants.close()
  }

  @Test("A refusal is a clean failure with its code; for a missing thing the code is gone")
  func refusals() async throws {
    let bench = LabKafkaBench(try await LabBench())
    let sample: JSON = ["sampleId": .string(UniqueID.named("s").description)]
    let unknown = try await bench.ask(bench.message(.samples, "validate", sample, key: "1"))
    #expect(unknown.body["outcome"] == "failed" && unknown.code == LabErrorCode.unknown && unknown.isGone)
    #expect(!unknown.isRetryable)
    let invalid = try await bench.ask(
      bench.message(.samples, "create", ["barcode": "", "type": "blod", "volumeMl": 0], key: "2"))
    #expect(invalid.code == LabErrorCode.invalid && !invalid.isGone)
    let message = try #require(invalid.body["message"]?.stringValue)
    for name in ["/barcode", "/type", "/volumeMl"] { #expect(message.contains(name), "\(message)") }
    for (body, place) in [
      (nil, "/sampleId"), (["id": 4.5], "/id"), (["sampleId": true], "/sampleId"), (["sampleId": "s"], "“s”"),
      (["sampleId": "a", "id": "b"], "/id"), (["sampleId": .null], "/sampleId"),
    ] as [(JSON?, String)] {
      let refused = try await bench.ask(bench.message(.samples, "validate", body, key: "3"))
      #expect(refused.outcome == "failed" && refused.code == LabErrorCode.invalid, "\(refused.body.text())")
      #expect(refused.body["message"]?.stringValue?.contains(place) == true, "\(refused.body.text())")
    }
    await bench.lab.participants.close()
  }

  @Test("An undo that comes before its command is gone, and the late command is refused")
  func undoFirst() async throws {
    let bench = LabKafkaBench(try await LabBench())
    let body: JSON = ["allocationId": .string(UniqueID.named("a").description)]
    let undo = try await bench.ask(bench.message(.storage, "release", body, key: "k/undo", compensates: "k"))
    #expect(undo.outcome == "failed" && undo.code == LabErrorCode.unknown && undo.isGone)
    var place = LabBench.place("s").objectValue ?? [:]
    place["allocationId"] = body["allocationId"]
    let late = try await bench.ask(bench.message(.storage, "allocate", .object(place), key: "k"))
    #expect(late.outcome == "failed" && late.code == LabErrorCode.undoneBefore && late.isGone)
    #expect(try await bench.lab.send("GET", "/storage/positions").body["items"]?.arrayValue?.isEmpty == true)
    await bench.lab.participants.close()
  }

  @Test("A conflict that a retry may solve is retryable; an uncertain effect is unknown")
  func meanings() {
    let conflict = CommandReply(LabRefusal.conflict("busy"))
    #expect(conflict == .failed(code: LabErrorCode.conflict, message: "busy", retryable: true))
    #expect(conflict.json["retryable"] == true && conflict.json["gone"] == nil)
    for status in [408, 425, 429, 500, 503, 504] {
      #expect(CommandReply(LabRefusal("c", status: status, "m")) == .unknown(code: "c", message: "m"))
    }
    for status in [400, 403, 409, 422] {
      #expect(CommandReply(LabRefusal("c", status: status, "m")) == .failed(code: "c", message: "m"))
    }
    for status in [404, 410] {
      #expect(CommandReply(LabRefusal("c", status: status, "m")) == .failed(code: "c", message: "m", gone: true))
    }
  }

  @Test("A command's events name its user, as over HTTP")
  func people() async throws {
    let bench = LabKafkaBench(try await LabBench())
    let people = [KafkaHeader("user-id", "kim"), KafkaHeader("tenant-id", "north")]
    _ = try await bench.ask(bench.message(.samples, "create", LabBench.tube("TS-1"), key: "a", with: people))
    _ = try await bench.ask(
      bench.message(.samples, "create", LabBench.tube("TS-2"), key: "b", without: "saga-id"))
    let metas = try await events(of: bench.lab).map { try JSON(parsing: $0.meta) }.suffix(2)
    let found = metas.map { [$0["userId"], $0["tenantId"], $0["correlationId"]] }
    #expect(Set(found) == [["kim", "north", "saga"], ["anonymous", "default", nil]])
    await bench.lab.participants.close()
  }

  /// The stored events without the ids of appends and without the equipment's events.
  struct Kept: Hashable {
    let stream: UniqueID
    let version: Int
    let type: String
    let data: [UInt8]
    let meta: [UInt8]
  }

  private func events(of lab: LabBench) async throws -> [Kept] {
    var events: [Kept] = []
    for shard in 0..<lab.store.shardCount {
      for event in try await lab.store.tail(shard: shard, after: 0, limit: 1_000)
      where !event.type.hasPrefix("furniture.") {
        events.append(
          Kept(
            stream: event.stream, version: event.version, type: event.type, data: event.data, meta: event.meta))
      }
    }
    return events
  }

  private func send(_ command: CommandCase, to lab: LabBench) async throws -> LabBench.Reply {
    try await lab.send(
      command.method, command.path, command.body, key: command.key, compensates: command.compensates, saga: "saga")
  }
}
