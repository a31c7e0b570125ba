import Messaging
import Persistence
import TestSupport
import Testing
import Values

@testable import Streaming

@Suite(
  "The echo's shards against a broker that accepts, fails, refuses, delays and forgets", .timeLimit(.minutes(15)),
  .inTurn)
struct ShardSimulationTests {
  @Test("Nothing is skipped, nothing is lost, no checkpoint is ahead", arguments: 1...200 as ClosedRange<UInt64>)
  func simulate(seed: UInt64) throws {
    var world = World(seed: seed)
    for step in 0..<600 { try world.step(step, .storm) }
    // Then it catches up, and lives on what the feed tells it: late, overtaken, cut.
    for step in 600..<2_600 { try world.step(step, .fair) }
    // Then nothing goes wrong any more but what is refused, and everything comes to its end.
    var step = 2_600
    while !world.isSettled {
      try #require(step < 40_000, "seed \(seed): it never comes to an end: \(world)")
      try world.step(step, .still)
      step += 1
    }
    for (shard, state) in world.shards.enumerated() {
      #expect(state.delivered == Int64(world.stores[shard].count), "seed \(seed)")
      let refusable = Set(
        world.stores[shard].map(\.position).filter { World.isRefused(shard, $0) && !World.isPrivate(shard, $0) })
      #expect(world.buried[shard] == refusable, "seed \(seed): only what is refused is buried, and all of that")
    }
  }
}

/// Four shards in two partitions of a topic, the worker that pumps them, a store each, and the broker.
private struct World {
  struct Message {
    let token: UInt64
    let isAlone: Bool
    var shard: Int { EchoToken.shard(token) }
    var position: Int64 { EchoToken.position(token) }
  }
  enum Weather {
    /// All kinds of faults happen, and more events are committed than can be sent.
    case storm
    /// A little is committed and reported late. The store is unavailable at times.
    case fair
    /// Nothing new happens.
    case still
  }
  typealias Report = (token: UInt64, error: KafkaError?)

  private static let pageSize = 5
  var random: SeededRandom
  var stores: [[StoredEvent]] = Array(repeating: [], count: 4)
  var shards: [EchoShard]
  /// Events that are committed and not yet reported to the feed. A commit may be reported late, after a newer one.
  var untold: [[StoredEvent]] = []
  /// By shard, the last position that was reported to the feed.
  var told: [Int64] = [0, 0, 0, 0]
  let hub: CommitHub
  let feed: CommitFeed
  /// The store is out of reach.
  var isAbsent = false
  // The producer's: by partition, what is on its way; and what came of it, on its way back.
  var queues: [[Message]] = [[], []]
  var lone: [Message] = []
  var returning: [Report] = []
  var inbox: [Report] = []
  var client = 0
  var knownClient = 0
  // The view of a reader and of an operator.
  var appeared: [Set<Int64>] = Array(repeating: [], count: 4)
  var buried: [Set<Int64>] = Array(repeating: [], count: 4)
  var checkpoints: [Int64] = [0, 0, 0, 0]
  var reached: [Int64] = [0, 0, 0, 0]

  init(seed: UInt64) {
    random = SeededRandom(seed: seed)
    hub = CommitHub()
    feed = hub.feed(limit: 1 + Int(seed % 12))
    shards = (0..<4).map { EchoShard(shard: $0, checkpoint: 0, head: 0) }
  }

  static func isRefused(_ shard: Int, _ position: Int64) -> Bool { (Int(position) * 7 + shard * 3) % 23 == 5 }
  static func isPrivate(_ shard: Int, _ position: Int64) -> Bool { (Int(position) * 5 + shard) % 17 == 3 }

  private mutating func roll(_ sides: Int) -> Int { Int(random.next() % UInt64(sides)) }

  var isSettled: Bool {
    untold.isEmpty && returning.isEmpty && inbox.isEmpty && zip(shards, stores).allSatisfy { $0.delivered == $1.count }
  }

  mutating func step(_ number: Int, _ weather: Weather) throws {
    let calm = weather != .storm
    if !untold.isEmpty, roll(weather == .fair ? 12 : 3) == 0 { tell() }
    if weather == .fair, roll(60) == 0 { commit() }
    if weather == .still {
      isAbsent = false
    } else if roll(40) == 0 {
      isAbsent.toggle()
    }
    switch roll(calm ? 8 : 12) {
    case 0: if calm { try turn() } else { commit() }
    case 1, 2: try serve(calm: calm)
    case 3: comeBack()
    case 4, 5: try turn()
    case 6: try serveLone(calm: calm)
    case 7: try bury()
    case 8: commit()
    case 9: if roll(4) == 0 { keepCheckpoints() }
    case 10: if roll(12) == 0 { rewind() }
    default: if roll(40) == 0 { try crash() }
    }
    for index in shards.indices {
      let (delivered, onTheWay, reached) = (shards[index].delivered, shards[index].onTheWay, advance(index))
      if delivered > reached || checkpoints[index] > reached || onTheWay < 0 {
        Issue.record("step \(number): \(reached) is reached, shard \(index) says \(delivered), \(onTheWay) on the way")
        throw Skipped()
      }
    }
  }

  /// Up to this position every event has appeared, is a dead letter, or is not published.
  private mutating func advance(_ shard: Int) -> Int64 {
    while reached[shard] < stores[shard].count, isDone(shard, reached[shard] + 1) { reached[shard] += 1 }
    return reached[shard]
  }

  private func isDone(_ shard: Int, _ position: Int64) -> Bool {
    appeared[shard].contains(position) || buried[shard].contains(position) || Self.isPrivate(shard, position)
  }

