import CKafka
import Dispatch
import Foundation
import Runtime
import Synchronization

/// The producer's client, its thread, and the callers that wait.
final class ProducerCore: Sendable {
  typealias Answer = CheckedContinuation<Result<Delivery, KafkaError>, Never>

  private struct State {
    var handle: KafkaHandle?
    /// The number of clients that were made, the current one included.
    var client = 1
    /// The client had a fatal error and must be replaced.
    var isBroken = false
    var nextToken = ProducerCore.ownToken
    var waiting: [UInt64: Answer] = [:]
    /// The number of messages on their way when the queue was last full; nil when there is room.
    var full: Int?
    var flushUntil: ContinuousClock.Instant?
    var hasEnded = false
    var statistics: KafkaStatistics?
    var problem: KafkaError?

    /// Whether half of the full queue has left. Waiting callers then continue together instead of one by one.
    func hasRoom() -> Bool {
      guard let full, let handle else { return true }
      return Int(rd_kafka_outq_len(handle.client)) <= full / 2
    }
  }

  /// Tokens of `send` have the highest bit.
  private static let ownToken: UInt64 = 1 << 63

  private let cluster: KafkaCluster
  private let name: String
  private let settings: KafkaHandle.Settings
  private let isOneByOne: Bool
  private let log: Log
  private let reports: @Sendable ([KafkaProducer.Report]) -> Void
  private let state: Mutex<State>
  private let waitingForRoom = WaitQueue()
  private let ended = Once<Void>()
  /// The number of calls that are using the client now. The thread does not destroy the client while there are any.
  private let callsInClient = Atomic(0)

  init(
    _ cluster: KafkaCluster, name: String, settings: KafkaHandle.Settings, isOneByOne: Bool, log: Log,
    reports: @escaping @Sendable ([KafkaProducer.Report]) -> Void
  ) throws(KafkaError) {
    self.cluster = cluster
    self.name = name
    self.settings = settings
    self.isOneByOne = isOneByOne
    self.log = log
    self.reports = reports
    state = Mutex(State())
    let handle = try newHandle()
    state.withLock { $0.handle = handle }
  }

  private func newHandle() throws(KafkaError) -> KafkaHandle {
    try KafkaHandle(
      .producer, cluster, name: name, settings: settings,
      essential: isOneByOne ? [("batch.num.messages", "1")] : [])
  }

  /// Makes a core with the same settings whose requests carry one message each.
  func madeOneByOne() throws(KafkaError) -> ProducerCore {
    let core = try ProducerCore(
      cluster, name: "\(name)-lone", settings: settings.filter { $0.name != "enable.gapless.guarantee" },
      isOneByOne: true, log: log
    ) { _ in }
    core.start()
    return core
  }

  func start() {
    let thread = Thread { self.run() }
    thread.name = "kafka \(name)"
    thread.start()
  }

  var statistics: KafkaStatistics? { state.withLock { $0.statistics } }
  var problem: KafkaError? { state.withLock { $0.problem } }
  var countOnTheWay: Int { state.withLock { $0.handle }.map { Int(rd_kafka_outq_len($0.client)) } ?? 0 }

  // MARK: Sending

  /// Sends a message and waits for its outcome. When the task is cancelled first, the outcome stays unknown.
  func send(_ record: KafkaRecord) async -> Result<Delivery, KafkaError> {
    let token = newToken()
    return await withTaskCancellationHandler {
      await withCheckedContinuation { (answer: Answer) in
        if Task.isCancelled { return answer.resume(returning: .failure(.cancelled(mayHaveBeenSent: false))) }
        state.withLock { $0.waiting[token] = answer }
        do throws(KafkaError) {
          try enqueue(record, token: token)
        } catch {
          // The thread may have ended meanwhile, and answered it already.
          self.answer(token, .failure(error))
        }
        // The task may have been cancelled before the continuation was stored.
        if Task.isCancelled { self.answer(token, .failure(.cancelled(mayHaveBeenSent: true))) }
      }
    } onCancel: {
      answer(token, .failure(.cancelled(mayHaveBeenSent: true)))
    }
  }

  private func newToken() -> UInt64 {
    state.withLock { state in
      state.nextToken += 1
      return state.nextToken
    }
  }

