import CKafka
import Foundation
import Runtime
import Synchronization

/// The thread of a consumer: takes messages off librdkafka, gives and takes partitions, commits.
final class ConsumerLoop: Sendable {
  private typealias Partition = ConsumerBoard.Partition
  private struct State {
    var isStopping = false
    var hasEnded = false
    var waiting: CheckedContinuation<Void, Never>?
  }

  private static let commitEvery = Duration.milliseconds(200)

  private let handle: KafkaHandle
  private let configuration: KafkaConsumer.Configuration
  private let board: ConsumerBoard
  private let starting: AsyncStream<ConsumerBoard.Started>.Continuation
  private let log: Log
  private let state = Mutex(State())

  init(
    _ configuration: KafkaConsumer.Configuration, board: ConsumerBoard,
    starting: AsyncStream<ConsumerBoard.Started>.Continuation, log: Log
  ) throws(KafkaError) {
    self.configuration = configuration
    self.board = board
    self.starting = starting
    self.log = log
    handle = try KafkaHandle(
      .consumer, configuration.cluster, name: configuration.group,
      settings: [
        ("group.id", configuration.group), ("enable.auto.commit", "false"), ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "earliest"), ("partition.assignment.strategy", "cooperative-sticky"),
        ("session.timeout.ms", "\(Int(configuration.sessionTimeout / .milliseconds(1)))"),
        ("heartbeat.interval.ms", "\(max(100, Int(configuration.sessionTimeout / .milliseconds(1)) / 6))"),
        ("queued.max.messages.kbytes", "16384"), ("fetch.wait.max.ms", "100"),
      ])
    board.begin(starting)
  }

  /// Returns when the thread has ended.
  func run() async {
    await withCheckedContinuation { continuation in
      state.withLock { $0.waiting = continuation }
      let thread = Thread { self.work() }
      thread.name = "kafka \(configuration.group)"
      thread.start()
    }
  }

  func stop() { state.withLock { $0.isStopping = true } }

  private func work() {
    subscribe()
    var nextCommit = ContinuousClock.now + Self.commitEvery
    while !state.withLock({ $0.isStopping }) {
      serve(for: 50)
      pauseAndResume()
      if ContinuousClock.now >= nextCommit {
        commit(waiting: false)
        noteEnds()
        nextCommit = .now + Self.commitEvery
      }
    }
    // 1. Nothing new begins, and what is under way ends. 2. Its offsets. 3. The group is told.
    drain(nil)
    commit(waiting: true)
    leave()
    starting.finish()
    state.withLock { state in
      state.hasEnded = true
      defer { state.waiting = nil }
      return state.waiting
    }?.resume()
  }

  private func subscribe() {
    let list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t> = rd_kafka_topic_partition_list_new(
      Int32(configuration.topics.count))
    defer { rd_kafka_topic_partition_list_destroy(list) }
    for topic in configuration.topics { rd_kafka_topic_partition_list_add(list, topic, -1) }
    let code = rd_kafka_subscribe(handle.client, list)
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { board.note(broker: KafkaError(code).message) }
  }

  @discardableResult
  private func serve(for milliseconds: Int32) -> Bool {
    guard let event = rd_kafka_queue_poll(handle.queue, milliseconds) else { return false }
    defer { rd_kafka_event_destroy(event) }
    switch rd_kafka_event_type(event) {
    case RD_KAFKA_EVENT_FETCH:
      while let message = rd_kafka_event_message_next(event) { take(message) }
    case RD_KAFKA_EVENT_REBALANCE: rebalance(event)
    case RD_KAFKA_EVENT_LOG: KafkaNews.log(event, to: log)
    case RD_KAFKA_EVENT_ERROR: board.note(broker: KafkaNews.error(event, of: handle.client).message)
    case RD_KAFKA_EVENT_STATS:
      // A topic that nothing comes to would never tell that its brokers are back.
      if let text = rd_kafka_event_stats(event), let read = KafkaStatistics(String(cString: text)), read.brokersUp > 0,
        read.brokersLost == 0
      {
        board.note(broker: nil)
      }
    case RD_KAFKA_EVENT_OFFSET_COMMIT:
      let code = rd_kafka_event_error(event)
      if code != RD_KAFKA_RESP_ERR_NO_ERROR, code != RD_KAFKA_RESP_ERR__NO_OFFSET {
        log.warning("Offsets could not be committed; they are again", ("error", KafkaError(code).message))
        board.commitFailed(Self.partitions(rd_kafka_event_topic_partition_list(event)))
      }
    default: break
    }
    return true
  }

  private func take(_ message: UnsafePointer<rd_kafka_message_t>) {
    guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
      if message.pointee.err != RD_KAFKA_RESP_ERR__PARTITION_EOF {
        board.note(broker: KafkaError(message.pointee.err).message)
      }
      return
    }
    board.note(broker: nil)
    board.came(KafkaMessage(message))
  }

  // MARK: Partitions come and go

  private func rebalance(_ event: OpaquePointer) {
    let list = rd_kafka_event_topic_partition_list(event)
    let partitions = Self.partitions(list)
    let error: OpaquePointer?
    if rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
      board.assigned(partitions)
      error = rd_kafka_incremental_assign(handle.client, list)
    } else {
      // Somebody else may have them already when they were lost; then there is nothing to commit.
      if rd_kafka_assignment_lost(handle.client) == 0 {
        // A consumer that stops has waited for its handlers already.
        if !state.withLock({ $0.isStopping }) { drain(partitions) }
        commit(waiting: true)
      }
      board.removed(partitions)
      error = rd_kafka_incremental_unassign(handle.client, list)
    }
    if let error {
      log.warning("Partitions could not be taken or given", ("error", KafkaError(rd_kafka_error_code(error)).message))
      rd_kafka_error_destroy(error)
    }
  }

  private func drain(_ partitions: [Partition]?) {
    board.closing(partitions)
    let deadline = ContinuousClock.now + configuration.drainTime
    while !board.areIdle(partitions), ContinuousClock.now < deadline {
      _ = board.ended.wait(timeout: .now() + .milliseconds(20))
    }
  }

  private func leave() {
    if let error = rd_kafka_consumer_close_queue(handle.client, handle.queue) {
      rd_kafka_error_destroy(error)
      return
    }
    let deadline = ContinuousClock.now + configuration.drainTime
    while rd_kafka_consumer_closed(handle.client) == 0, ContinuousClock.now < deadline { serve(for: 20) }
  }

  // MARK: Offsets

  private func commit(waiting: Bool) {
    let commits = board.takeCommits()
    guard !commits.isEmpty else { return }
    let list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t> = rd_kafka_topic_partition_list_new(
      Int32(commits.count))
    defer { rd_kafka_topic_partition_list_destroy(list) }
    for (partition, offset) in commits {
      rd_kafka_topic_partition_list_add(list, partition.topic, Int32(partition.number)).pointee.offset = offset
    }
    let code = rd_kafka_commit(handle.client, list, waiting ? 0 : 1)
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { board.commitFailed(commits.map(\.0)) }
  }

  private func pauseAndResume() {
    let (pause, resume) = board.takePauses()
    Self.each(pause) { rd_kafka_pause_partitions(handle.client, $0) }
    Self.each(resume) { rd_kafka_resume_partitions(handle.client, $0) }
  }

  private func noteEnds() {
    for partition in board.partitions {
      var (low, high): (Int64, Int64) = (0, 0)
      let code = rd_kafka_get_watermark_offsets(
        handle.client, partition.topic, Int32(partition.number), &low, &high)
      if code == RD_KAFKA_RESP_ERR_NO_ERROR, high >= 0 { board.note(end: high, of: partition) }
    }
  }

  private static func each(
    _ partitions: [Partition],
    _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> rd_kafka_resp_err_t
  ) {
    guard !partitions.isEmpty else { return }
    let list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t> = rd_kafka_topic_partition_list_new(
      Int32(partitions.count))
    defer { rd_kafka_topic_partition_list_destroy(list) }
    for partition in partitions {
      rd_kafka_topic_partition_list_add(list, partition.topic, Int32(partition.number))
    }
    // A partition that was taken away a moment ago has nothing to pause.
    _ = body(list)
  }

  private static func partitions(_ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) -> [Partition] {
    guard let list = list?.pointee else { return [] }
    return (0..<Int(list.cnt)).map { index in
      Partition(topic: String(cString: list.elems[index].topic), number: Int(list.elems[index].partition))
    }
  }
}

extension KafkaMessage {
  /// Copies a message out of librdkafka's memory.
  init(_ message: UnsafePointer<rd_kafka_message_t>) {
    func bytes(_ pointer: UnsafeMutableRawPointer?, _ count: Int) -> [UInt8]? {
      pointer.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: count)) }
    }
    var headers: [KafkaHeader] = []
    var list: OpaquePointer?
    if rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list {
      var index = 0
      var (name, value, size): (UnsafePointer<CChar>?, UnsafeRawPointer?, Int) = (nil, nil, 0)
      while rd_kafka_header_get_all(list, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR, let named = name {
        headers.append(
          KafkaHeader(
            String(cString: named), value.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: size)) } ?? []))
        index += 1
      }
    }
    var kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
    let moment = rd_kafka_message_timestamp(message, &kind)
    let one = message.pointee
    self.init(
      topic: one.rkt.map { String(cString: rd_kafka_topic_name($0)) } ?? "", partition: Int(one.partition),
      offset: one.offset, key: bytes(one.key, one.key_len), value: bytes(one.payload, one.len), headers: headers,
      timestamp: kind == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || moment < 0 ? nil : Timestamp(milliseconds: moment))
  }
}
