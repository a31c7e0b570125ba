import JSON
import Messaging
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import KafkaGateway
@testable import SagaCore
@testable import WorkflowEngine

@Suite("Commands to participants on the wire", .timeLimit(.minutes(15)), .inTurn)
struct StepExecutorTests {
  /// An executor, a broker, and the topic of one service.
  final class Wire: Sendable {
    let broker: TestBroker
    let cluster: KafkaCluster
    let topic: String
    let clock: any WallClock
    let executor: KafkaStepExecutor

    /// - Parameter isMock: what is to misbehave must be a broker of our own.
    init(
      patience: Duration = .seconds(600), isMock: Bool = true, clock: any WallClock = SystemClock()
    ) async throws {
      broker =
        try await isMock ? TestBroker.mock(topics: ["lab.commands:4"]) : TestBroker.start(topics: ["lab.commands:4"])
      cluster = KafkaCluster(brokers: broker.brokers)
      topic = broker.isMock ? "lab.commands" : "lab.commands-\(Environment.system.newID())"
      if !broker.isMock { _ = try await KafkaTopics(cluster).ensure([KafkaTopic(topic, partitions: 4)]) }
      self.clock = clock
      executor = try KafkaStepExecutor(
        cluster: cluster, services: [KafkaService(name: "lab", topic: topic)], replyTopic: "saga.replies", clock: clock,
        patience: patience)
    }

    /// The messages of the service's topic, until so many have come.
    func messages(_ count: Int) async throws -> [KafkaMessage] {
      let (messages, coming) = AsyncStream.makeStream(of: KafkaMessage.self)
      let letters = try KafkaProducer(cluster, name: "letters")
      let consumer = KafkaConsumer(
        .init(cluster: cluster, group: "test-\(Environment.system.newID())", topics: [topic]),
        handlers: MessageHandlers { coming.yield($0) },
        deadLetters: DeadLetters(producer: letters, topic: "letters", environment: .system), environment: .system)
      let running = Task { try await consumer.run() }
      var all: [KafkaMessage] = []
      for await message in messages {
        all.append(message)
        if all.count == count { break }
      }
      running.cancel()
      _ = await running.result
      await letters.close(flushWithin: .zero)
      return all.sorted { ($0.partition, $0.offset) < ($1.partition, $1.offset) }
    }
  }

  private static let saga = SagaSpecification.id

  private static func call(
    _ action: RenderedKafka = RenderedKafka(service: "lab", command: "make"), phase: StepPhase = .forward,
    attempt: Int = 1, timeout: Duration = .seconds(30)
  ) -> StepCall {
    let key = IdempotencyKey.forward(saga: saga, step: "a", round: 1)
    return StepCall(
      saga: saga, workflow: "spec", step: "a", phase: phase, round: 1, attempt: attempt, action: .kafka(action),
      idempotencyKey: phase == .forward ? key : key + "/undo", compensates: phase == .undo ? key : nil,
      timeout: timeout)
  }

  private static func failure(of outcome: StepOutcome) -> StepFailure? {
    switch outcome {
    case .failed(let failure), .unknown(let failure), .notSent(let failure): failure
    case .succeeded, .succeededUnread, .answered: nil
    }
  }

  // MARK: The message

  @Test("A command is a CloudEvent with the keys, the attempt, where to answer, and the workflow's own headers")
  func command() async throws {
    let clock = FakeClock()
    let wire = try await Wire(isMock: false, clock: clock)
    let action = RenderedKafka(
      service: "lab", command: "make", headers: [RenderedField(name: "ward", value: "7")],
      body: ["barcode": "T-1", "n": 9_007_199_254_740_993])
    let first = Task { await wire.executor.perform(Self.call(action, attempt: 2)) }
    await clock.waitForSleepers { $0.count == 1 }
    let message = try #require(try await wire.messages(1).first)
    #expect(message.topic == wire.topic)
    #expect(message.key.map { String(decoding: $0, as: UTF8.self) } == "\(Self.saga)")
    #expect(message.value.map { String(decoding: $0, as: UTF8.self) } == #"{"barcode":"T-1","n":9007199254740993}"#)
    let trace = try #require(message.header("traceparent"))
    #expect(trace.wholeMatch(of: #/00-[0-9a-f]{32}-[0-9a-f]{16}-01/#) != nil)
    #expect(
      message.headers.map { "\($0.name)=\($0.text)" } == [
        "ce_specversion=1.0", "ce_id=\(Self.saga)/a/1#2", "ce_source=/sagas/spec", "ce_type=lab.make",
        "ce_subject=\(Self.saga)", "ce_time=\(clock.now())", "content-type=application/json",
        "reply-topic=saga.replies", "idempotency-key=\(Self.saga)/a/1", "saga-id=\(Self.saga)", "saga-step=a",
        "saga-attempt=2",
        "traceparent=\(trace)", "ward=7",
      ])

