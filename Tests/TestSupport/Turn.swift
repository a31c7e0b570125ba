import Dispatch
import Foundation
import Synchronization
public import Testing

/// A test waits for its turn, and leaves no folder and no process behind.
///
/// All tests at once would hold some 2,000 files open and keep each other from their time limits. The time limit of a test
/// begins after the wait.
public struct Turn: SuiteTrait, TestTrait, TestScoping {
  enum Kind { case shared, apart }

  let kind: Kind
  public let isRecursive = true

  /// Whether a test of this task has its turn, so that a nested suite doesn't wait for another.
  @TaskLocal private static var isTaken = false
  private static let turns = Turns()

  public func scopeProvider(for test: Test, testCase: Test.Case?) -> Turn? { test.isSuite ? nil : self }

  /// A test function waits for its turn. Each of its cases then has a scope of its own.
  public func provideScope(
    for test: Test, testCase: Test.Case?, performing body: @Sendable () async throws -> Void
  ) async throws {
    if testCase == nil {
      if Self.isTaken { return try await body() }
      let isSerialized = test.traits.contains { $0 is ParallelizationTrait }
      await Self.turns.begin(kind, isSerialized: isSerialized)
      defer { Self.turns.end(kind, isSerialized: isSerialized) }
      let watch = HangWatch(test)
      defer { watch.end() }
      try await Self.$isTaken.withValue(true) { try await body() }
    } else {
      if TestScope.current != nil { return try await body() }
      let scope = TestScope()
      let result: Result<Void, any Error>
      do {
        result = .success(try await TestScope.$current.withValue(scope) { try await body() })
      } catch {
        result = .failure(error)
      }
      await scope.end()
      try result.get()
    }
  }
}

extension Trait where Self == Turn {
  /// The tests run in turn with those of other suites, a limited number at a time.
  public static var inTurn: Self { Turn(kind: .shared) }

  /// The tests stop, freeze or kill servers that others use, or hold an engine to seconds. They run when no test of another
  /// kind runs, two at a time.
  public static var apart: Self { Turn(kind: .apart) }
}

/// Ends the whole run when a test goes on long after its time limit.
///
/// A time limit cancels its test. A test that waits for something that can't be cancelled, or whose threads are all blocked,
/// would keep the run from ending, and its name would stay unknown.
private struct HangWatch {
  /// The longest time limit of a suite is 15 minutes.
  private static let patience = DispatchTimeInterval.seconds(20 * 60)
  /// Not of the pool that runs tasks: a hang may have blocked all of that.
  private static let queue = DispatchQueue(label: "tests that hang")
  private static let running = Mutex<[String: Date]>([:])

  private let name: String
  private let alarm: DispatchWorkItem

  init(_ test: Test) {
    let name = "\(test.id)"
    self.name = name
    Self.running.withLock { $0[name] = Date() }
    alarm = DispatchWorkItem {
      let running = Self.running.withLock { $0 }.sorted { $0.value < $1.value }
      let lines = running.map { "  \(Int(-$0.value.timeIntervalSinceNow)) s  \($0.key)\n" }
      let text = "✘ \(name) doesn't end, long after its time limit. These tests run:\n\(lines.joined())"
      // The output so far may still be in the buffer of a pipe.
      fflush(nil)
      FileHandle.standardError.write(Data(text.utf8))
      _exit(70)
    }
    Self.queue.asyncAfter(deadline: .now() + Self.patience, execute: alarm)
  }

  func end() {
    alarm.cancel()
    Self.running.withLock { $0[name] = nil }
  }
}

/// The tests that run, and those that wait.
private final class Turns: Sendable {
  /// Sixteen tests that wait for each other's answers keep two cores busy. Two tests that are apart don't disturb each other.
  private static let most: [Turn.Kind: Int] = [.shared: 16, .apart: 2]
  /// The tests of serialized suites start servers and browsers.
  private static let mostSerialized = 4

  private struct Waiting {
    let isSerialized: Bool
    let continuation: CheckedContinuation<Void, Never>
  }
  private struct State {
    var running: [Turn.Kind: Int] = [.shared: 0, .apart: 0]
    var serialized = 0
    var waiting: [Turn.Kind: [Waiting]] = [.shared: [], .apart: []]

    /// Takes those that may begin now: first the shared ones, and the others when no shared one runs or waits.
    mutating func next() -> [Waiting] {
      var next: [Waiting] = []
      for (kind, other) in [(Turn.Kind.shared, Turn.Kind.apart), (.apart, .shared)] {
        while running[other] == 0, running[kind, default: 0] < Turns.most[kind, default: 0], let first = take(kind) {
          running[kind, default: 0] += 1
          next.append(first)
        }
      }
      return next
    }

    /// A serialized suite takes longest, so that each of its tests begins as soon as it can.
    private mutating func take(_ kind: Turn.Kind) -> Waiting? {
      let waits = waiting[kind, default: []]
      let serial = serialized < Turns.mostSerialized ? waits.firstIndex { $0.isSerialized } : nil
      guard let index = serial ?? waits.firstIndex(where: { !$0.isSerialized }) else { return nil }
      if waits[index].isSerialized { serialized += 1 }
      return waiting[kind]?.remove(at: index)
    }
  }
  private let state = Mutex(State())

  func begin(_ kind: Turn.Kind, isSerialized: Bool) async {
    await withCheckedContinuation { continuation in
      let next = state.withLock { state in
        state.waiting[kind, default: []].append(Waiting(isSerialized: isSerialized, continuation: continuation))
        return state.next()
      }
      for waiting in next { waiting.continuation.resume() }
    }
  }

  func end(_ kind: Turn.Kind, isSerialized: Bool) {
    let next = state.withLock { state in
      state.running[kind, default: 0] -= 1
      if isSerialized { state.serialized -= 1 }
      return state.next()
    }
    for waiting in next { waiting.continuation.resume() }
  }
}
