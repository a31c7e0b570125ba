import SagaCore
import Synchronization

/// What has been learned of how long steps take, by workflow: a table that sagas read whenever they decide.
final class Expectations: Sendable {
  private let table = Mutex<[String: LearnedTimes]>([:])

  func of(_ workflow: String) -> LearnedTimes { table.withLock { $0[workflow] ?? [:] } }

  /// - Returns: whether something may now be due earlier than before.
  func learn(_ times: LearnedTimes, of workflow: String) -> Bool {
    let before = table.withLock { table in
      defer { table[workflow] = times }
      return table[workflow] ?? [:]
    }
    return times.contains { step, time in before[step].map { time.duration < $0.duration } ?? true }
  }
}
