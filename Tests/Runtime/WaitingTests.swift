import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@Suite("Backoff", .timeLimit(.minutes(15)), .inTurn)
struct BackoffTests {
  private let backoff = Backoff(first: .milliseconds(100), limit: .seconds(1))

  @Test(
    "A pause doubles with each attempt up to the limit",
    arguments: [
      (-1, 100), (0, 100), (1, 100), (2, 200), (3, 400), (4, 800), (5, 1_000), (6, 1_000), (1_000_000, 1_000),
      (Int.max, 1_000),
    ])
  func doubles(attempts: Int, milliseconds: Int) {
    #expect(backoff.pause(after: attempts) == .milliseconds(milliseconds))
  }

  @Test("Jitter keeps a pause between half and one and a half of its length")
  func jitter() {
    #expect(backoff.pause(after: 2, jitter: 0) == .milliseconds(100))
    let longest = backoff.pause(after: 2, jitter: .max)
    #expect(longest > .milliseconds(299) && longest <= .milliseconds(300))
    #expect(backoff.pause(after: 2, jitter: 1 << 63) == .milliseconds(200))
  }

  @Test("No pause is longer than the limit, and a first pause of nothing stays nothing")
  func limit() {
    #expect(Backoff(first: .seconds(2), limit: .seconds(1)).pause(after: 1) == .seconds(1))
    #expect(Backoff(first: .zero, limit: .seconds(1)).pause(after: .max) == .zero)
  }

  @Test("Pauses grow by another factor and spread by another part when they are given")
  func factorAndSpread() {
    let backoff = Backoff(first: .seconds(1), limit: .seconds(20), factor: 3, spread: 0.25)
    #expect((1...4).map { backoff.pause(after: $0) } == [.seconds(1), .seconds(3), .seconds(9), .seconds(20)])
    #expect(backoff.pause(after: 2, jitter: 0) == .milliseconds(2_250))
    #expect(Backoff(first: .seconds(1), limit: .seconds(20), factor: 1).pause(after: .max) == .seconds(1))
  }
}

@Suite("Once", .timeLimit(.minutes(15)), .inTurn)
struct OnceTests {
  @Test("The first value wins, and tasks get it before and after it is given")
  func firstWins() async throws {
    let once = Once<Int>()
    #expect(!once.isGiven)
    async let early = once.value()
    #expect(once.give(1))
    #expect(!once.give(2))
    #expect(await early == 1)
    #expect(await once.value() == 1)
    #expect(once.given == 1)
  }

  @Test("When many tasks give a value, one is first, and all waiting tasks get its value")
  func race() async {
    for _ in 0..<50 {
      let once = Once<Int>()
      let (winners, values) = await withTaskGroup(of: (Bool?, Int?).self) { group in
        for number in 0..<8 {
          group.addTask { (once.give(number), nil) }
          group.addTask { (nil, await once.value()) }
        }
        return await group.reduce(into: (0, Set<Int>())) { result, one in
          if one.0 == true { result.0 += 1 }
          if let value = one.1 { result.1.insert(value) }
        }
      }
      #expect(winners == 1)
      #expect(values.count == 1)
    }
  }
}

@Suite("WaitQueue", .timeLimit(.minutes(15)), .inTurn)
struct WaitQueueTests {
  @Test("A task waits through wakes until its condition is true")
  func condition() async throws {
    let queue = WaitQueue()
    let count = Counter()
    let waiting = Task { await queue.wait { count.value == 2 } }
    try await eventually("the task waits") { queue.count == 1 }
    count.value = 1
    queue.wake()
    #expect(queue.count == 1)
    count.value = 2
    queue.wake()
    #expect(queue.count == 0)
    await waiting.value
    await queue.wait { true }
  }

  @Test("Each task gets the value that its own check finds")
  func values() async throws {
    let queue = WaitQueue()
    let count = Counter()
    async let low = queue.value(unlessCancelled: { count.value >= 1 ? "low" : nil })
    async let high = queue.value(unlessCancelled: { count.value >= 5 ? "high" : nil })
    try await eventually("both wait") { queue.count == 2 }
    count.value = 3
    queue.wake()
    #expect(await low == "low")
    #expect(queue.count == 1)
    count.value = 5
    queue.wake()
    #expect(await high == "high")
  }

  @Test("Cancelling a task ends only its own wait")
  func cancelling() async throws {
    let queue = WaitQueue()
    let count = Counter()
    let firm = Task { await queue.wait { count.value == 1 } }
    let soft = Task { await queue.value(unlessCancelled: { count.value == 1 ? true : nil }) }
    try await eventually("both wait") { queue.count == 2 }
    firm.cancel()
    soft.cancel()
    #expect(await soft.value == nil)
    #expect(queue.count == 1)
    count.value = 1
    queue.wake()
    await firm.value
  }

  @Test("No wake is lost between the check of the condition and the wait")
  func noLostWake() async {
    for _ in 0..<500 {
      let queue = WaitQueue()
      let count = Counter()
      await withDiscardingTaskGroup { group in
        group.addTask { await queue.wait { count.value == 1 } }
        group.addTask { #expect(await queue.value(unlessCancelled: { count.value == 1 ? 7 : nil }) == 7) }
        group.addTask {
          count.value = 1
          queue.wake()
        }
      }
    }
  }

  @Test("A task that was cancelled before it waits does not wait, but takes an available value")
  func cancelledBefore() async {
    let queue = WaitQueue()
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      let value = await queue.value(unlessCancelled: { 1 })
      let none = await queue.value(unlessCancelled: { Optional<Int>.none })
      return (value, none)
    }
    #expect(await task.value == (1, nil))
    #expect(queue.count == 0)
  }

  private final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int {
      get { count.withLock { $0 } }
      set { count.withLock { $0 = newValue } }
    }
  }
}

@Suite("AsyncSemaphore", .timeLimit(.minutes(15)), .inTurn)
struct AsyncSemaphoreTests {
  @Test("No more tasks have a permit than there are permits")
  func bound() async throws {
    let semaphore = AsyncSemaphore(permits: 3)
    let inside = Inside()
    try await withThrowingDiscardingTaskGroup { group in
      for _ in 0..<100 {
        group.addTask {
          #expect(await semaphore.acquire())
          inside.enter()
          // The first ones stay, so that the others find no permit.
          try await eventually("three tasks have a permit") { inside.most >= 3 }
          inside.leave()
          semaphore.release()
        }
      }
    }
    #expect(inside.most == 3)
  }

  private final class Inside: Sendable {
    private struct State {
      var now = 0
      var most = 0
    }
    private let state = Mutex(State())
    var most: Int { state.withLock { $0.most } }
    func enter() {
      state.withLock { state in
        state.now += 1
        state.most = max(state.most, state.now)
      }
    }
    func leave() { state.withLock { $0.now -= 1 } }
  }

  @Test("Closing a semaphore ends every wait, and no caller gets a permit after it")
  func close() async {
    // Some begin to wait before the semaphore is closed, and some after it.
    for _ in 0..<50 {
      let semaphore = AsyncSemaphore(permits: 1)
      #expect(await semaphore.acquire())
      let waiting = (0..<10).map { _ in Task { await semaphore.acquire() } }
      semaphore.close()
      for task in waiting { #expect(await task.value == false) }
      semaphore.release()
      #expect(await semaphore.acquire() == false)
    }
  }
}
