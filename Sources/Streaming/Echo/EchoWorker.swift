import JSON
import Messaging
import Persistence
import Runtime

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
  private let letterProducer: KafkaProducer
  private let letters: DeadLetters

  private var shards: [EchoShard] = []
  private var partitions: [String: Int] = [:]
  private var frame: (@Sendable ([UInt8]) -> [UInt8])?
  private var isFull = false
  private var deliveredCount: Int64 = 0
  private var deadLettered: Int64 = 0
  private var problem: EchoStatus.Problem?
  private var isPrepared = false
  /// Shards whose refused event is on its way to the dead letters.
  private var burying: Set<Int> = []
  private var storeFailures = 0

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
    let inbox = inbox
    producer = try KafkaProducer(configuration.cluster, name: configuration.follower, stopsAtGaps: true, log: log) {
      reports in
      if let delivered {
        for report in reports {
          if case .success = report.result {
            delivered(EchoToken.shard(report.token), EchoToken.position(report.token))
          }
        }
      }
      inbox.add(reports)
    }
    letterProducer = try KafkaProducer(configuration.cluster, name: "\(configuration.follower)-letters", log: log)
    letters = DeadLetters(producer: letterProducer, topic: configuration.deadLetters.name, environment: environment)
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
          let tick = min(configuration.checkpointEvery, .milliseconds(200))
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
      result = .failure(error)
    }
    // 2. Whatever happened, how far it came is kept.
    inbox.end()
    await producer.close(flushWithin: .zero)
    await letterProducer.close(flushWithin: .zero)
    take(inbox.takeReports())
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
        return
      } catch {
        guard error.kind == .unavailable, !inbox.isStopping else { throw error }
        log.warning("The echo can't read the store; trying again", ("error", error.message))
        try await environment.clock.sleep(until: environment.now() + configuration.longestBackoff / 10)
      }
    }
  }

  private func work(_ feed: CommitFeed) async throws {
    let preparing = Task { await self.prepareUntilDone() }
    defer { preparing.cancel() }
    var nextCheckpoint = environment.now() + configuration.checkpointEvery
    var finishBy: Timestamp?
    for await _ in inbox.wakes {
      take(inbox.takeReports())
      for run in feed.take() where shards.indices.contains(run.shard) { shards[run.shard].commit(run) }
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
            if let head = try? await store.head(shard: index), head > shards[index].head {
              shards[index].commit(CommittedRun(shard: index, events: [], isCut: true))
            }
          }
        }
        let until = finishBy ?? environment.now() + configuration.finishTime
        finishBy = until
        if shards.allSatisfy(\.isDone) || environment.now() >= until { return }
      }
    }
  }

  private func prepareUntilDone() async {
    var pause = configuration.firstBackoff
    while !Task.isCancelled {
      do {
        let topics = try KafkaTopics(configuration.cluster)
        let found = try await topics.ensure(configuration.topics + [configuration.deadLetters])
        frame = try await prepare()
        partitions = found.mapValues(\.partitions)
        isPrepared = true
        problem = nil
        inbox.wake()
        return
      } catch {
        note(error)
        log.warning("The echo can't begin yet", ("error", "\(error)"))
        do { try await environment.clock.sleep(until: environment.now() + pause) } catch { return }
        pause = min(pause * 2, configuration.longestBackoff)
      }
    }
  }

  // MARK: Sending

  private func pump() async throws {
    // One page of each shard that is behind at a time, so that none waits for another to catch up.
    var isHungry = true
    while isHungry, !isFull {
      var hungry: [Int] = []
      for index in shards.indices {
        if let notBefore = shards[index].notBefore {
          guard environment.now() >= notBefore else { continue }
          shards[index].notBefore = nil
        }
        send(index)
        if shards[index].refusedEvent != nil { bury(index) }
        if isFull { break }
        if shards[index].needsTail { hungry.append(index) }
      }
      isHungry = isFull ? false : try await read(hungry)
      take(inbox.takeReports())
    }
  }

  private func send(_ index: Int) {
    while let event = shards[index].nextToSend() {
      do {
        guard let echoed = try echoed(event) else {
          shards[index].didSkip()
          continue
        }
        try producer.enqueue(
          echoed.event, topic: echoed.topic, key: echoed.key, partition: partition(of: event, in: echoed.topic),
          token: EchoToken.make(shard: index, epoch: shards[index].epoch, position: event.position))
        shards[index].didSend()
      } catch let error as KafkaError {
        if error.code == MessagingErrorCode.queueFull {
          waitForRoom()
        } else if error.refusesTheMessage {
          shards[index].didRefuse(error)
        } else {
          note(error)
          shards[index].notBefore = environment.now() + configuration.firstBackoff
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

  private typealias Page = Task<Result<[StoredEvent], StoreError>, Never>

  /// Reads a page of each of these shards; while one is sent, the next is read.
  /// - Returns: whether there may be more to read.
  private func read(_ hungry: [Int]) async throws -> Bool {
    var isHungry = false
    var ahead = hungry.first.map { (from: shards[$0].next - 1, page: page(of: $0)) }
    for (place, index) in hungry.enumerated() {
      guard let current = ahead, !isFull else { break }
      let result = await current.page.value
      let following = place + 1 < hungry.count ? hungry[place + 1] : nil
      ahead = following.map { (from: shards[$0].next - 1, page: page(of: $0)) }
      switch result {
      case .success(let events):
        storeFailures = 0
        // What happened meanwhile may have moved the place to read from.
        guard shards[index].next - 1 == current.from, shards[index].needsTail else { continue }
        shards[index].read(events, isEnd: events.count < configuration.pageSize)
        send(index)
        if !events.isEmpty { isHungry = true }
      case .failure(let error):
        if error.kind == .closed { throw error }
        storeFailures += 1
        if storeFailures == 1 { log.warning("The echo can't read the store; trying again", ("error", error.message)) }
        shards[index].notBefore = environment.now() + configuration.firstBackoff
      }
    }
    return isHungry
  }

  private func page(of index: Int) -> Page {
    let from = shards[index].next - 1
    return Task { [store, limit = configuration.pageSize] in
      do throws(StoreError) {
        return .success(try await store.tail(shard: index, after: from, limit: limit))
      } catch {
        return .failure(error)
      }
    }
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
    shards[event.shard].didBury(event.position)
    inbox.wake()
  }

  private func notBuried(_ event: StoredEvent, _ error: any Error) {
    burying.remove(event.shard)
    note(error)
    shards[event.shard].notBefore = environment.now() + configuration.firstBackoff
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
        if problem != nil { problem = nil }
      case .failure(let error):
        shards[index].report(position, epoch: epoch, error)
        if !error.refusesTheMessage { note(error) }
        shards[index].notBefore = environment.now() + backoff(after: shards[index].failures)
      }
    }
  }

  private func backoff(after failures: Int) -> Duration {
    var pause = configuration.firstBackoff
    for _ in 1..<max(1, failures) where pause < configuration.longestBackoff { pause *= 2 }
    return min(pause, configuration.longestBackoff)
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
        let move = CheckpointMove(shard: index, from: shards[index].checkpoint, to: wanted.position)
        try await store.move(configuration.follower, [move])
        count += shards[index].delivered - wanted.position
        shards[index].checkpoint = wanted.position
        shards[index].rewind(to: wanted.position)
      }
      asked.answer.resume(returning: count)
      inbox.wake()
    } catch {
      asked.answer.resume(throwing: error)
    }
  }

  /// That somebody had events sent again is an event itself, with who and why, before it is done.
  private func record(_ wanted: EchoRewind, at shard: Int) async throws {
    var stream = environment.newID()
    while store.shard(of: stream) != shard { stream = environment.newID() }
    let data: JSON = [
      "at": .string(environment.now().description), "shard": .int(shard), "to": .int(Int(wanted.position)),
      "from": .int(Int(shards[shard].delivered)), "by": .string(wanted.by), "reason": .string(wanted.reason),
    ]
    let event = NewEvent(type: Echo.rewoundType, data: data.bytes(), meta: Array(#"{"schema":1}"#.utf8))
    _ = try await store.append(
      Append(stream: stream, expectedVersion: 0, events: [event], appendID: environment.newID()))
  }

  // MARK: What it says of itself

  private func note(_ error: any Error) {
    let code = (error as? any CodedError)?.code ?? MessagingErrorCode.failed
    let message = (error as? any CodedError)?.message ?? "\(error)"
    if problem?.code == code, problem?.message == message { return }
    problem = EchoStatus.Problem(code: code, message: message, since: environment.now())
  }

  func status() -> EchoStatus {
    let now = environment.now()
    let lagEvents = shards.reduce(0) { $0 + $1.lag }
    let oldest = shards.filter { $0.lag > 0 }.compactMap(\.oldest).min()
    let lag = lagEvents == 0 ? .zero : max(.zero, oldest.map { now - $0 } ?? .zero)
    let said =
      lagEvents == 0
      ? nil
      : problem
        ?? producer.problem.map {
          EchoStatus.Problem(code: $0.code, message: $0.message, since: oldest ?? now)
        }
    let state: EchoStatus.State = said != nil ? .held : lag > .seconds(2) ? .catchingUp : .current
    return EchoStatus(
      topic: configuration.topics.map(\.name).joined(separator: ", "), state: state, lagEvents: lagEvents, lag: lag,
      problem: said, delivered: deliveredCount, deadLettered: deadLettered,
      shards: shards.map {
        EchoStatus.Shard(shard: $0.shard, head: $0.head, delivered: $0.delivered, checkpoint: $0.checkpoint)
      }, client: producer.statistics)
  }
}

/// A shard, an epoch and a position in the 63 bits that a producer's token has.
enum EchoToken {
  private static let epochMask: UInt64 = 0xFFF

  static func make(shard: Int, epoch: UInt64, position: Int64) -> UInt64 {
    UInt64(shard) << 52 | (epoch & epochMask) << 40 | UInt64(position) & 0xFF_FFFF_FFFF
  }

  static func shard(_ token: UInt64) -> Int { Int(token >> 52) }
  static func position(_ token: UInt64) -> Int64 { Int64(token & 0xFF_FFFF_FFFF) }

  /// The epoch in full: only its last bits are in the token.
  static func epoch(_ token: UInt64, near current: UInt64) -> UInt64 {
    let bits = token >> 40 & epochMask
    return current & epochMask == bits ? current : bits
  }
}
