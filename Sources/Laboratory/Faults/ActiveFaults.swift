import JSON
import Runtime
import Synchronization

/// The faults of a running laboratory, and the calls that a fault withholds.
final class ActiveFaults: Sendable {
  private struct State {
    var plan: FaultPlan
    var nextHold = 0
    var holds: [Int: AsyncStream<Never>.Continuation] = [:]
    var closed = false
  }
  private let state: Mutex<State>
  private let environment: Environment
  /// The longest time for which a call is withheld. Then the server closes the connection.
  private static let longestHold = Duration.seconds(600)

  init(plan: FaultPlan, environment: Environment) {
    state = Mutex(State(plan: plan))
    self.environment = environment
  }

  var json: JSON { state.withLock { $0.plan.json } }
  func replace(with plan: FaultPlan) {
    state.withLock { $0.plan = plan }
  }
  func add(_ faults: [Fault]) { state.withLock { $0.plan.add(faults) } }

  func strike(_ service: LabService, _ command: String, texts: [String]) -> Fault.Kind? {
    state.withLock { $0.plan.strike(service, command, texts: texts) }
  }

  func strike(person signal: String, texts: [String]) -> Fault.Kind? {
    state.withLock { $0.plan.strike(person: signal, texts: texts) }
  }

  func wait(_ duration: Duration) async throws {
    try await environment.sleep(for: duration)
  }

  /// Withholds a call. Returns when the laboratory closes, when the caller's task is cancelled, or after ten minutes.
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
        // The hold ends when the sleep ends or is cancelled.
        try? await environment.sleep(for: Self.longestHold)
      }
      await group.next()
      group.cancelAll()
    }
    state.withLock { _ = $0.holds.removeValue(forKey: id) }
  }

  /// Ends all withheld calls; from now on no call is withheld.
  func close() {
    let holds = state.withLock { state in
      state.closed = true
      defer { state.holds = [:] }
      return Array(state.holds.values)
    }
    for hold in holds { hold.finish() }
  }
}
