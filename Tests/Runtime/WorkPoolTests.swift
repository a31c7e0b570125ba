import Dispatch
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@Suite("Pools of threads", .timeLimit(.minutes(15)), .inTurn)
struct WorkPoolTests {
  private actor Counter {
    nonisolated var unownedExecutor: UnownedSerialExecutor { queue.asUnownedSerialExecutor() }
    private nonisolated let queue: WorkQueue
    private var count = 0

    init(on pool: WorkPool) { queue = WorkQueue(on: pool) }

    func add() -> Int {
      let before = count
      count = before + 1
      return count
    }

    func hold(_ semaphore: DispatchSemaphore, _ began: @Sendable () -> Void) {
      began()
      semaphore.wait()
    }
  }

  @Test("an actor on a pool runs one job at a time")
  func serial() async {
    let counter = Counter(on: WorkPool(name: "test", threads: 4, urgentThreads: 1))
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<2_000 {
        group.addTask(priority: number % 3 == 0 ? .high : .medium) { _ = await counter.add() }
      }
    }
    #expect(await counter.add() == 2_001)
  }

  @Test("an actor may end while another thread still gives its last job to the pool")
  func shortLives() async {
    let pool = WorkPool(name: "test", threads: 4)
    var sum = 0
    for _ in 0..<20 {
      sum += await withTaskGroup(of: Int.self) { group in
        for _ in 0..<2_000 {
          // Nothing but these tasks holds the actor.
          let counter = Counter(on: pool)
          for _ in 0..<4 { group.addTask { await counter.add() } }
        }
        return await group.reduce(0, +)
      }
    }
    #expect(sum == 20 * 2_000 * (1 + 2 + 3 + 4))
  }

  @Test("an urgent job runs while other jobs use every common thread")
  func urgent() async throws {
    let pool = WorkPool(name: "test", threads: 2, urgentThreads: 1)
    let hold = DispatchSemaphore(value: 0)
    let held = Count()
    let holders = [Counter(on: pool), Counter(on: pool), Counter(on: pool)]
    let tasks = holders.map { holder in
      Task(priority: .medium) { await holder.hold(hold) { held.add() } }
    }
    try await eventually("two jobs run") { held.value == 2 }
    let other = Counter(on: pool)
    #expect(await Task(priority: .high) { await other.add() }.value == 1)
    for _ in holders { hold.signal() }
    for task in tasks { await task.value }
    #expect(held.value == 3)
  }
}

private final class Count: Sendable {
  private let count = Mutex(0)
  var value: Int { count.withLock { $0 } }
  func add() { count.withLock { $0 += 1 } }
}
