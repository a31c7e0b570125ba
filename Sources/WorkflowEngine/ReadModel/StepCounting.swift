import Persistence
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
    switch event.what {
    case .waitStarted(let step, _, _):
      count(step, event, before) { $0.started += 1 }
    case .attemptStarted(let step, phase: .forward, _, _, _):
      // Further attempts are counted where the one before failed.
      if before.step(step)?.status == .pending { count(step, event, before) { $0.started += 1 } }
    case .attemptFailed(let step, phase: .forward, _, _, _, _):
      count(step, event, before) { $0.retried += 1 }
    case .stepSucceeded(let step, _, _):
      count(step, event, before) { minute in
        minute.succeeded += 1
        guard let startedAt = before.step(step)?.startedAt else { return }
        minute.durations.add(milliseconds: event.at.milliseconds - startedAt.milliseconds)
      }
    case .stepFailed(let step, _, _, _):
      count(step, event, before) { $0.failed += 1 }
    case .undoSucceeded(let step, _):
      count(step, event, before) { $0.undone += 1 }
    case .operatorResolved(let step, let resolution, _, _, _):
      count(step, event, before) { minute in
        switch resolution {
        case .happened: minute.succeeded += 1
        case .undone: minute.undone += 1
        case .didNotHappen: break
        }
      }
    case .sagaStarted, .stepSkipped, .attemptStarted, .attemptFailed, .attemptNotMade, .stepProgressed,
      .answerIgnored, .signalReceived, .signalRefused, .keptSignalTaken, .keptSignalRefused, .turnBackRequested,
      .turnBackLapsed, .turnedBack,
      .undoFailed, .operatorRetried, .operatorSkipped, .operatorRanNow, .operatorExtended, .rewindStarted,
      .rewindFinished, .sagaPaused, .sagaResumed, .stepOverdue, .sagaOverdue, .sagaCompleted, .sagaCompensated,
      .sagaAbandoned:
      break
    }
  }

  private mutating func count(
    _ step: String, _ event: SagaEvent, _ saga: SagaState, _ change: (inout StepMinute) -> Void
  ) {
    let place = Place(workflow: saga.start.workflow, step: step, at: StepMinute.of(event.at))
    change(&minutes[place, default: StepMinute(workflow: place.workflow, step: step, at: place.at)])
  }
}
