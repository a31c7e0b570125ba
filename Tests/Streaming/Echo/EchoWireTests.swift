import Messaging
import Persistence
import Synchronization
import TestSupport
import Testing
import Values

@testable import Streaming

@Suite("The echo on the wire", .timeLimit(.minutes(15)), .inTurn)
struct EchoWireTests {
  @Test(
    "Every event of every shard comes in order, with its headers, what was there before and what comes meanwhile",
    arguments: [false, true])
  func everything(isDurable: Bool) async throws {
    let bench = try await EchoBench(shards: 64, partitions: 16, isDurable: isDurable, needsMock: false)
    try await bench.append(300)
    let acknowledged = Mutex<Set<String>>([])
    let echo = try bench.echo(delivered: { shard, position in
      acknowledged.withLock { _ = $0.insert("\(shard)/\(position)") }
    })
    try await running(echo) {
      try await bench.append(700)
      let status = try await bench.waitUntilDone(echo)
      #expect(status.state == .current && status.lagEvents == 0 && status.lag == .zero && status.problem == nil)
      #expect(status.delivered == 1_000 && status.deadLettered == 0 && status.topic == bench.topic)
      let all = try await bench.readAll()
      #expect(all.count == 1_000, "nothing twice")
      #expect(acknowledged.withLock { $0 } == Set(all.map(\.echoed)))
      let one = try #require(all.first)
      #expect(one.header("ce_specversion") == "1.0" && one.header("ce_source") == "/tests")
      #expect(one.header("ce_type") == "sample.moved" && one.header("content-type") == "application/json")
      #expect(one.header("ce_subject") == one.key.map { String(decoding: $0, as: UTF8.self) })
    }
    // Stopped, it has kept how far it came.
    for (shard, events) in try await bench.stored().enumerated() {
      #expect(try await bench.store.checkpoint("echo", shard: shard) == Int64(events.count))
    }
  }

  @Test("After a restart the echo continues at its checkpoints; without them it sends the same events again")
  func restart() async throws {
    let forgetful = Mutex<ForgetfulStore?>(nil)
    let bench = try await EchoBench(
      inFrontOf: { store in
        let front = ForgetfulStore(store)
        forgetful.withLock { $0 = front }
        return front
      })
    let store = try #require(forgetful.withLock { $0 })
    // 1. Checkpoints are kept.
    try await bench.append(50)
    try await running(try bench.echo()) { try await bench.read(nil, 50) }
    try await bench.append(50)
    let second = try bench.echo()
    try await running(second) {
      try await bench.waitUntilDone(second)
      #expect(try await second.status().delivered == 50)
    }
    // 2. They aren't, as if the process had been killed.
    store.isForgetting = true
    try await bench.append(50)
    let third = try bench.echo()
    try await running(third) { try await bench.waitUntilDone(third) }
    store.isForgetting = false
    let fourth = try bench.echo()
    try await running(fourth) {
      try await bench.waitUntilDone(fourth)
      #expect(try await fourth.status().delivered == 50)
    }
    #expect(try await bench.readAll(200).count == 200)
  }

  @Test("Stopping delivers the events that were committed just before, without a delay")
  func stopping() async throws {
    let bench = try await EchoBench(partitions: 4)
    let echo = try bench.echo { $0.finishTime = .seconds(30) }
    let task = Task { try await echo.run() }
    try await bench.append(10)
    try await bench.waitUntilDone(echo)
    try await bench.append(3_000)
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(try await echo.status().shards.allSatisfy { $0.delivered == $0.head && $0.checkpoint == $0.head })
    #expect(try await bench.readAll().count == 3_010)
    await #expect(throws: EchoRefusal.self) {
      try await echo.rewind(shard: nil, to: 0, by: "ada", reason: "too late")
    }
  }

  @Test("An echo that is far behind stores its checkpoints, answers, and stops in time")
  func farBehind() async throws {
    let bench = try await EchoBench(shards: 2)
    try await bench.append(40_000)
    // Every event takes so long that the status is read before the echo is done.
    let slow: Echo.Map = { event in
      let until = ContinuousClock.now + .milliseconds(1)
      while ContinuousClock.now < until {}
      return try bench.told(event)
    }
    let echo = try bench.echo(
      {
        $0.pageSize = 3
        $0.checkpointEvery = .milliseconds(1)
        $0.finishTime = .zero
      }, map: slow)
    let task = Task { try await echo.run() }
    let underWay = try await bench.wait(for: echo) { $0.shards.contains { $0.checkpoint > 100 } }
    #expect(underWay.lagEvents > 0, "a checkpoint was kept before the end")
    let count = try await echo.rewind(shard: nil, to: 99, by: "ada", reason: "in the middle")
    #expect(count > 0)
    let answered = try await echo.status()
    #expect(answered.lagEvents > 0, "it was answered before the end")
    task.cancel()
    _ = await task.result
    let ended = try await echo.status()
    #expect(ended.lagEvents > 0, "it stopped before the end")
    #expect(ended.shards.allSatisfy { $0.checkpoint == $0.delivered })
    // The next one brings the rest.
    let next = try bench.echo()
    try await running(next) {
      try await bench.waitUntilDone(next)
      try await bench.readAll()
    }
  }

  @Test(
    "An event without a published form is skipped; an event that can't be mapped becomes a dead letter in its stored form"
  )
  func mapping() async throws {
    struct NoSuchType: Error {}
    let bench = try await EchoBench(shards: 1, partitions: 1)
    let echo = try bench.echo(map: { event in
      if event.position == 2 || event.position == 10 { return nil }
      if event.position == 4 { throw NoSuchType() }
      return try bench.told(event)
    })
    try await running(echo) {
      try await bench.append(10)
      let status = try await bench.waitUntilDone(echo)
      #expect(status.delivered == 7 && status.deadLettered == 1)
      let all = try await bench.readAll(missing: ["0/2", "0/4", "0/10"])
      #expect(all.map(\.echoed) == [1, 3, 5, 6, 7, 8, 9].map { "0/\($0)" })
      let deadLetter = try #require(try await bench.read(bench.deadLetterTopic, 1).first)
      let event = try await bench.stored()[0][3]
      #expect(deadLetter.header("dl_code") == MessagingErrorCode.messageMalformed && deadLetter.value == event.data)
      #expect(deadLetter.header("dl_position") == "4" && deadLetter.header("dl_stream") == event.stream.description)
    }
  }
}

/// A store whose checkpoints can't be moved while a flag is set.
final class ForgetfulStore: StoreInFront {
  let store: any EventStore
  private let state = Mutex(false)

  init(_ store: any EventStore) { self.store = store }

  var isForgetting: Bool {
    get { state.withLock { $0 } }
    set { state.withLock { $0 = newValue } }
  }

  func move(_ follower: String, _ moves: [CheckpointMove]) async throws(StoreError) {
    if isForgetting { throw StoreError.unavailable("it forgets") }
    try await store.move(follower, moves)
  }
}