    let undo = Task { await wire.executor.perform(Self.call(phase: .undo)) }
    await clock.waitForSleepers { $0.count == 2 }
    let both = try await wire.messages(2)
    let second = try #require(both.last)
    #expect(second.partition == message.partition, "all of a saga's commands to a service are in order")
    #expect(second.value.map { String(decoding: $0, as: UTF8.self) } == "null")
    #expect(second.header("idempotency-key") == "\(Self.saga)/a/1/undo")
    #expect(second.header("compensates") == "\(Self.saga)/a/1" && second.header("saga-attempt") == "1")
    for task in [first, undo] { task.cancel() }
    for task in [first, undo] { _ = await task.value }
    await wire.executor.close()
  }

  // MARK: Its end

  @Test("An answer ends the attempt before the broker has confirmed the command")
  func answerFirst() async throws {
    let clock = FakeClock()
    let wire = try await Wire(clock: clock)
    try await wire.broker.freeze()
    let task = Task { await wire.executor.perform(Self.call()) }
    await clock.waitForSleepers { $0.count == 1 }
    wire.executor.recorded("\(Self.saga)/a/1", .succeeded(["n": 1]), upTo: 1, stillInFlight: nil)
    #expect(await task.value == .succeeded(["n": 1]))
    wire.broker.thaw()
    await wire.executor.close()
  }

  @Test("An attempt without an answer in time has an unknown outcome")
  func timeout() async throws {
    let clock = FakeClock()
    let wire = try await Wire(clock: clock)
    let task = Task { await wire.executor.perform(Self.call(timeout: .seconds(45))) }
    let due = clock.now() + .seconds(45)
    await clock.waitForSleepers { $0 == [due] }
    try await eventually("the command is delivered") { wire.executor.isDelivered("\(Self.saga)/a/1") }
    clock.advance(to: due)
    let outcome = await task.value
    guard case .unknown(let failure) = outcome else {
      Issue.record("it is \(outcome)")
      return
    }
    #expect(failure.code == "timeout" && failure.isRetryable && failure.classes == ["kafka.noAnswer"])
    #expect(failure.message == "lab did not answer in time.")
    await wire.executor.close()
  }

  @Test("A command that Kafka did not confirm in time has an unknown outcome")
  func notTaken() async throws {
    let clock = FakeClock()
    let wire = try await Wire(clock: clock)
    await wire.broker.tell("down")
    let task = Task { await wire.executor.perform(Self.call()) }
    await clock.waitForSleepers { $0.count == 1 }
    clock.advance(by: .seconds(30))
    let outcome = await task.value
    guard case .unknown(let failure) = outcome else {
      Issue.record("it is \(outcome)")
      return
    }
    #expect(failure.code == "timeout" && failure.isRetryable && failure.classes == ["kafka.notTaken"])
    #expect(failure.message.contains("lab.commands") && failure.message.contains("not taken"))
    await wire.executor.close()
  }

  @Test(
    "A command that the broker refuses is a clean failure, retried when that may help",
    arguments: [
      (29, MessagingErrorCode.notAllowed, "kafka.TOPIC_AUTHORIZATION_FAILED", true),
      (10, MessagingErrorCode.messageRefused, "kafka.MSG_SIZE_TOO_LARGE", false),
    ])
  func refused(broker code: Int, as expected: String, class name: String, isRetryable: Bool) async throws {
    let wire = try await Wire()
    // Refused in company, and again alone.
    await wire.broker.fail(api: 0, code: code, count: 2)
    let outcome = await wire.executor.perform(Self.call())
    guard case .failed(let failure) = outcome else {
      Issue.record("it is \(outcome)")
      return
    }
    #expect(failure.code == expected && failure.classes == [name] && failure.isRetryable == isRetryable)
    #expect(failure.message.hasPrefix("lab: "))
    await wire.executor.close()
  }

  @Test("A command was not sent when the broker is down for longer than the command is tried")
  func brokerAway() async throws {
    let wire = try await Wire(patience: .milliseconds(500))
    await wire.broker.tell("down")
    let outcome = await wire.executor.perform(Self.call())
    guard case .failed(let failure) = outcome else {
      Issue.record("it is \(outcome)")
      return
    }
    #expect(failure.code == MessagingErrorCode.notDelivered && failure.isRetryable)
    await wire.executor.close()
  }

  @Test("A command is not sent for a service without a topic, or for an action of another kind")
  func nowhere() async throws {
    let wire = try await Wire()
    let stranger = await wire.executor.perform(Self.call(RenderedKafka(service: "freezer", command: "c")))
    #expect(Self.failure(of: stranger)?.code == EngineErrorCode.serviceUnknown)
    #expect(Self.failure(of: stranger)?.isRetryable ?? false, "an operator can give it one, and the step goes on")
    guard case .failed = stranger else {
      Issue.record("it is \(stranger)")
      return
    }
    await wire.executor.close()
  }

  @Test("When the engine stops, an attempt that has not begun is not made, and one under way is unknown")
  func cancelled() async throws {
    let clock = FakeClock()
    let wire = try await Wire(clock: clock)
    let never = Task {
      await untilCancelled()
      return await wire.executor.perform(Self.call())
    }
    never.cancel()
    guard case .notSent(let early) = await never.value else {
      Issue.record("it was made")
      return
    }
    #expect(early.code == EngineErrorCode.engineDraining)
    let sent = Task { await wire.executor.perform(Self.call(attempt: 2)) }
    _ = try await wire.messages(1)
    sent.cancel()
    guard case .unknown(let late) = await sent.value else {
      Issue.record("it is known")
      return
    }
    #expect(late.code == EngineErrorCode.engineDraining && late.isRetryable)
    await wire.executor.close()
    let closed = await wire.executor.perform(Self.call(attempt: 3))
    guard case .notSent = closed else {
      Issue.record("a closed one says \(closed)")
      return
    }
  }
}
