import JSON
import Messaging
import Persistence
import Runtime
import Values

/// The echo's task and its state.
actor EchoWorker {
  private let store: any EventStore
  private let configuration: Echo.Configuration
  private let map: Echo.Map
  private let prepare: Echo.Prepare
  private let environment: Environment
  private let log: Log
  nonisolated let inbox = EchoInbox()
  private let producer: KafkaProducer
  /// Sends messages one by one: dead letters, and events that the broker may have refused.
  private let loneProducer: KafkaProducer
  private let deadLetters: DeadLetters

  private let checkpoints: FollowerCheckpoints
  private var shards: [EchoShard] = []
  private var partitions: [String: Int] = [:]
  private var frame: (@Sendable ([UInt8]) -> [UInt8])?
  private var isFull = false
  /// The number of the producer's client up to which all reports have been taken.
  private var client = 0
  /// The shard that sends first when there is room again.
  private var turn = 0
  private var deliveredCount: Int64 = 0
  private var deadLettered: Int64 = 0
  private var problems = EchoProblems()
  private var isPrepared = false
  private var preparing: Task<Void, Never>?
  /// Shards whose refused event is on its way to the dead letters.
  private var burying: Set<Int> = []

  init(
    store: any EventStore, configuration: Echo.Configuration, map: @escaping Echo.Map, prepare: @escaping Echo.Prepare,
    environment: Environment, log: Log, delivered: (@Sendable (Int, Int64) -> Void)?
  ) throws(KafkaError) {
    self.store = store
    self.configuration = configuration
    checkpoints = FollowerCheckpoints(of: configuration.follower, in: store)
    self.map = map
    self.prepare = prepare
    self.environment = environment
    self.log = log
    let reports: @Sendable ([KafkaProducer.Report]) -> Void = { [inbox] reports in
      if let delivered {
        for report in reports {
          if case .success = report.result {
            delivered(EchoToken.shard(report.token), EchoToken.position(report.token))
          }
        }
      }
      inbox.add(reports)
    }
    producer = try KafkaProducer(
      configuration.cluster, name: configuration.follower, stopsAtGaps: true, log: log, reports: reports)
    loneProducer = try KafkaProducer(
      configuration.cluster, name: "\(configuration.follower)-lone", lingering: .zero, oneByOne: true, log: log,
      reports: reports)
    deadLetters = DeadLetters(producer: loneProducer, topic: configuration.deadLetters.name, environment: environment)
  }

  func run() async throws {
    // 1. Open the feed before the heads are read, so that no commit in between is missed.
    let feed = store.committedEvents(limit: configuration.feedLimit)
    let result: Result<Void, any Error>
    do {
      try await begin()
      try await withThrowingDiscardingTaskGroup { group in
        group.addTask { [inbox] in for await _ in feed.wakes { inbox.wake() } }
        group.addTask { [inbox, environment, configuration] in
          // Wake the task for checkpoints and for the end of a backoff.
          let tick = max(.milliseconds(1), min(configuration.checkpointEvery, .milliseconds(200)))
          while true {
            do { try await environment.sleep(for: tick) } catch { return }
            inbox.wake()
          }
        }
        try await self.work(feed)
        group.cancelAll()
      }
      result = .success(())
    } catch {
      if !(error is CancellationError) { problems.note(error, of: .ending, at: environment.now()) }
      result = .failure(error)
    }
    // 2. Store the checkpoints, also after an error.
    inbox.end()
    await producer.close(flushWithin: .zero)
    await loneProducer.close(flushWithin: .zero)
    take(inbox.takeReports())
    preparing?.cancel()
    await keepCheckpoints()
    try result.get()
  }

  /// Reads the checkpoint and the head of every shard. Waits while the store is unavailable.
  private func begin() async throws {
    while true {
      do {
        try await checkpoints.load()
        var begun: [EchoShard] = []
        for shard in 0..<store.shardCount {
          let head = try await store.head(shard: shard)
          begun.append(EchoShard(shard: shard, checkpoint: checkpoints[shard], head: head))
        }
        shards = begun
        problems.clear(.store)
        return
      } catch {
        problems.note(error, of: .store, at: environment.now())
        guard error.kind == .unavailable, !inbox.isStopping else { throw error }
        log.warning("The echo can't read the store; will retry", ("error", error.message))
        try await environment.sleep(for: configuration.backoff.limit / 10)
      }
    }
  }

  private func work(_ feed: CommitFeed) async throws {
    beginPreparing()
    var nextCheckpoint = environment.now() + configuration.checkpointEvery
    var finishBy: Timestamp?
    for await _ in inbox.wakes {
      // Read the client's number before its reports, so that no event overtakes one that failed with an older client.
      client = producer.client
      take(inbox.takeReports())
      // Events that can't be sent now wait in the store.
      let limit = isPrepared && !isFull ? configuration.pageSize : 0
      for run in feed.take() where shards.indices.contains(run.shard) {
        shards[run.shard].commit(run, keeping: limit)
      }
      for asked in inbox.takeAsked() { await rewind(asked) }
      if isPrepared { try await pump() }
      if environment.now() >= nextCheckpoint {
        await keepCheckpoints()
        nextCheckpoint = environment.now() + configuration.checkpointEvery
      }
      if inbox.isStopping {
        if finishBy == nil {
          // Events committed up to now are still sent, if Kafka takes them within the finish time.
          for index in shards.indices {
            if let head = try? await store.head(shard: index) { shards[index].grew(to: head) }
          }
        }
        let until = finishBy ?? environment.now() + configuration.finishTime
        finishBy = until
        if shards.allSatisfy(\.isDone) || environment.now() >= until { return }
      }
    }
  }

  /// Looks up the topics and creates missing ones, until that succeeds. Nothing is sent before.
  private func beginPreparing() {
    guard preparing == nil else { return }
    isPrepared = false
    preparing = Task {
      await self.prepareUntilDone()
      self.preparing = nil
    }
  }

  private func prepareUntilDone() async {
    var failures = 0
    var maker: KafkaTopics?
    while !Task.isCancelled {
      do {
        let topics = try maker ?? KafkaTopics(configuration.cluster)
        maker = topics
        let found = try await topics.ensure(configuration.topics + [configuration.deadLetters])
        frame = try await prepare()
        partitions = found.mapValues(\.partitions)
        isPrepared = true
        problems.clear(.preparing)
        inbox.wake()
        return
      } catch {
        problems.note(error, of: .preparing, at: environment.now())
        log.warning("The echo can't begin; will retry", ("error", "\(error)"))
        failures += 1
        let retryAt = environment.now() + configuration.backoff.pause(after: failures)
        do { try await environment.clock.sleep(until: retryAt) } catch { return }
      }
    }
  }

  // MARK: Sending

  /// Sends one page of each shard that is behind, so that no shard waits until another has caught up.
  private func pump() async throws {
    if isFull { return }
    var isHungry = false
    let first = turn
    for index in shards.indices.map({ (first + $0) % shards.count }) {
      if let notBefore = shards[index].notBefore {
        guard environment.now() >= notBefore else { continue }
        shards[index].notBefore = nil
      }
      send(index)
      if shards[index].refusedEvent != nil { bury(index) }
      if !isFull, shards[index].needsTail { isHungry = try await read(index) || isHungry }
      if isFull {
        turn = index
        return
      }
    }
    if isHungry { inbox.wake() }
  }

  private func send(_ index: Int) {
    while let event = shards[index].nextToSend() {
      do {
        guard let echoed = try echoed(event) else {
          shards[index].didSkip()
          continue
        }
        let token = EchoToken.make(shard: index, epoch: shards[index].epoch, position: event.position)
        let partition = partition(of: event, in: echoed.topic)
        if shards[index].suspects.contains(event.position) {
          try loneProducer.enqueue(
            echoed.event, topic: echoed.topic, key: echoed.key, partition: partition, token: token)
        } else {
          try producer.enqueue(
            echoed.event, topic: echoed.topic, key: echoed.key, partition: partition, token: token, client: client)
        }
        shards[index].didSend()
      } catch let error as KafkaError {
        if error.code == MessagingErrorCode.queueFull, !shards[index].suspects.contains(event.position) {
          waitForRoom()
        } else if error.refusesTheMessage {
          shards[index].didRefuse(error)
        } else {
          note(error, at: index)
          shards[index].notBefore = environment.now() + configuration.backoff.first
        }
        return
      } catch {
        // An event without a published form becomes a dead letter too, so that it blocks no later event and is not lost.
        shards[index].didRefuse(
          KafkaError(code: MessagingErrorCode.messageMalformed, message: "The event can't be published: \(error)"))
        return
      }
    }
  }

  private func echoed(_ stored: StoredEvent) throws -> EchoedEvent? {
    guard var echoed = try map(stored) else { return nil }
    if let frame, echoed.isFramed { echoed.event.data = frame(echoed.event.data) }
    return echoed
  }

  /// A shard's events stay in order because they stay in one partition.
  private func partition(of stored: StoredEvent, in topic: String) -> Int {
    stored.shard % max(1, partitions[topic] ?? 1)
  }

  private func waitForRoom() {
    isFull = true
    Task {
      await producer.room()
      self.hasRoom()
    }
  }

  private func hasRoom() {
    isFull = false
    inbox.wake()
  }

  /// - Returns: whether the read gave any events.
  private func read(_ index: Int) async throws -> Bool {
    let from = shards[index].next - 1
    let events: [StoredEvent]
    do {
      events = try await store.tail(shard: index, after: from, limit: configuration.pageSize)
      problems.clear(.store)
    } catch {
      if error.kind == .closed { throw error }
      if problems.note(error, of: .store, at: environment.now()) {
        log.warning("The echo can't read the store; will retry", ("error", error.message))
      }
      shards[index].notBefore = environment.now() + configuration.backoff.first
      return false
    }
    shards[index].read(events, limit: configuration.pageSize)
    send(index)
    return !events.isEmpty
  }

  /// Sends the refused event to the dead letters in a task of its own, because that takes as long as Kafka is unavailable.
  private func bury(_ index: Int) {
    guard let event = shards[index].refusedEvent, let error = shards[index].refused?.error,
      burying.insert(index).inserted
    else { return }
    // The event in its published form; as it is stored when it has none.
    let published = (try? echoed(event)) ?? nil
    let record =
      published.map { $0.event.record(topic: $0.topic, key: $0.key, partition: partition(of: event, in: $0.topic)) }
      ?? KafkaRecord(topic: "", key: Array(event.stream.description.utf8), value: event.data)
    let origin = [
      KafkaHeader("dl_stream", event.stream.description), KafkaHeader("dl_version", "\(event.version)"),
      KafkaHeader("dl_shard", "\(event.shard)"), KafkaHeader("dl_position", "\(event.position)"),
    ]
    Task { [deadLetters] in
      do {
        try await deadLetters.bury(record, origin: origin, code: error.code, reason: error.message, attempts: 1)
        self.buried(event, because: error)
      } catch {
        self.notBuried(event, error)
      }
    }
  }

  private func buried(_ event: StoredEvent, because error: KafkaError) {
    burying.remove(event.shard)
    log.error(
      "Kafka refuses an event for good; moved it to the dead letters", ("stream", "\(event.stream)"),
      ("version", "\(event.version)"), ("error", error.message))
    deadLettered += 1
    problems.clear(.shard(event.shard))
    shards[event.shard].didBury(event.position)
    inbox.wake()
  }

  private func notBuried(_ event: StoredEvent, _ error: any Error) {
    burying.remove(event.shard)
    note(error, at: event.shard)
    shards[event.shard].notBefore = environment.now() + configuration.backoff.first
  }

  // MARK: Reports

  private func take(_ reports: [KafkaProducer.Report]) {
    for report in reports {
      let index = EchoToken.shard(report.token)
      guard shards.indices.contains(index) else { continue }
      let position = EchoToken.position(report.token)
      let epoch = EchoToken.epoch(report.token, near: shards[index].epoch)
      switch report.result {
      case .success:
        shards[index].report(position, epoch: epoch, nil)
        deliveredCount += 1
        problems.clear(.shard(index))
      case .failure(let error):
        shards[index].report(position, epoch: epoch, error)
        if !error.refusesTheMessage { note(error, at: index) }
        // The topic may have been created again, perhaps with fewer partitions, or it must be created.
        if error.code == MessagingErrorCode.topicUnknown { beginPreparing() }
        shards[index].notBefore = environment.now() + configuration.backoff.pause(after: shards[index].failures)
      }
    }
  }

  private func keepCheckpoints() async {
    do {
      try await checkpoints.move(to: Dictionary(uniqueKeysWithValues: shards.map { ($0.shard, $0.delivered) }))
    } catch {
      log.warning("The echo could not save its checkpoints; will retry", ("error", error.message))
    }
  }

  // MARK: Rewind

  private func rewind(_ asked: EchoInbox.Asked) async {
    var hasWritten = false
    do {
      let wanted = asked.rewind
      if let shard = wanted.shard, !shards.indices.contains(shard) {
        throw EchoRefusal("The shard \(shard) does not exist. The shards are 0 to \(shards.count - 1).")
      }
      guard wanted.position >= 0 else { throw EchoRefusal("A position must be 0 or more.") }
      let chosen = wanted.shard.map { [$0] } ?? Array(shards.indices)
      if let shard = wanted.shard, wanted.position > shards[shard].delivered {
        throw EchoRefusal("Shard \(shard) has been sent up to \(shards[shard].delivered), not to \(wanted.position).")
      }
      var count: Int64 = 0
      for index in chosen where wanted.position < shards[index].delivered {
        try await record(wanted, at: index)
        hasWritten = true
        try await checkpoints.move(to: [index: wanted.position])
        count += shards[index].delivered - wanted.position
        shards[index].rewind(to: wanted.position)
      }
      asked.answer.give(.success(count))
      inbox.wake()
    } catch let error as StoreError where hasWritten {
      // Some shards will be sent again, or their rewind is recorded, so the answer must not say that nothing happened.
      asked.answer.give(.failure(StoreError.outcomeUnknown(error.description)))
    } catch {
      asked.answer.give(.failure(error))
    }
  }

  /// Records the rewind as an event, with the person and the reason, before it is done.
  private func record(_ wanted: EchoRewind, at shard: Int) async throws {
    var stream = environment.newID()
    while store.shard(of: stream) != shard { stream = environment.newID() }
    var data: JSONObject = [
      "at": .string(environment.now().description), "shard": .int(shard), "to": .int(Int(wanted.position)),
      "from": .int(Int(shards[shard].delivered)), "by": .string(wanted.by), "reason": .string(wanted.reason),
    ]
    data["way"] = wanted.from.map(JSON.string)
    let event = NewEvent(type: Echo.rewoundType, data: JSON.object(data).bytes(), meta: Array(#"{"schema":1}"#.utf8))
    _ = try await store.append(
      Append(stream: stream, expectedVersion: 0, events: [event], appendID: environment.newID()))
  }

  // MARK: Status

  private func note(_ error: any Error, at shard: Int) {
    problems.note(error, of: .shard(shard), at: environment.now())
  }

  /// The number of buffered events that the producer does not have yet.
  var countBuffered: Int { shards.reduce(0) { $0 + $1.countBuffered } }

  func status() async -> EchoStatus {
    let now = environment.now()
    var oldest: Timestamp?
    var shown: [EchoStatus.Shard] = []
    // When the store can't be read, the lag is unknown; the status must not look current then.
    var isUncertain = false
    for index in shards.indices {
      // The store knows the head when the buffer does not reach it.
      var head = shards[index].head
      if shards[index].hasMore {
        if let known = try? await store.head(shard: index) { head = max(known, head) } else { isUncertain = true }
      }
      let delivered = shards[index].delivered
      shown.append(
        EchoStatus.Shard(shard: index, head: head, delivered: delivered, checkpoint: checkpoints[index]))
      guard head > delivered else { continue }
      var recordedAt = shards[index].oldest
      if recordedAt == nil {
        recordedAt = try? await store.tail(shard: index, after: delivered, limit: 1).first?.recordedAt
      }
      if let recordedAt { oldest = min(oldest ?? recordedAt, recordedAt) }
    }
    let lagEvents = shown.reduce(0) { $0 + max(0, $1.head - $1.delivered) }
    let lag = lagEvents == 0 ? .zero : max(.zero, oldest.map { now - $0 } ?? .zero)
    // An old error of the client is not a problem while there is nothing to send.
    let said =
      problems.of(.ending) ?? problems.of(.preparing)
      ?? (lagEvents == 0 && !isUncertain && !shown.isEmpty
        ? nil
        : problems.first
          ?? producer.problem.map {
            EchoStatus.Problem(code: $0.code, message: $0.message, since: oldest ?? now)
          })
    let state: EchoStatus.State = said != nil ? .held : lag > .seconds(2) ? .catchingUp : .current
    return EchoStatus(
      topic: configuration.topics.map(\.name).joined(separator: ", "), state: state, lagEvents: lagEvents, lag: lag,
      problem: said, delivered: deliveredCount, deadLettered: deadLettered, shards: shown,
      client: producer.statistics)
  }
}