  // MARK: The store

  private mutating func commit() {
    let shard = roll(4)
    let first = Int64(stores[shard].count + 1)
    let events = StoredEvent.samples(first...(first + Int64(roll(7))), shard: shard)
    stores[shard] += events
    untold.append(events)
  }

  private mutating func tell() {
    let events = untold.remove(at: roll(untold.count))
    for event in events { told[event.shard] = max(told[event.shard], event.position) }
    hub.grew(Set(events.map(\.shard)), by: roll(6) == 0 ? [] : events)
  }

  // MARK: The worker

  private mutating func turn() throws {
    knownClient = client
    for report in inbox {
      let shard = EchoToken.shard(report.token)
      let epoch = EchoToken.epoch(report.token, near: shards[shard].epoch)
      shards[shard].report(EchoToken.position(report.token), epoch: epoch, report.error)
    }
    inbox = []
    // Events for which there is no room wait in the store.
    let limit = roll(5) == 0 ? 0 : Self.pageSize * 2
    for run in feed.take() { shards[run.shard].commit(run, keeping: limit) }
    for (shard, position) in zip(shards, told) where shard.head < position && !shard.hasMore {
      Issue.record("shard \(shard.shard): it was told of \(position), and knows of \(shard.head) and no more")
      throw Skipped()
    }
    for index in shards.indices where roll(3) > 0 {
      send(index)
      guard shards[index].needsTail, !isAbsent else { continue }
      let from = Int(shards[index].next - 1)
      let page = Array(stores[index].dropFirst(from).prefix(Self.pageSize))
      shards[index].read(page, limit: Self.pageSize)
      // The client may break while the store is read.
      if roll(20) == 0 { breakClient() }
      send(index)
    }
  }

  private mutating func send(_ index: Int) {
    while let event = shards[index].nextToSend() {
      if Self.isPrivate(index, event.position) {
        shards[index].didSkip()
        continue
      }
      let token = EchoToken.make(shard: index, epoch: shards[index].epoch, position: event.position)
      if shards[index].suspects.contains(event.position) {
        lone.append(Message(token: token, isAlone: true))
      } else {
        guard knownClient == client, queues[index % 2].count < 12 else { return }
        queues[index % 2].append(Message(token: token, isAlone: false))
      }
      shards[index].didSend()
    }
  }

  private mutating func bury() throws {
    for index in shards.indices {
      guard let event = shards[index].refusedEvent else { continue }
      try #require(Self.isRefused(index, event.position), "\(event.position) would have been taken")
      buried[index].insert(event.position)
      shards[index].didBury(event.position)
    }
  }

  private mutating func keepCheckpoints() {
    for index in shards.indices { checkpoints[index] = shards[index].delivered }
  }

  private mutating func rewind() {
    let index = roll(4)
    let position = shards[index].delivered == 0 ? 0 : Int64(roll(Int(shards[index].delivered)))
    guard position < shards[index].delivered else { return }
    checkpoints[index] = position
    shards[index].rewind(to: position)
  }

  /// The process dies. What had been sent may arrive, or not.
  private mutating func crash() throws {
    for partition in queues.indices where roll(2) == 0 { try serve(partition, calm: true) }
    if roll(2) == 0 { try serveLone(calm: true) }
    (queues, lone, returning, inbox, untold) = ([[], []], [], [], [], [])
    _ = feed.take()
    client += 1
    shards = checkpoints.indices.map {
      EchoShard(shard: $0, checkpoint: checkpoints[$0], head: Int64(stores[$0].count))
    }
  }

  // MARK: The broker

  private mutating func accept(_ message: Message) throws {
    let reached = advance(message.shard)
    if message.position > reached + 1 {
      Issue.record("shard \(message.shard): \(message.position) appears before \(reached + 1)")
      throw Skipped()
    }
    appeared[message.shard].insert(message.position)
    returning.append((message.token, nil))
  }
  struct Skipped: Error {}

  private mutating func serve(calm: Bool) throws { try serve(roll(2), calm: calm) }

  private mutating func serve(_ partition: Int, calm: Bool) throws {
    let batch = Array(queues[partition].prefix(1 + roll(6)))
    guard !batch.isEmpty else { return }
    queues[partition].removeFirst(batch.count)
    if batch.contains(where: { Self.isRefused($0.shard, $0.position) }) {
      returning += batch.map { ($0.token, .refusing) }
      return breakClient()
    }
    if !calm, roll(6) == 0 {
      // It fails, and it is unknown whether it arrived.
      if roll(2) == 0 { for message in batch { try accept(message) } }
      returning.removeAll { report in batch.contains { $0.token == report.token } }
      returning += batch.map { ($0.token, .passing) }
      return breakClient()
    }
    for message in batch { try accept(message) }
  }

  private mutating func serveLone(calm: Bool) throws {
    guard !lone.isEmpty else { return }
    let message = lone.remove(at: roll(lone.count))
    if Self.isRefused(message.shard, message.position) {
      returning.append((message.token, .refusing))
    } else if !calm, roll(4) == 0 {
      returning.append((message.token, .passing))
    } else {
      try accept(message)
    }
  }

  /// All later messages fail too, in every partition, and are reported before there is a new client.
  private mutating func breakClient() {
    returning += queues.flatMap { $0 }.map { ($0.token, .passing) }
    queues = [[], []]
    inbox += returning
    returning = []
    client += 1
  }

  /// Reports reach the worker; those of different shards in any order.
  private mutating func comeBack() {
    while !returning.isEmpty, roll(5) > 0 { inbox.append(returning.remove(at: roll(returning.count))) }
  }
}
