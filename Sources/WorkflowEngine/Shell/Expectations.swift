import SagaCore
import Synchronization

/// The learned expected times of steps, by workflow. Sagas read this table for every decision.
final class Expectations: Sendable {
  private let table = Mutex<[String: LearnedTimes]>([:])

  func of(_ workflow: String) -> LearnedTimes { table.withLock { $0[workflow] ?? [:] } }

  /// - Returns: whether a step may now become overdue earlier than before.
  func learn(_ times: LearnedTimes, of workflow: String) -> Bool {
    let before = table.withLock { table in
      defer { table[workflow] = times }
      return table[workflow] ?? [:]
    }
    return times.contains { step, time in before[step].map { time.duration < $0.duration } ?? true }
  }
}
