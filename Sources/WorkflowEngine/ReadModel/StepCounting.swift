import Persistence
import SagaCore
import Values

/// Counts what steps do, by the minute.
struct StepCounting {
  private struct Place: Hashable {
    let workflow: String
    let step: String
    let at: Timestamp
  }
  private var minutes: [Place: StepMinute] = [:]

  var all: [StepMinute] { Array(minutes.values) }

  /// - Parameter before: the saga as it was when the event happened.
  mutating func note(_ event: SagaEvent, before: SagaState) {
    // A step with `forEach` counts as one, whatever its items do.
    guard let step = event.step, ItemID(step) == nil else { return }
    switch event.what {
    case let wait as WaitStarted: if wait.phase == .forward { count(step, event, before) { $0.started += 1 } }
    case is PollStarted, is ItemsOpened: count(step, event, before) { $0.started += 1 }
    case let started as AttemptStarted:
      // Further attempts are counted where the one before failed.
      guard started.phase == .forward, let earlier = before.step(step), earlier.status == .pending || earlier.isQueued
      else { return }
      count(step, event, before) { $0.started += 1 }
    case let failed as AttemptFailed:
      if failed.phase == .forward { count(step, event, before) { $0.retried += 1 } }
    case is StepSucceeded:
      count(step, event, before) { minute in
        minute.succeeded += 1
        guard let startedAt = before.step(step)?.startedAt else { return }
        minute.durations.add(milliseconds: event.at.milliseconds - startedAt.milliseconds)
      }
    case is StepFailed: count(step, event, before) { $0.failed += 1 }
    case is UndoSucceeded: count(step, event, before) { $0.undone += 1 }
    case let resolved as OperatorResolved:
      count(step, event, before) { minute in
        switch resolved.resolution {
        case .happened: minute.succeeded += 1
        case .undone: minute.undone += 1
        case .didNotHappen: break
        }
      }
    // No other kind is counted.
    default: break
    }
  }

  private mutating func count(
    _ step: String, _ event: SagaEvent, _ saga: SagaState, _ change: (inout StepMinute) -> Void
  ) {
    let place = Place(workflow: saga.start.workflow, step: step, at: StepMinute.of(event.at))
    change(&minutes[place, default: StepMinute(workflow: place.workflow, step: step, at: place.at)])
  }
}
