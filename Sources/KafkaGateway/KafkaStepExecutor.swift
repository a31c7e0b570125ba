import JSON
public import Messaging
public import Runtime
import SagaCore
import Synchronization
import Values
import WorkflowEngine

/// A service that takes its commands from a topic.
public struct KafkaService: Sendable, Hashable {
  public let name: String
  public let topic: String
  /// Whether an undo that comes before its command makes the participant refuse the late command.
  public let keepsTombstones: Bool

  public init(name: String, topic: String, keepsTombstones: Bool = false) {
    self.name = name
    self.topic = topic
    self.keepsTombstones = keepsTombstones
  }
}

/// Makes the attempts of `kafka` steps: sends the command, and waits until its answer has been recorded.
///
/// The reader of the reply topic receives the answer and records it in the saga. Then it tells this executor that the
/// wait is over.
public final class KafkaStepExecutor: StepExecutor {
  private let producer: KafkaProducer
  let services: [String: KafkaService]
  private let replyTopic: String
  private let clock: any WallClock
  private let waiting = Mutex<[String: [Waiter]]>([:])

  /// - Parameters:
  ///   - cluster: the cluster for the commands.
  ///   - services: the topic from which each service takes its commands.
  ///   - replyTopic: the topic for the participants' answers.
  ///   - clock: limits the wait.
  ///   - patience: the time after which a command that can't be delivered is known not to have been sent.
  ///   - log: the log for the client's problems.
  /// - Throws: `kafka.configurationInvalid`.
  public init(
    cluster: KafkaCluster, services: [KafkaService], replyTopic: String, clock: any WallClock,
    patience: Duration = .seconds(30), log: Log = .silent
  ) throws(KafkaError) {
    producer = try KafkaProducer(
      cluster, name: "commands", patience: .atMost(patience), lingering: .zero, log: log)
    self.services = Dictionary(services.map { ($0.name, $0) }, uniquingKeysWith: { _, last in last })
    self.replyTopic = replyTopic
    self.clock = clock
    producer.prepare(topics: Set(services.map(\.topic)))
  }

  public func perform(_ call: StepCall) async -> StepOutcome {
    guard case .kafka(let action) = call.action else {
      return .failed(StepFailure(code: MessagingErrorCode.failed, message: "Only kafka actions are made over Kafka."))
    }
    guard let service = services[action.service] else {
      return .failed(
        StepFailure(
          code: EngineErrorCode.serviceUnknown,
          message: "The service “\(action.service)” has no topic on this engine.", isRetryable: true))
    }
    let record = record(of: call, action, to: service)
    // 1. The waiter is registered before the command is sent, so that the answer finds it.
    let waiter = Waiter(call.attempt)
    waiting.withLock { $0[call.idempotencyKey, default: []].append(waiter) }
    defer { forget(waiter, call.idempotencyKey) }
    // 2. Send the command, with a limit on its time.
    let deadline = clock.now() + call.timeout
    let timer = Task { [clock, producer] in
      do { try await clock.sleep(until: deadline) } catch { return }
      waiter.end.give(
        .unknown(waiter.delivered.isGiven ? Self.noAnswer(of: service) : Self.notTaken(service, producer.problem)))
    }
    defer { timer.cancel() }
    var sending: Task<Void, Never>?
    // A command that still waits for room when its attempt has ended is not sent: it might arrive after its undo.
    defer { sending?.cancel() }
    if !Task.isCancelled {
      waiter.sent.give()
      sending = Task { [producer] in
        do throws(KafkaError) {
          _ = try await producer.send(record)
          waiter.delivered.give()
        } catch {
          waiter.end.give(Self.outcome(of: error, service))
        }
      }
    }
    // 3. The first end counts.
    return await withTaskCancellationHandler {
      await waiter.end.value()
    } onCancel: {
      // The engine stops. The command may have been sent, but its answer is not awaited.
      waiter.end.give(waiter.sent.isGiven ? .unknown(Self.cutOff) : .notSent(Self.cutOff))
    }
  }

  /// Returns whether Kafka has the command of an attempt that waits under this key.
  func isDelivered(_ key: String) -> Bool {
    waiting.withLock { $0[key]?.contains(where: \.delivered.isGiven) ?? false }
  }

  private func forget(_ waiter: Waiter, _ key: String) {
    waiting.withLock { waiting in
      waiting[key]?.removeAll { $0 === waiter }
      if waiting[key]?.isEmpty == true { waiting[key] = nil }
    }
  }

  /// Reports that an answer under this key has been recorded.
  /// - Parameters:
  ///   - last: the last attempt that had begun then. A later one may wait already; the answer was not for it.
  ///   - inFlight: the attempt that still waits after it, if there is one.
  package func recorded(_ key: String, _ outcome: StepOutcome, upTo last: Int, stillInFlight inFlight: Int?) {
    let answered = waiting.withLock { waiting in
      waiting[key]?.filter { $0.attempt <= last && $0.attempt != inFlight } ?? []
    }
    for waiter in answered { waiter.end.give(outcome) }
  }

  public func close() async { await producer.close(flushWithin: .seconds(1)) }

  private static func noAnswer(of service: KafkaService) -> StepFailure {
    StepFailure(
      code: EngineErrorCode.attemptTimeout, classes: ["kafka.noAnswer"],
      message: "\(service.name) did not answer in time.", isRetryable: true)
  }

  /// The command waits in the client and may still be sent, so the failure is not clean.
  private static func notTaken(_ service: KafkaService, _ problem: KafkaError?) -> StepFailure {
    StepFailure(
      code: EngineErrorCode.attemptTimeout, classes: ["kafka.notTaken"],
      message: "Kafka has not taken the command to \(service.name), on \(service.topic), in time"
        + (problem.map { ": \($0.message)" } ?? "."), isRetryable: true)
  }

  private static let cutOff = StepFailure(
    code: EngineErrorCode.engineDraining, message: "The engine stopped before the answer came.", isRetryable: true)

  private static func outcome(of error: KafkaError, _ service: KafkaService) -> StepOutcome {
    let failure = StepFailure(
      code: error.code, classes: ["kafka.\(error.kafkaName)"], message: "\(service.name): \(error.message)",
      isRetryable: error.isRetriable)
    if error.mayHaveBeenSent { return .unknown(failure) }
    return error.code == MessagingErrorCode.closed ? .notSent(failure) : .failed(failure)
  }

  private func record(of call: StepCall, _ action: RenderedKafka, to service: KafkaService) -> KafkaRecord {
    let saga = call.saga.description
    let event = CloudEvent(
      id: "\(call.idempotencyKey)#\(call.attempt)", source: "/sagas/\(call.workflow)",
      type: "\(action.service).\(action.command)", subject: saga, time: clock.now(),
      data: (action.body ?? .null).bytes())
    var record = event.record(topic: service.topic, key: saga)
    record.headers.append(KafkaHeader("reply-topic", replyTopic))
    record.headers += call.fields(of: action).map { KafkaHeader($0.name, $0.value) }
    return record
  }
}

/// An attempt that waits for its end.
private final class Waiter: Sendable {
  let attempt: Int
  /// Given when the command is passed to the client.
  let sent = Once<Void>()
  /// Given when Kafka has the command.
  let delivered = Once<Void>()
  let end = Once<StepOutcome>()

  init(_ attempt: Int) { self.attempt = attempt }
}
