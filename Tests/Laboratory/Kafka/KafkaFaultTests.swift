import JSON
import Messaging
import Persistence
import Runtime
import TestSupport
import Testing
import Values

@testable import Laboratory

@Suite("Faults, poison and lost answers over Kafka, in process", .timeLimit(.minutes(15)), .inTurn)
struct KafkaFaultTests {
  @Test("A refusal or a status that was asked for is answered as it would be over HTTP, and nothing happens")
  func refused() async throws {
    let bench = LabKafkaBench(
      try await LabBench(faults: "samples.create:fail=FREEZER_DOWN,once", "samples.create:status=503,once"))
    let message = create(bench, "TS-1")
    let failed = try await bench.ask(message)
    #expect(failed.outcome == "failed" && failed.code == "FREEZER_DOWN" && !failed.isRetryable && !failed.isGone)
    let unknown = try await bench.ask(message)
    #expect(unknown.outcome == "unknown" && unknown.code == LabErrorCode.injected)
    #expect(try await effects(bench) == 0)
    #expect(try await bench.ask(message).outcome == "succeeded")
    #expect(try await effects(bench) == 1)
    await bench.lab.participants.close()
  }

  @Test("A timeout fault has no effect and no answer, and the next message is answered at once")
  func timeout() async throws {
    let bench = LabKafkaBench(try await LabBench(faults: "samples.create:timeout,times=2"))
    let message = create(bench, "TS-1")
    for _ in 1...2 {
      // The handler returns, so its offset is committed, although the clock does not move.
      try await bench.handler.handle(message)
      #expect(try bench.replies().isEmpty)
      #expect(try await effects(bench) == 0)
    }
    #expect(try await bench.ask(message).outcome == "succeeded")
    #expect(try await effects(bench) == 1)
    await bench.lab.participants.close()
  }

  @Test("A dropped answer belongs to a command that took effect; each repeat of it is a new call to the fault")
  func dropped() async throws {
    let bench = LabKafkaBench(try await LabBench(faults: "samples.create:drop-answer,times=2"))
    let message = create(bench, "TS-1")
    for _ in 1...2 {
      try await bench.handler.handle(message)
      #expect(try bench.replies().isEmpty)
      #expect(try await effects(bench) == 1)
    }
    #expect(try await bench.ask(message).outcome == "succeeded")
    #expect(try await effects(bench) == 1)
    await bench.lab.participants.close()
  }

  @Test("A slow command takes effect and is answered when its time has passed")
  func slow() async throws {
    let bench = LabKafkaBench(try await LabBench(faults: "samples.create:slow=2s,once"))
    let message = create(bench, "TS-1")
    let slow = Task { try await bench.ask(message) }
    let due = bench.lab.clock.now() + .seconds(2)
    await bench.lab.clock.waitForSleepers { $0.contains(due) }
    #expect(try await effects(bench) == 0)
    bench.lab.clock.advance(by: .seconds(2))
    #expect(try await slow.value.outcome == "succeeded")
    #expect(try await effects(bench) == 1)
    await bench.lab.participants.close()
  }

  @Test("every and match count the calls of both wires")
  func counted() async throws {
    let bench = LabKafkaBench(try await LabBench(faults: "samples.create:fail=NO,every=2,match=TS-*"))
    var outcomes: [String?] = []
    for number in 1...4 {
      outcomes.append(try await bench.ask(create(bench, "XX-\(number)", key: "x\(number)")).outcome)
      outcomes.append(try await bench.ask(create(bench, "TS-\(number)", key: "t\(number)")).outcome)
    }
    #expect(outcomes.enumerated().filter { $0.element == "failed" }.map(\.offset) == [3, 7])
    // Over HTTP it is the fifth that fits, and the next over Kafka the sixth.
    #expect(try await bench.lab.send("PUT", LabBench.sample("h"), LabBench.tube("TS-H"), key: "h").status == 201)
    #expect(try await bench.ask(create(bench, "TS-6", key: "t6")).code == "NO")
    // An id in the body fits, too.
    _ = try await bench.lab.send("PUT", "/lab/faults", ["faults": ["samples.validate:fail=NO,match=0*-*"]])
    let sample = "01234567-0000-8000-8000-000000000000"
    let validate = bench.message(.samples, "validate", ["sampleId": .string(sample)], key: "v")
    #expect(try await bench.ask(validate).code == "NO")
    await bench.lab.participants.close()
  }

