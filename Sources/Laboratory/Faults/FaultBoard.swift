import JSON
import Runtime
import Synchronization

/// The faults of a running laboratory, and the calls that it keeps waiting for ever.
final class FaultBoard: Sendable {
  private struct State {
    var plan: FaultPlan
    var nextHold = 0
    var holds: [Int: AsyncStream<Never>.Continuation] = [:]
    var closed = false
    /// How often the answer was lost to each key whose client may not have noticed yet.
    var lost: [String: Int] = [:]
  }
  private let state: Mutex<State>
  private let environment: Environment
  /// Nobody waits longer for an answer; then the server lets go of the connection.
  private static let longestHold = Duration.seconds(600)

  init(plan: FaultPlan, environment: Environment) {
    state = Mutex(State(plan: plan))
    self.environment = environment
  }

  var json: JSON { state.withLock { $0.plan.json } }
  func replace(with plan: FaultPlan) {
    state.withLock { state in
      state.plan = plan
      state.lost = [:]
    }
  }
  func add(_ faults: [Fault]) { state.withLock { $0.plan.add(faults) } }

  func strike(_ service: LabService, _ command: String, key: String, texts: [String]) -> Fault.Kind? {
    state.withLock { state in
      // The client's own repeat of a call whose answer was lost: the same hit, which isn't counted again.
      if state.lost[Self.name(service, key)] != nil { return .dropAnswer }
      return state.plan.strike(service, command, texts: texts)
    }
  }

  /// An answer is about to be lost.
  ///
  /// An HTTP client repeats a call by itself when a kept connection breaks, as that may have been closed before the call
  /// arrived; whoever made the call would never hear of the loss. On a new connection the client gives up. So the answer
  /// is lost again until it has been on a new connection, or so often that no client tries once more.
  func lose(_ service: LabService, key: String, onNewConnection: Bool) {
    let name = Self.name(service, key)
    state.withLock { state in
      let times = state.lost[name, default: 0] + 1
      state.lost[name] = onNewConnection || times >= Self.mostTries ? nil : times
    }
  }

  /// libcurl repeats a call five times at most.
  private static let mostTries = 6

  private static func name(_ service: LabService, _ key: String) -> String { "\(service.rawValue)/\(key)" }

  func wait(_ duration: Duration) async throws {
    try await environment.clock.sleep(until: environment.now() + duration)
  }

  /// Gives no answer. Returns when the laboratory closes, the caller's task is cancelled, or after ten minutes.
  func hold() async {
    let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
    let id = state.withLock { state -> Int? in
      if state.closed { return nil }
      state.nextHold += 1
      state.holds[state.nextHold] = continuation
      return state.nextHold
    }
    guard let id else { return }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { for await _ in stream {} }
      group.addTask { [environment] in
        // A cancelled sleep ends the hold as its end does.
        try? await environment.clock.sleep(until: environment.now() + Self.longestHold)
      }
      await group.next()
      group.cancelAll()
    }
    state.withLock { _ = $0.holds.removeValue(forKey: id) }
  }

  /// Lets all held calls go; none is held from now on.
  func close() {
    let holds = state.withLock { state in
      state.closed = true
      defer { state.holds = [:] }
      return Array(state.holds.values)
    }
    for hold in holds { hold.finish() }
  }
}
