import JSON
import Messaging
import Persistence
import Runtime
import Values

/// The echo's one task, and what it knows.
actor EchoWorker {
  private let store: any EventStore
  private let configuration: Echo.Configuration
  private let map: Echo.Map
  private let prepare: Echo.Prepare
  private let environment: Environment
  private let log: Log
  nonisolated let inbox = EchoInbox()
  private let producer: KafkaProducer
  /// Sends what goes out alone: letters, and events that may be the one that the broker refused.
  private let loneProducer: KafkaProducer
  private let letters: DeadLetters

  private var shards: [EchoShard] = []
  private var partitions: [String: Int] = [:]
  private var frame: (@Sendable ([UInt8]) -> [UInt8])?
  private var isFull = false
  /// The producer's client of which all reports have been taken.
  private var client = 0
  /// The shard that comes first when there is room again.
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
    letters = DeadLetters(producer: loneProducer, topic: configuration.deadLetters.name, environment: environment)
  }

  func run() async throws {
    // 1. The feed first, then where everything stands: what is committed in between is seen by either.
    let feed = store.committedEvents(limit: configuration.feedLimit)
    let result: Result<Void, any Error>
    do {
      try await begin()
      try await withThrowingDiscardingTaskGroup { group in
        group.addTask { [inbox] in for await _ in feed.wakes { inbox.wake() } }
        group.addTask { [inbox, environment, configuration] in
          // Checkpoints and pauses are looked at by time.
          let tick = max(.milliseconds(1), min(configuration.checkpointEvery, .milliseconds(200)))
          while true {
            do { try await environment.clock.sleep(until: environment.now() + tick) } catch { return }
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
    // 2. Whatever happened, how far it came is kept.
    inbox.end()
    await producer.close(flushWithin: .zero)
    await loneProducer.close(flushWithin: .zero)
    take(inbox.takeReports())
    preparing?.cancel()
    await keepCheckpoints()
    try result.get()
  }

  /// Reads where every shard stands; a store that is out of reach for a moment is waited for.
  private func begin() async throws {
    while true {
      do {
        var begun: [EchoShard] = []
        for shard in 0..<store.shardCount {
          let checkpoint = try await store.checkpoint(configuration.follower, shard: shard)
          begun.append(EchoShard(shard: shard, checkpoint: checkpoint, head: try await store.head(shard: shard)))
        }
        shards = begun
        problems.clear(.store)
        return
      } catch {
        problems.note(error, of: .store, at: environment.now())
        guard error.kind == .unavailable, !inbox.isStopping else { throw error }
        log.warning("The echo can't read the store; trying again", ("error", error.message))
        try await environment.clock.sleep(until: environment.now() + configuration.backoff.limit / 10)
      }
    }
  }

  private func work(_ feed: CommitFeed) async throws {
    beginPreparing()
    var nextCheckpoint = environment.now() + configuration.checkpointEvery
    var finishBy: Timestamp?
    for await _ in inbox.wakes {
      // Which client comes before its reports: what failed with an older one is known before anything goes past it.
      client = producer.client
      take(inbox.takeReports())
      // What can't go out now waits in the store, not here.
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
          // What was committed up to here is still told, if Kafka takes it soon.
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

  /// Looks topics up and makes them, until that is done; nothing is sent before.
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
        log.warning("The echo can't begin yet", ("error", "\(error)"))
        failures += 1
        let retryAt = environment.now() + configuration.backoff.pause(after: failures)
        do { try await environment.clock.sleep(until: retryAt) } catch { return }
      }
    }
  }

  // MARK: Sending

  /// One page of each shard that is behind, so that none waits for another to catch up, and nothing else for all of them.
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
        // An event that can't be told is a dead letter too: it holds up nobody, and nothing is lost in silence.
        shards[index].didRefuse(
          KafkaError(code: MessagingErrorCode.messageMalformed, message: "The event can't be told: \(error)"))
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

  /// - Returns: whether there is something to send now.
  private func read(_ index: Int) async throws -> Bool {
    let from = shards[index].next - 1
    let events: [StoredEvent]
    do {
      events = try await store.tail(shard: index, after: from, limit: configuration.pageSize)
      problems.clear(.store)
    } catch {
      if error.kind == .closed { throw error }
      if problems.note(error, of: .store, at: environment.now()) {
        log.warning("The echo can't read the store; trying again", ("error", error.message))
      }
      shards[index].notBefore = environment.now() + configuration.backoff.first
      return false
    }
    shards[index].read(events, isEnd: events.count < configuration.pageSize)
    send(index)
    return !events.isEmpty
  }

  /// Beside the task: a letter may take as long as Kafka is out of reach.
  private func bury(_ index: Int) {
    guard let event = shards[index].refusedEvent, let error = shards[index].refused?.error,
      burying.insert(index).inserted
    else { return }
    // As it would have been sent; where even that can't be said, as it is stored.
    let told = (try? echoed(event)) ?? nil
    let record =
      told.map { $0.event.record(topic: $0.topic, key: $0.key, partition: partition(of: event, in: $0.topic)) }
      ?? KafkaRecord(topic: "", key: Array(event.stream.description.utf8), value: event.data)
    let origin = [
      KafkaHeader("dl_stream", event.stream.description), KafkaHeader("dl_version", "\(event.version)"),
      KafkaHeader("dl_shard", "\(event.shard)"), KafkaHeader("dl_position", "\(event.position)"),
    ]
    Task { [letters] in
      do {
        try await letters.bury(record, origin: origin, code: error.code, reason: error.message, attempts: 1)
        self.buried(event, because: error)
      } catch {
        self.notBuried(event, error)
      }
    }
  }

  private func buried(_ event: StoredEvent, because error: KafkaError) {
    burying.remove(event.shard)
    log.error(
      "Kafka refuses an event for good; it lies with the dead letters", ("stream", "\(event.stream)"),
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

  // MARK: What became of it

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
        // Somebody has made it anew, with fewer partitions perhaps, or it has to be.
        if error.code == MessagingErrorCode.topicUnknown { beginPreparing() }
        shards[index].notBefore = environment.now() + configuration.backoff.pause(after: shards[index].failures)
      }
    }
  }

  private func keepCheckpoints() async {
    let moves = shards.filter { $0.delivered != $0.checkpoint }.map {
      CheckpointMove(shard: $0.shard, from: $0.checkpoint, to: $0.delivered)
    }
    guard !moves.isEmpty else { return }
    do {
      try await store.move(configuration.follower, moves)
      for move in moves { shards[move.shard].checkpoint = move.to }
    } catch {
      // What was delivered comes again at worst; where the checkpoints stand is read anew.
      log.warning("The echo could not keep how far it came; it will", ("error", error.message))
      for move in moves {
        if let kept = try? await store.checkpoint(configuration.follower, shard: move.shard) {
          shards[move.shard].checkpoint = kept
        }
      }
    }
  }

  // MARK: Going back

  private func rewind(_ asked: EchoInbox.Asked) async {
    var hasWritten = false
    do {
      let wanted = asked.rewind
      if let shard = wanted.shard, !shards.indices.contains(shard) {
        throw EchoRefusal("There is no shard \(shard): they are 0 to \(shards.count - 1).")
      }
      guard wanted.position >= 0 else { throw EchoRefusal("A position is 0 or more.") }
      let chosen = wanted.shard.map { [$0] } ?? Array(shards.indices)
      if let shard = wanted.shard, wanted.position > shards[shard].delivered {
        throw EchoRefusal("Shard \(shard) has been sent up to \(shards[shard].delivered), not to \(wanted.position).")
      }
      var count: Int64 = 0
      for index in chosen where wanted.position < shards[index].delivered {
        try await record(wanted, at: index)
        hasWritten = true
        let move = CheckpointMove(shard: index, from: shards[index].checkpoint, to: wanted.position)
        try await store.move(configuration.follower, [move])
        count += shards[index].delivered - wanted.position
        shards[index].checkpoint = wanted.position
        shards[index].rewind(to: wanted.position)
      }
      asked.answer.give(.success(count))
      inbox.wake()
    } catch let error as StoreError where hasWritten {
      // Some shards are sent again, or it is recorded that they are: that is not nothing.
      asked.answer.give(.failure(StoreError.outcomeUnknown(error.description)))
    } catch {
      asked.answer.give(.failure(error))
    }
  }

  /// That somebody had events sent again is an event itself, with who and why, before it is done.
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

  // MARK: What it says of itself

  private func note(_ error: any Error, at shard: Int) {
    problems.note(error, of: .shard(shard), at: environment.now())
  }

  /// How many events it holds that it hasn't given to the producer.
  var countInHand: Int { shards.reduce(0) { $0 + $1.countInHand } }

  func status() async -> EchoStatus {
    let now = environment.now()
    var oldest: Timestamp?
    var shown: [EchoStatus.Shard] = []
    // There may be more, and nobody can say how much: that is not to look like nothing.
    var isUncertain = false
    for index in shards.indices {
      // What isn't in hand is asked of the store.
      var head = shards[index].head
      if shards[index].hasMore {
        if let known = try? await store.head(shard: index) { head = max(known, head) } else { isUncertain = true }
      }
      let delivered = shards[index].delivered
      shown.append(
        EchoStatus.Shard(shard: index, head: head, delivered: delivered, checkpoint: shards[index].checkpoint))
      guard head > delivered else { continue }
      var moment = shards[index].oldest
      if moment == nil {
        moment = try? await store.tail(shard: index, after: delivered, limit: 1).first?.recordedAt
      }
      if let moment { oldest = min(oldest ?? moment, moment) }
    }
    let lagEvents = shown.reduce(0) { $0 + max(0, $1.head - $1.delivered) }
    let lag = lagEvents == 0 ? .zero : max(.zero, oldest.map { now - $0 } ?? .zero)
    // A client's complaint of a while ago holds up nothing as long as there is nothing to send.
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
