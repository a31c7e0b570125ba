import CKafka
import Dispatch
import Runtime
import Values

/// The work of a consumer's thread: it takes messages from librdkafka, takes and gives up partitions, and commits offsets.
final class ConsumerThread {
  private typealias Partition = ConsumerAssignment.Partition

  private static let commitEvery = Duration.milliseconds(200)
  private static let askForEndsEvery = Duration.seconds(1)
  /// The longest wait for the broker's answer to a last commit, and to leaving the group. librdkafka itself waits without
  /// end for a silent broker. A message whose offset is not committed comes again. The group notices after the session
  /// timeout that a member has gone.
  private static let patience = Duration.seconds(3)

  private let handle: KafkaHandle
  private let configuration: KafkaConsumer.Configuration
  private let assignment: ConsumerAssignment
  private let log: Log
  private let endReader: PartitionEndReader
  private var nextEnds = ContinuousClock.now
  private var isLeaving = false
  /// The error that broke the client for good.
  private var fatal: KafkaError?

  init(
    _ handle: KafkaHandle, _ configuration: KafkaConsumer.Configuration, _ assignment: ConsumerAssignment, _ log: Log
  ) {
    self.handle = handle
    self.configuration = configuration
    self.assignment = assignment
    self.log = log
    endReader = PartitionEndReader(handle, assignment)
  }

  /// Reads while `shouldContinue` returns true. Then it waits for running handlers, commits, and leaves the group.
  /// - Returns: the error that broke the client for good; nil when `shouldContinue` ended the work.
  func work(while shouldContinue: () -> Bool) -> KafkaError? {
    subscribe()
    var nextCommit = ContinuousClock.now + Self.commitEvery
    while fatal == nil, shouldContinue() {
      serve(for: 50)
      pauseAndResume()
      if ContinuousClock.now >= nextCommit {
        commit()
        noteEnds()
        nextCommit = .now + Self.commitEvery
      }
    }
    // 1. No new handler begins, and the running handlers end. 2. Commit their offsets. 3. Leave the group.
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
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { assignment.note(broker: KafkaError(code).message) }
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
      assignment.note(broker: error.message)
      if error.isFatal { fatal = error }
    case RD_KAFKA_EVENT_STATS:
      // Without messages, only the statistics show that the brokers are back.
      if let text = rd_kafka_event_stats(event), let read = KafkaStatistics(String(cString: text)), read.brokersUp > 0,
        read.brokersLost == 0
      {
        assignment.note(broker: nil)
      }
    case RD_KAFKA_EVENT_OFFSET_COMMIT:
      let code = rd_kafka_event_error(event)
      if code != RD_KAFKA_RESP_ERR_NO_ERROR, code != RD_KAFKA_RESP_ERR__NO_OFFSET {
        log.warning("Could not commit offsets; will retry", ("error", KafkaError(code).message))
        assignment.commitFailed(Self.partitions(rd_kafka_event_topic_partition_list(event)))
      }
    default: break
    }
    return true
  }

  private func take(_ message: UnsafePointer<rd_kafka_message_t>) {
    guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
      if message.pointee.err != RD_KAFKA_RESP_ERR__PARTITION_EOF {
        assignment.note(broker: KafkaError(message.pointee.err).message)
      }
      return
    }
    assignment.note(broker: nil)
    assignment.receive(KafkaMessage(message))
  }

  // MARK: Taking and giving up partitions

  private func rebalance(_ event: OpaquePointer) {
    let list = rd_kafka_event_topic_partition_list(event)
    let partitions = Self.partitions(list)
    let error: OpaquePointer?
    if rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
      handle.wasAssigned()
      assignment.add(partitions)
      error = rd_kafka_incremental_assign(handle.client, list)
    } else {
      // Another member may already have partitions that were lost; then there is nothing to commit.
      if rd_kafka_assignment_lost(handle.client) == 0 {
        // A consumer that leaves has waited for its handlers already.
        if !isLeaving { drain(partitions) }
        commitAndWait()
      }
      // librdkafka keeps a partition paused after it is given up. If it came back, it would never be read again.
      Self.each(assignment.remove(partitions)) { rd_kafka_resume_partitions(handle.client, $0) }
      error = rd_kafka_incremental_unassign(handle.client, list)
    }
    if let error {
      log.warning(
        "Could not take or give up partitions", ("error", KafkaError(rd_kafka_error_code(error)).message))
      rd_kafka_error_destroy(error)
    }
  }

  private func drain(_ partitions: [Partition]?) {
    assignment.close(partitions)
    let deadline = ContinuousClock.now + configuration.drainTime
    while !assignment.areIdle(partitions), ContinuousClock.now < deadline {
      _ = assignment.ended.wait(timeout: .now() + .milliseconds(20))
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

  /// Commits without waiting; the outcome comes as an event.
  private func commit() {
    let commits = assignment.takeCommits()
    guard !commits.isEmpty else { return }
    let list = Self.list(of: commits)
    defer { rd_kafka_topic_partition_list_destroy(list) }
    let code = rd_kafka_commit(handle.client, list, 1)
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { assignment.commitFailed(commits.map(\.0)) }
  }

  /// Commits, and waits at most `patience` for the outcome.
  private func commitAndWait() {
    let commits = assignment.takeCommits(all: true)
    guard !commits.isEmpty else { return }
    let list = Self.list(of: commits)
    defer { rd_kafka_topic_partition_list_destroy(list) }
    let answers: OpaquePointer = rd_kafka_queue_new(handle.client)
    defer { rd_kafka_queue_destroy(answers) }
    var code = rd_kafka_commit_queue(handle.client, list, answers, nil, nil)
    if code == RD_KAFKA_RESP_ERR_NO_ERROR {
      if let event = rd_kafka_queue_poll(answers, Int32(clamping: Self.patience.wholeMilliseconds)) {
        code = rd_kafka_event_error(event)
        rd_kafka_event_destroy(event)
      } else {
        code = RD_KAFKA_RESP_ERR__TIMED_OUT
      }
    }
    guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
    assignment.commitFailed(commits.map(\.0))
    log.warning(
      "Could not commit offsets; messages handled since the last commit will come again",
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
    let (pause, resume) = assignment.takePauses()
    Self.each(pause) { rd_kafka_pause_partitions(handle.client, $0) }
    Self.each(resume) { rd_kafka_resume_partitions(handle.client, $0) }
  }

  /// Notes the ends of the partitions. librdkafka learns a partition's end from fetches. A paused partition is not fetched,
  /// so its end is requested from the broker.
  private func noteEnds() {
    let (fetched, paused) = assignment.partitionsByPause
    for partition in fetched {
      var (low, high): (Int64, Int64) = (0, 0)
      let code = rd_kafka_get_watermark_offsets(
        handle.client, partition.topic, Int32(partition.number), &low, &high)
      if code == RD_KAFKA_RESP_ERR_NO_ERROR, high >= 0 { assignment.note(end: high, of: partition) }
    }
    guard !paused.isEmpty, ContinuousClock.now >= nextEnds else { return }
    nextEnds = .now + Self.askForEndsEvery
    endReader.read(paused)
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
    // A partition that was just taken away can't be paused.
    _ = body(list)
  }

  private static func partitions(_ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) -> [Partition] {
    guard let list = list?.pointee else { return [] }
    return (0..<Int(list.cnt)).map { index in
      Partition(topic: String(cString: list.elems[index].topic), number: Int(list.elems[index].partition))
    }
  }
}
