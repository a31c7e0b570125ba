import CKafka
import Dispatch
import Foundation
import Runtime
import Synchronization

/// The producer's client, its thread, and who waits for what.
final class ProducerCore: Sendable {
  typealias Answer = CheckedContinuation<Result<Delivery, KafkaError>, Never>

  private struct State {
    var handle: KafkaHandle?
    var nextToken = ProducerCore.ownToken
    var waiting: [UInt64: Answer] = [:]
    var roomWaiters: [CheckedContinuation<Void, Never>] = []
    var flushUntil: ContinuousClock.Instant?
    var hasEnded = false
    var endWaiters: [CheckedContinuation<Void, Never>] = []
    var statistics: KafkaStatistics?
    var problem: KafkaError?
    /// The client broke for good, and this is why.
    var fatal: KafkaError?
  }

  /// Tokens of `send` have the highest bit.
  private static let ownToken: UInt64 = 1 << 63

  private let cluster: KafkaCluster
  private let name: String
  private let settings: KafkaHandle.Settings
  private let log: Log
  private let reports: @Sendable ([KafkaProducer.Report]) -> Void
  private let state: Mutex<State>

  init(
    _ cluster: KafkaCluster, name: String, settings: KafkaHandle.Settings, log: Log,
    reports: @escaping @Sendable ([KafkaProducer.Report]) -> Void
  ) throws(KafkaError) {
    self.cluster = cluster
    self.name = name
    self.settings = settings
    self.log = log
    self.reports = reports
    state = Mutex(State(handle: try KafkaHandle(.producer, cluster, name: name, settings: settings)))
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

  /// Names a call of `send`.
  func newToken() -> UInt64 {
    state.withLock { state in
      state.nextToken += 1
      return state.nextToken
    }
  }

  func send(_ record: KafkaRecord, token: UInt64, _ answer: Answer) {
    state.withLock { $0.waiting[token] = answer }
    // Who was cancelled before this is seen here; who is cancelled from here on is found waiting.
    if Task.isCancelled { return forget(token, mayHaveBeenSent: false) }
    do throws(KafkaError) {
      try enqueue(record, token: token)
    } catch {
      // It may have been answered by the thread that ended meanwhile.
      state.withLock { $0.waiting.removeValue(forKey: token) }?.resume(returning: .failure(error))
    }
  }

  /// Whoever waits under this token waits no more. What was sent goes on.
  func forget(_ token: UInt64, mayHaveBeenSent: Bool) {
    state.withLock { $0.waiting.removeValue(forKey: token) }?
      .resume(returning: .failure(.notWaitedFor(mayHaveBeenSent: mayHaveBeenSent)))
  }

  func enqueue(_ record: KafkaRecord, token: UInt64) throws(KafkaError) {
    guard let handle = state.withLock({ $0.flushUntil == nil ? $0.handle : nil }) else { throw .closed }
    let code = record.produce(on: handle.client, token: token)
    guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
    throw KafkaError(code)
  }

  func enqueue(
    _ event: CloudEvent, topic: String, key: String, partition: Int, token: UInt64
  ) throws(KafkaError) {
    guard let handle = state.withLock({ $0.flushUntil == nil ? $0.handle : nil }) else { throw .closed }
    let headers: OpaquePointer = rd_kafka_headers_new(8 + event.extensions.count)
    event.eachHeader { name, value in
      var value = value
      _ = value.withUTF8 { rd_kafka_header_add(headers, name, -1, $0.baseAddress, $0.count) }
    }
    var key = key
    let code = key.withUTF8 { key in
      event.data.withUnsafeBytes { data in
        tracseq_kafka_produce(
          handle.client, topic, Int32(partition), key.baseAddress, key.count, data.baseAddress, data.count, headers,
          UnsafeMutableRawPointer(bitPattern: UInt(token)))
      }
    }
    guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
    rd_kafka_headers_destroy(headers)
    throw KafkaError(code)
  }

  func room() async {
    await withCheckedContinuation { continuation in
      let hasRoom = state.withLock { state in
        guard let handle = state.handle, !state.hasEnded else { return true }
        // Half empty: a crowd that waits isn't let in one by one.
        if rd_kafka_outq_len(handle.client) < 50_000, state.roomWaiters.isEmpty, state.problem == nil { return true }
        state.roomWaiters.append(continuation)
        return false
      }
      if hasRoom { continuation.resume() }
    }
  }

  func prepare(_ topics: [String]) {
    guard !topics.isEmpty, let handle = state.withLock({ $0.handle }) else { return }
    // Asking blocks, so it has a thread of its own.
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
    while let (handle, flushUntil) = state.withLock({ state in state.handle.map { ($0, state.flushUntil) } }) {
      if let fatal = state.withLock({ $0.fatal }), flushUntil == nil {
        renew(handle, because: fatal)
      } else if let flushUntil {
        let isOver = ContinuousClock.now >= flushUntil
        if isOver { rd_kafka_purge(handle.client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT) }
        serve(handle, for: isOver ? 0 : 20)
        if rd_kafka_outq_len(handle.client) == 0 {
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
    guard let event = rd_kafka_queue_poll(handle.queue, milliseconds) else {
      // Who waits for room is woken by what leaves; should nothing leave any more, by time.
      letIn()
      return false
    }
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
        if error.isFatal { state.fatal = error }
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
        // Reports come by the thousand, of few topics.
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
    letIn()
  }

  private func letIn() {
    let woken = state.withLock { state in
      defer { state.roomWaiters = [] }
      return state.roomWaiters
    }
    for waiter in woken { waiter.resume() }
  }

  /// A client that broke for good is of no use any more; what it was given fails first.
  private func renew(_ broken: KafkaHandle, because error: KafkaError) {
    let fresh: KafkaHandle
    do {
      fresh = try KafkaHandle(.producer, cluster, name: name, settings: settings)
    } catch {
      // It takes threads and memory; they may be there in a moment.
      log.error("The Kafka client can't be made anew; trying again", ("client", name), ("error", error.message))
      serve(broken, for: 1_000)
      return
    }
    log.warning("The Kafka client broke and was made anew", ("client", name), ("error", error.message))
    state.withLock { state in
      state.handle = fresh
      state.fatal = nil
    }
    // Again and again: somebody may have been about to give it a message.
    repeat {
      rd_kafka_purge(broken.client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
      serve(broken, for: 20)
    } while rd_kafka_outq_len(broken.client) > 0
  }

  // MARK: Ending

  func close(flushWithin time: Duration) {
    state.withLock { state in
      state.flushUntil = min(state.flushUntil ?? .now + time, .now + time)
    }
  }

  func closed() async {
    await withCheckedContinuation { continuation in
      let hasEnded = state.withLock { state in
        if !state.hasEnded { state.endWaiters.append(continuation) }
        return state.hasEnded
      }
      if hasEnded { continuation.resume() }
    }
  }

  /// - Returns: what is signalled when the client is gone.
  private func letGo() -> DispatchSemaphore? {
    let handle = state.withLock { $0.handle.take() }
    return handle?.destroyed
  }

  private func end() {
    // 1. The client goes first: who is told that this has ended may end the process.
    _ = letGo()?.wait(timeout: .now() + .seconds(2))
    // 2. Nobody waits any more.
    let (waiting, room, ended) = state.withLock { state in
      state.hasEnded = true
      defer { (state.waiting, state.roomWaiters, state.endWaiters) = ([:], [], []) }
      return (Array(state.waiting.values), state.roomWaiters, state.endWaiters)
    }
    for answer in waiting { answer.resume(returning: .failure(.closed)) }
    for waiter in room + ended { waiter.resume() }
  }
}

extension KafkaRecord {
  /// Hands the message to a client; the client copies it.
  fileprivate func produce(on client: OpaquePointer, token: UInt64) -> rd_kafka_resp_err_t {
    var made: OpaquePointer?
    if !headers.isEmpty {
      let list: OpaquePointer = rd_kafka_headers_new(headers.count)
      for header in headers {
        _ = header.value.withUnsafeBytes { value in
          rd_kafka_header_add(list, header.name, -1, value.baseAddress, value.count)
        }
      }
      made = list
    }
    let code = Self.bytes(key) { key, keyLength in
      Self.bytes(value) { value, valueLength in
        tracseq_kafka_produce(
          client, topic, partition.map(Int32.init) ?? -1, key, keyLength, value, valueLength, made,
          UnsafeMutableRawPointer(bitPattern: UInt(token)))
      }
    }
    if code != RD_KAFKA_RESP_ERR_NO_ERROR, let made { rd_kafka_headers_destroy(made) }
    return code
  }

  /// Nil is no pointer; nothing is a pointer to nothing.
  private static func bytes<Value>(_ bytes: [UInt8]?, _ body: (UnsafeRawPointer?, Int) -> Value) -> Value {
    guard let bytes else { return body(nil, 0) }
    if bytes.isEmpty { return withUnsafeBytes(of: UInt8(0)) { body($0.baseAddress, 0) } }
    return bytes.withUnsafeBytes { body($0.baseAddress, $0.count) }
  }
}