  struct Bad: Sendable, CustomStringConvertible {
    let description: String
    let code: String
    let isAnswered: Bool
    let message: @Sendable (LabKafkaBench) -> KafkaMessage

    init(
      _ description: String, _ code: String, isAnswered: Bool = true,
      _ message: @escaping @Sendable (LabKafkaBench) -> KafkaMessage
    ) {
      self.description = description
      self.code = code
      self.isAnswered = isAnswered
      self.message = message
    }
  }

  static let bad: [Bad] = [
    Bad("no JSON", LabErrorCode.notJSON) { bench in
      bench.raw(.samples, value: Array("{".utf8), headers: create(bench, "TS-1").headers)
    },
    Bad("no value", LabErrorCode.notJSON) { bench in
      bench.raw(.samples, value: nil, headers: create(bench, "TS-1").headers)
    },
    Bad("no object", LabErrorCode.notJSON) { $0.message(.samples, "create", ["TS-1"], key: "k") },
    Bad("five megabytes", MessagingErrorCode.messageTooLarge) {
      $0.message(.samples, "create", ["barcode": .string(String(repeating: "x", count: 5_000_000))], key: "k")
    },
    Bad("an unknown command", LabErrorCode.commandUnknown) { $0.message(.samples, "crate", [:], key: "k") },
    Bad("another service's command", LabErrorCode.commandUnknown) {
      $0.message(.samples, "allocate", [:], key: "k")
    },
    Bad("no command", LabErrorCode.commandUnknown) {
      $0.message(.samples, "create", [:], key: "k", without: "ce_specversion")
    },
    Bad("no type", MessagingErrorCode.messageMalformed) {
      $0.message(.samples, "create", [:], key: "k", without: "ce_type")
    },
    Bad("no key", LabErrorCode.keyMissing, isAnswered: false) {
      $0.message(.samples, "create", [:], key: "k", without: "idempotency-key")
    },
    Bad("a key that can't be kept", LabErrorCode.keyInvalid) {
      $0.message(.samples, "create", [:], key: String(repeating: "k", count: 256))
    },
    Bad("no reply topic", LabErrorCode.replyTopicInvalid, isAnswered: false) {
      $0.message(.samples, "create", [:], key: "k", without: "reply-topic")
    },
    Bad("a reply topic that is none", LabErrorCode.replyTopicInvalid, isAnswered: false) {
      $0.message(
        .samples, "create", [:], key: "k", without: "reply-topic", with: [KafkaHeader("reply-topic", "no topic")])
    },
    Bad("a reply topic of the laboratory's own", LabErrorCode.replyTopicInvalid, isAnswered: false) {
      $0.message(
        .samples, "create", [:], key: "k", without: "reply-topic",
        with: [KafkaHeader("reply-topic", "laboratory.samples.commands")])
    },
  ]

  @Test("Poison has its reason, takes no effect, and is answered where that can be", arguments: bad)
  func poison(bad: Bad) async throws {
    let bench = LabKafkaBench(try await LabBench())
    let poison = await #expect(throws: Poison.self) { try await bench.handler.handle(bad.message(bench)) }
    #expect(poison?.code == bad.code, "\(poison?.message ?? "")")
    let replies = try bench.replies()
    #expect(replies.map(\.code) == (bad.isAnswered ? [bad.code] : []))
    #expect(replies.allSatisfy { $0.outcome == "failed" && !$0.isGone && !$0.isRetryable })
    #expect(try await bench.lab.send("GET", "/samples/samples").body["items"] == [])
    await bench.lab.participants.close()
  }

