import JSON
import Persistence
import Runtime
import Synchronization
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

/// A clock that a test sets. Setting it wakes no sleeper.
private final class SetClock: WallClock {
  private let time = Mutex(Timestamp(milliseconds: 1_772_352_000_000))

  func now() -> Timestamp { time.withLock { $0 } }
  func set(_ duration: Duration) { time.withLock { $0 = $0 + duration } }
  func sleep(until deadline: Timestamp) async throws {
    await untilCancelled()
    throw CancellationError()
  }
}

@Suite("The scheduler", .timeLimit(.minutes(15)), .inTurn)
struct SchedulerTests {
  private func id(_ number: UInt64) -> UniqueID {
    .version7(at: Timestamp(milliseconds: 1_772_352_000_000), random: (number, 0))
  }

  @Test("Every new timer wakes the scheduler, so that a changed clock delays no other timer")
  func rearmed() async throws {
    let clock = SetClock()
    let scheduler = Scheduler(clock: clock)
    let (woken, wake) = AsyncStream.makeStream(of: UniqueID.self)
    let running = Task { await scheduler.run { wake.yield($0) } }
    let (first, second) = (id(1), id(2))
    scheduler.set(first, at: clock.now() + .seconds(60))
    try await eventually("the scheduler sleeps") { scheduler.sleepingUntil != nil }
    clock.set(.seconds(61))
    // Later than what is slept for, and yet the sleeper must go.
    scheduler.set(second, at: clock.now() + .seconds(3_600))
    var iterator = woken.makeAsyncIterator()
    #expect(await iterator.next() == first)
    running.cancel()
    await running.value
  }

  @Test("A page of sleeping sagas does not replace the timer that a saga has set meanwhile")
  func newer() async {
    let clock = FakeClock()
    let scheduler = Scheduler(clock: clock)
    let start = clock.now()
    scheduler.set(id(1), at: start + .seconds(1))
    scheduler.setIfNone(id(1), at: start + .seconds(600))
    scheduler.set(id(2), at: start + .seconds(5))
    scheduler.set(id(2), atLatest: start + .seconds(30))
    scheduler.set(id(3), at: start + .seconds(50))
    scheduler.set(id(3), atLatest: start + .seconds(30))
    scheduler.setIfNone(id(4), at: start + .seconds(600))
    let (woken, wake) = AsyncStream.makeStream(of: UniqueID.self)
    let running = Task { await scheduler.run { wake.yield($0) } }
    var iterator = woken.makeAsyncIterator()
    // At 50 s it looks after the timer that id 3 had before, and wakes nothing.
    for (number, seconds) in [(1, 1), (2, 5), (3, 30), (nil, 50), (4, 600)] as [(UInt64?, Int)] {
      await clock.waitForSleepers { $0.contains(start + .seconds(seconds)) }
      clock.advance(to: start + .seconds(seconds))
      if let number { #expect(await iterator.next() == id(number)) }
    }
    #expect(scheduler.count == 0)
    running.cancel()
    await running.value
  }

  @Test("A command that comes while open sagas are taken up keeps its timer")
  func takenUp() async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let store = BetweenStore(MemoryStore(environment: environment))
    let executor = ScriptedExecutor { _ in
      .failed(StepFailure(code: "busy", message: "not now", isRetryable: true))
    }
    let running = try await RunningEngine(store, executor, environment: environment)
    _ = try await running.engine.register(
      Workflow.of(
        #"{"id": "w", "signal": {"name": "go"}, "timeout": "20m"}"#,
        Workflow.step("a", #""retry": {"maxAttempts": 5, "initialInterval": "30s", "jitter": 0}"#),
        members: #""timeout": "1h","#), by: "test")
    let id = try await running.start().id
    try await running.engine.waitUntilAsleep(id)
    await running.stop()

    let engine = Mutex<Engine?>(nil)
    store.onPage.withLock { hook in
      hook = {
        guard let engine = engine.withLock({ $0 }) else { return }
        _ = try? await engine.signal(id, name: "go", body: .null, signalID: nil, by: "x")
        do {
          try await eventually("step a waits for its retry") {
            try await engine.host.state(of: id).step("a")?.status == .backingOff
          }
        } catch { Issue.record(error) }
      }
    }
    let second = Engine(store: store, executor: executor, environment: environment)
    engine.withLock { $0 = second }
    let task = Task { try await second.run() }
    let due = try await eventualValue("the second engine is ready, and knows the retry") {
      second.isReady ? try await second.host.state(of: id).step("a")?.retryAt : nil
    }
    // The timer is for the retry, not for the wait that the page contained.
    await clock.waitForSleepers { $0.contains(due) }
    #expect(executor.calls.count == 1)
    clock.advance(to: due)
    await executor.waitForCalls(2)
    task.cancel()
    _ = await task.result
  }

  @Test("An engine's time begins at the last event of the store when the clock is behind it")
  func beginsWhereTimeEnded() async throws {
    let ahead = FakeClock(Timestamp(milliseconds: 1_772_352_000_000 + 3_600_000))
    let store = MemoryStore(environment: .fake(clock: ahead))
    let running = try await RunningEngine(store, ScriptedExecutor(), environment: .fake(clock: ahead))
    _ = try await running.engine.register(Workflow.of(Workflow.step("a")), by: "test")
    _ = try await running.end(of: try await running.start().id)
    await running.stop()

    let behind = FakeClock()
    let again = try await RunningEngine(store, ScriptedExecutor(), environment: Environment(clock: behind) { 7 })
    #expect(behind.begun == ahead.now())
    await again.stop()
  }
}

/// Does something between reading a page of open streams and giving it.
private final class BetweenStore: StoreInFront {
  let store: any EventStore
  let onPage = Mutex<(@Sendable () async -> Void)?>(nil)

  init(_ store: any EventStore) { self.store = store }

  func openStreams(shard: Int?, after stream: UniqueID?, limit: Int) async throws(StoreError) -> [OpenStream] {
    let page = try await store.openStreams(shard: shard, after: stream, limit: limit)
    if !page.isEmpty, let hook = onPage.withLock({ $0.take() }) { await hook() }
    return page
  }
}