  private func answer(_ token: UInt64, _ result: Result<Delivery, KafkaError>) {
    state.withLock { $0.waiting.removeValue(forKey: token) }?.resume(returning: result)
  }

  /// The number of the current client. When it changes, `reports` has received the outcomes of all messages of the
  /// clients before.
  var client: Int { state.withLock { $0.client } }

  /// - Parameter client: the number of the client to use; when it was replaced, the message is refused.
  func enqueue(_ record: KafkaRecord, token: UInt64, client: Int? = nil) throws(KafkaError) {
    try use(client) { record.produce(on: $0, token: token) }
  }

  /// - Parameter client: the number of the client to use; when it was replaced, the event is refused.
  func enqueue(
    _ event: CloudEvent, topic: String, key: String, partition: Int, token: UInt64, client: Int? = nil
  ) throws(KafkaError) {
    try use(client) { event.produce(on: $0, topic: topic, key: key, partition: partition, token: token) }
  }

  /// Calls the client, and keeps it from being destroyed meanwhile.
  private func use(
    _ client: Int?, _ produce: (OpaquePointer) -> rd_kafka_resp_err_t
  ) throws(KafkaError) {
    let handle = try state.withLock { state throws(KafkaError) in
      guard let handle = state.handle, state.flushUntil == nil else { throw .closed }
      guard !state.isBroken, client == nil || client == state.client else { throw .renewed }
      callsInClient.add(1, ordering: .relaxed)
      return handle
    }
    defer { callsInClient.subtract(1, ordering: .releasing) }
    let code = produce(handle.client)
    if code == RD_KAFKA_RESP_ERR__QUEUE_FULL {
      state.withLock { $0.full = Int(rd_kafka_outq_len(handle.client)) }
    }
    // A message given to a broken client was not sent, so the next client can take it.
    guard code != RD_KAFKA_RESP_ERR__FATAL else { throw .renewed }
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(code) }
  }

  /// Returns when there is room again, or the task is cancelled.
  func room() async {
    _ = await waitingForRoom.value(unlessCancelled: { [self] in
      state.withLock { $0.hasEnded || $0.hasRoom() } ? true : nil
    })
  }

  var countWaitingForRoom: Int { waitingForRoom.count }

  func prepare(_ topics: [String]) {
    guard !topics.isEmpty, let handle = state.withLock({ $0.handle }) else { return }
    // The request blocks, so it has a thread of its own.
    Thread {
      for name in topics {
        guard let topic = rd_kafka_topic_new(handle.client, name, nil) else { continue }
        var metadata: UnsafePointer<rd_kafka_metadata>?
        if rd_kafka_metadata(handle.client, 0, topic, &metadata, 5_000) == RD_KAFKA_RESP_ERR_NO_ERROR {
          rd_kafka_metadata_destroy(metadata)
        }
        rd_kafka_topic_destroy(topic)
      }
    }.start()
  }

  // MARK: The thread

  private func run() {
    var nextRenewal = ContinuousClock.now
    while let (handle, flushUntil, isBroken) = state.withLock({ state in
      state.handle.map { ($0, state.flushUntil, state.isBroken) }
    }) {
      if isBroken, flushUntil == nil, ContinuousClock.now >= nextRenewal {
        if !renew(handle) { nextRenewal = .now + .seconds(1) }
      } else if let flushUntil {
        let isOver = ContinuousClock.now >= flushUntil
        if isOver { rd_kafka_purge(handle.client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT) }
        serve(handle, for: isOver ? 0 : 20)
        if callsInClient.load(ordering: .acquiring) == 0, rd_kafka_outq_len(handle.client) == 0 {
          while serve(handle, for: 0) {}
          break
        }
      } else {
        serve(handle, for: 100)
      }
    }
    end()
  }

  /// Takes one event off the queue.
  /// - Returns: whether there was one.
  @discardableResult
  private func serve(_ handle: KafkaHandle, for milliseconds: Int32) -> Bool {
    // librdkafka counts messages as on their way until their event is destroyed.
    defer { letIn() }
    guard let event = rd_kafka_queue_poll(handle.queue, milliseconds) else { return false }
    defer { rd_kafka_event_destroy(event) }
    switch rd_kafka_event_type(event) {
    case RD_KAFKA_EVENT_DR: deliver(event)
    case RD_KAFKA_EVENT_LOG: KafkaNews.log(event, to: log)
    case RD_KAFKA_EVENT_STATS:
      if let text = rd_kafka_event_stats(event), let read = KafkaStatistics(String(cString: text)) {
        state.withLock { $0.statistics = read }
      }
    case RD_KAFKA_EVENT_ERROR:
      let error = KafkaNews.error(event, of: handle.client)
      state.withLock { state in
        state.problem = error
        if error.isFatal { state.isBroken = true }
      }
    default: break
    }
    return true
  }

  private func deliver(_ event: OpaquePointer) {
    var told: [KafkaProducer.Report] = []
    var answers: [(Answer, Result<Delivery, KafkaError>)] = []
    var last: Result<Delivery, KafkaError>?
    var lastTopic: (pointer: OpaquePointer?, name: String) = (nil, "")
    var own: [(UInt64, Result<Delivery, KafkaError>)] = []
    while let message = rd_kafka_event_message_next(event) {
      let token = UInt64(UInt(bitPattern: message.pointee._private))
      let result: Result<Delivery, KafkaError>
      if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
        // There are thousands of reports and few topics, so keep the last topic's name.
        if lastTopic.pointer != message.pointee.rkt {
          lastTopic = (message.pointee.rkt, String(cString: rd_kafka_topic_name(message.pointee.rkt)))
        }
        result = .success(
          Delivery(
            topic: lastTopic.name, partition: Int(message.pointee.partition), offset: message.pointee.offset))
      } else {
        let isSent = rd_kafka_message_status(message) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED
        result = .failure(KafkaError(message.pointee.err, mayHaveBeenSent: isSent))
      }
      last = result
      if token & Self.ownToken != 0 {
        own.append((token, result))
      } else {
        told.append(.init(token: token, result: result))
      }
    }
    state.withLock { state in
      switch last {
      case .success: state.problem = nil
      case .failure(let error): state.problem = error
      case nil: break
      }
      for (token, result) in own { state.waiting.removeValue(forKey: token).map { answers.append(($0, result)) } }
    }
    for (answer, result) in answers { answer.resume(returning: result) }
    if !told.isEmpty { reports(told) }
  }

  private func letIn() {
    let hasRoomAgain = state.withLock { state in
      guard state.full != nil, state.hasRoom() else { return false }
      state.full = nil
      return true
    }
    if hasRoomAgain { waitingForRoom.wake() }
  }

  /// Replaces a client that broke for good. All its messages fail before there is a new client, so that no message
  /// overtakes them.
  /// - Returns: false when no new client could be made.
  private func renew(_ broken: KafkaHandle) -> Bool {
    while callsInClient.load(ordering: .acquiring) > 0 { serve(broken, for: 1) }
    rd_kafka_purge(broken.client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
    while serve(broken, for: 0) || rd_kafka_outq_len(broken.client) > 0 { serve(broken, for: 20) }
    let said = problem?.message ?? ""
    do {
      let fresh = try newHandle()
      state.withLock { ($0.handle, $0.client, $0.isBroken, $0.full) = (fresh, $0.client + 1, false, nil) }
      waitingForRoom.wake()
      log.warning("The Kafka client broke; replaced it", ("client", name), ("error", said))
      return true
    } catch {
      state.withLock { $0.problem = error }
      log.error("Could not replace the broken Kafka client; will retry", ("client", name), ("error", error.message))
      return false
    }
  }

  // MARK: Ending

  func close(flushWithin time: Duration) {
    state.withLock { state in
      state.flushUntil = min(state.flushUntil ?? .now + time, .now + time)
    }
  }

  func closed() async {
    await ended.value()
  }

  /// - Returns: a semaphore that is signalled when the client is destroyed.
  private func letGo() -> DispatchSemaphore? {
    let handle = state.withLock { $0.handle.take() }
    return handle?.destroyed
  }

  private func end() {
    // 1. Destroy the client first: a caller of `closed` may end the process as soon as it returns.
    _ = letGo()?.wait(timeout: .now() + .seconds(2))
    // 2. Resume all waiting callers.
    let waiting = state.withLock { state in
      state.hasEnded = true
      defer { state.waiting = [:] }
      return Array(state.waiting.values)
    }
    for answer in waiting { answer.resume(returning: .failure(.closed)) }
    waitingForRoom.wake()
    ended.give()
  }
}