  @Test("An answer that Kafka refuses temporarily is sent again; the command took effect once")
  func answerLater() async throws {
    let bench = LabKafkaBench(try await LabBench())
    let message = create(bench, "TS-1")
    bench.fail(KafkaError(code: MessagingErrorCode.unavailable, message: "away", isRetriable: true))
    let error = await #expect(throws: KafkaError.self) { try await bench.handler.handle(message) }
    #expect(error?.code == MessagingErrorCode.unavailable)
    #expect(try await effects(bench) == 1)
    #expect(try await bench.ask(message).outcome == "succeeded")
    #expect(try await effects(bench) == 1)
    // The answer to poison isn't let go of either.
    bench.fail(KafkaError(code: MessagingErrorCode.unavailable, message: "away", isRetriable: true))
    let bad = bench.message(.samples, "crate", [:], key: "b")
    await #expect(throws: KafkaError.self) { try await bench.handler.handle(bad) }
    await #expect(throws: Poison.self) { try await bench.handler.handle(bad) }
    #expect(try bench.replies().map(\.code) == [LabErrorCode.commandUnknown])
    await bench.lab.participants.close()
  }

  @Test("A command whose answer can never be delivered becomes a dead letter, and other commands continue")
  func answerNever() async throws {
    let bench = LabKafkaBench(try await LabBench())
    let message = create(bench, "TS-1")
    let never = KafkaError(code: MessagingErrorCode.topicUnknown, message: "no such topic", isRetriable: true)
    bench.fail(never)
    let poison = await #expect(throws: Poison.self) { try await bench.handler.handle(message) }
    #expect(poison?.code == LabErrorCode.answerRefused)
    #expect(poison?.message.contains("no such topic") == true)
    #expect(try await effects(bench) == 1)
    // Poison keeps its own reason.
    bench.fail(never)
    let bad = bench.message(.samples, "crate", [:], key: "b")
    let other = await #expect(throws: Poison.self) { try await bench.handler.handle(bad) }
    #expect(other?.code == LabErrorCode.commandUnknown)
    await bench.lab.participants.close()
  }

  @Test("While the store is unavailable a command waits in Kafka; a fault in the stored events is reported")
  func store() async throws {
    let bench = LabKafkaBench(try await LabBench())
    let message = create(bench, "TS-1")
    await bench.lab.store.close()
    let error = await #expect(throws: StoreError.self) { try await bench.handler.handle(message) }
    #expect(error?.code == StoreErrorCode.closed)
    #expect(try bench.replies().isEmpty)
    await bench.lab.participants.close()

    let other = LabKafkaBench(try await LabBench())
    let sample = UniqueID.named("s")
    _ = try await other.lab.store.append(
      Append(
        stream: CommandHandler.stream(of: Sample.self, sample), expectedVersion: 0,
        events: [NewEvent(type: "sample.eaten", data: Array("{}".utf8), meta: Array("{}".utf8))],
        appendID: other.lab.environment.newID()))
    let reply = try await other.ask(
      other.message(.samples, "validate", ["sampleId": .string(sample.description)], key: "v"))
    #expect(reply.outcome == "unknown" && reply.code == LabErrorCode.unreadableEvent)
    await other.lab.participants.close()
  }

  private static func create(_ bench: LabKafkaBench, _ barcode: String, key: String = "k") -> KafkaMessage {
    bench.message(.samples, "create", LabBench.tube(barcode), key: key)
  }

  private func create(_ bench: LabKafkaBench, _ barcode: String, key: String = "k") -> KafkaMessage {
    Self.create(bench, barcode, key: key)
  }

  private func effects(_ bench: LabKafkaBench, key: String = "k") async throws -> Int? {
    try await bench.lab.send("GET", "/lab/effects?key=\(key)").body["effects"]?[key]?.intValue
  }
}
