import Persistence
import Runtime
import SagaCore
import Values
import Workflows

/// Learns the expected time of each step from the read model's statistics, for workflows that declare none
/// (`docs/operating.md`).
actor ExpectationLearner {
  /// The time from which runs count. A quiet weekend has little weight in it, and it still follows a service that has
  /// become slower.
  static let window = Duration.seconds(7 * 86_400)
  /// The fewest runs to learn from. With fewer, the slowest one in a hundred is a guess.
  static let leastSamples = 100
  /// The share of runs that are usual. A run slower than 99 of 100 is not unusual; one that takes twice as long is.
  static let share = 0.99
  static let factor = 2
  /// The shortest expected time that is learned. Steps of a few milliseconds are often late because of a short delay;
  /// people need not know.
  static let least = Duration.seconds(10)
  static let refreshEvery = Duration.seconds(60)
  /// The time between two reads of all statistics. Only the last hours change as sagas run. A full read also finds the
  /// results of a rebuild of the read model.
  static let readAllEvery = Duration.seconds(3_600)

  private typealias Hours = [Timestamp: [String: DurationHistogram]]

  private let host: SagaHost
  private let store: any SagaReadStore
  private var hours: [String: Hours] = [:]
  private var allReadAt: Timestamp?

  init(host: SagaHost, store: any SagaReadStore) {
    self.host = host
    self.store = store
  }

  /// Updates the expected times until the task is cancelled.
  func run() async throws {
    while true {
      try await host.environment.sleep(for: Self.refreshEvery)
      await refresh()
    }
  }

  /// Learns from the current statistics. If the read model is unavailable, the expected times do not change.
  func refresh() async {
    let now = host.environment.now()
    let readsAll = allReadAt.map { now - $0 >= Self.readAllEvery } ?? true
    var earlier: Set<String> = []
    do {
      for workflow in Set(host.definitions.all.map(\.definition.name)) {
        let times = try await times(of: workflow, now: now, readsAll: readsAll)
        if host.expectations.learn(times, of: workflow) { earlier.insert(workflow) }
      }
      if readsAll { allReadAt = now }
    } catch {
      host.log.warning("What steps usually take can't be learned now", ("error", error.message))
    }
    if !earlier.isEmpty { await host.expectationsChanged(earlier) }
  }

  private func times(of workflow: String, now: Timestamp, readsAll: Bool) async throws(StoreError) -> LearnedTimes {
    let beginning = Self.hour(now + (.zero - Self.window))
    // This hour and the one before are read, because the read model may be behind.
    let from = readsAll || hours[workflow] == nil ? beginning : Self.hour(now + .seconds(-3_600))
    let minutes = try await store.minutes(workflow: workflow, MomentRange(from: from))
    var kept = (hours[workflow] ?? [:]).filter { $0.key >= beginning && $0.key < from }
    for minute in minutes {
      kept[Self.hour(minute.at), default: [:]][minute.step, default: DurationHistogram()].merge(minute.durations)
    }
    hours[workflow] = kept
    var steps: [String: DurationHistogram] = [:]
    for hour in kept.values {
      for (step, durations) in hour { steps[step, default: DurationHistogram()].merge(durations) }
    }
    return steps.compactMapValues(Self.expected)
  }

  /// Returns the expected time of a step with these durations; nil when there are too few runs.
  static func expected(_ durations: DurationHistogram) -> ExpectedTime? {
    let count = durations.count
    guard count >= leastSamples, let slow = durations.quantile(share) else { return nil }
    return .learned(max(least, .milliseconds(slow) * factor), samples: count)
  }

  private static func hour(_ moment: Timestamp) -> Timestamp {
    let minute = StepMinute.of(moment).milliseconds
    let hour = minute - minute % 3_600_000
    return Timestamp(milliseconds: hour)
  }
}
