import CKafka
import Dispatch
import Runtime
import Values

/// What a consumer's thread does: takes messages off librdkafka, gives and takes partitions, commits.
final class ConsumerThread {
  private typealias Partition = ConsumerBoard.Partition

  private static let commitEvery = Duration.milliseconds(200)
  /// How long the broker may take for its word on a last commit, and on leaving: librdkafka itself waits without end for
  /// one that is silent. What isn't committed comes again, and a member that is gone is missed in time.
  private static let patience = Duration.seconds(3)

  private let handle: KafkaHandle
  private let configuration: KafkaConsumer.Configuration
  private let board: ConsumerBoard
  private let log: Log
  private var isLeaving = false
  /// The client broke for good.
  private var fatal: KafkaError?

  init(_ handle: KafkaHandle, _ configuration: KafkaConsumer.Configuration, _ board: ConsumerBoard, _ log: Log) {
    self.handle = handle
    self.configuration = configuration
    self.board = board
    self.log = log
  }

  /// Works as long as it is told to go on; then lets what is under way end, commits, and leaves the group.
  /// - Returns: what broke the client for good, when that ended it.
  func work(while goesOn: () -> Bool) -> KafkaError? {
    subscribe()
    var nextCommit = ContinuousClock.now + Self.commitEvery
    while fatal == nil, goesOn() {
      serve(for: 50)
      pauseAndResume()
      if ContinuousClock.now >= nextCommit {
        commit()
        noteEnds()
        nextCommit = .now + Self.commitEvery
      }
    }
    // 1. Nothing new begins, and what is under way ends. 2. Its offsets. 3. The group is told.
    isLeaving = true
    drain(nil)
    commitAndWait()
    leave()
    return fatal
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
    case RD_KAFKA_EVENT_ERROR:
      let error = KafkaNews.error(event, of: handle.client)
      board.note(broker: error.message)
      if error.isFatal { fatal = error }
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
      handle.wasAssigned()
      board.assigned(partitions)
      error = rd_kafka_incremental_assign(handle.client, list)
    } else {
      // Somebody else may have them already when they were lost; then there is nothing to commit.
      if rd_kafka_assignment_lost(handle.client) == 0 {
        // A consumer that leaves has waited for its handlers already.
        if !isLeaving { drain(partitions) }
        commitAndWait()
      }
      // Paused, a partition would stay so, and stand still for ever should it come back.
      Self.each(board.removed(partitions)) { rd_kafka_resume_partitions(handle.client, $0) }
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
    let deadline = ContinuousClock.now + Self.patience
    while rd_kafka_consumer_closed(handle.client) == 0, ContinuousClock.now < deadline { serve(for: 20) }
  }

  // MARK: Offsets

  /// The outcome comes as an event.
  private func commit() {
    let commits = board.takeCommits()
    guard !commits.isEmpty else { return }
    let list = Self.list(of: commits)
    defer { rd_kafka_topic_partition_list_destroy(list) }
    let code = rd_kafka_commit(handle.client, list, 1)
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { board.commitFailed(commits.map(\.0)) }
  }

  /// Waits for the outcome, but not for ever.
  private func commitAndWait() {
    let commits = board.takeCommits()
    guard !commits.isEmpty else { return }
    let list = Self.list(of: commits)
    defer { rd_kafka_topic_partition_list_destroy(list) }
    let answers: OpaquePointer = rd_kafka_queue_new(handle.client)
    defer { rd_kafka_queue_destroy(answers) }
    var code = rd_kafka_commit_queue(handle.client, list, answers, nil, nil)
    if code == RD_KAFKA_RESP_ERR_NO_ERROR {
      if let event = rd_kafka_queue_poll(answers, Int32(Self.patience / .milliseconds(1))) {
        code = rd_kafka_event_error(event)
        rd_kafka_event_destroy(event)
      } else {
        code = RD_KAFKA_RESP_ERR__TIMED_OUT
      }
    }
    guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
    board.commitFailed(commits.map(\.0))
    log.warning(
      "Offsets could not be committed; what was handled since the last commit comes again",
      ("error", KafkaError(code).message))
  }

  private static func list(
    of offsets: [(Partition, Int64)]
  ) -> UnsafeMutablePointer<rd_kafka_topic_partition_list_t> {
    let list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t> = rd_kafka_topic_partition_list_new(
      Int32(offsets.count))
    for (partition, offset) in offsets {
      rd_kafka_topic_partition_list_add(list, partition.topic, Int32(partition.number)).pointee.offset = offset
    }
    return list
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
