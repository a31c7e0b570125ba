import JSON
import Runtime
import Values

// What an operator's verbs make of a step, beside `StepState+Transitions.swift`.
extension StepState {
  mutating func skip(output: JSON?, at moment: Timestamp) -> Bool {
    switch status {
    case .pending, .waiting: break
    case .backingOff: guard outcome != .unknown else { return false }
    case .failed: guard consequence == .blocks, outcome != .unknown else { return false }
    case .running, .succeeded, .skipped, .undoing, .undone, .undoFailed: return false
    }
    status = .skipped
    skippedByOperator = true
    self.output = output
    failure = nil
    consequence = nil
    forward.settle()
    endedAt = moment
    return true
  }

  /// The next attempt, or the end of a delay, comes now.
  mutating func makeDue(at moment: Timestamp) -> Bool {
    switch status {
    case .backingOff: forward.retryAt = moment
    case .undoing:
      guard undo.inFlight == nil else { return false }
      undo.retryAt = moment
    case .waiting:
      guard waitingFor == nil else { return false }
      waitUntil = moment
    case .pending, .running, .succeeded, .failed, .skipped, .undone, .undoFailed: return false
    }
    return true
  }

  /// What it failed of keeps nobody waiting any more, and what it waited for has to come again.
  mutating func prepareRewind() -> Bool {
    switch status {
    case .undoing, .undone, .undoFailed: return false
    case .failed: consequence = .settles
    case .pending, .running, .backingOff, .waiting, .succeeded, .skipped: break
    }
    waitingFor = nil
    return true
  }

  /// As it was in the beginning, but in a new round: participants answer an old one from memory.
  mutating func beginAgain() -> Bool {
    switch status {
    case .running, .backingOff, .waiting, .undoing: return false
    case .undoFailed: guard !undoBlocks else { return false }
    case .pending, .succeeded, .failed, .skipped, .undone: break
    }
    var again = StepState(id: id)
    again.round = round + 1
    again.input = input
    self = again
    return true
  }

  mutating func letTimePass(_ length: Duration) {
    forward.retryAt = forward.retryAt.map { $0 + length }
    undo.retryAt = undo.retryAt.map { $0 + length }
    if status == .waiting { waitUntil = waitUntil.map { $0 + length } }
    underWaySince = underWaySince.map { $0 + length }
    if let since = overdue?.since { overdue?.since = since + length }
  }

  /// While the saga's clock stands, what is set to so long from now counts from the moment at which it stands.
  /// - Parameter standing: how long it has stood.
  mutating func holdMoments(since before: StepState, of event: SagaEvent, standing: Duration) {
    // An operator who puts a moment off says it as it stands.
    if case .operatorExtended = event.what { return }
    func held(_ moment: Timestamp?, _ before: Timestamp?) -> Timestamp? {
      guard let moment, moment != before else { return moment }
      return moment - standing
    }
    forward.retryAt = held(forward.retryAt, before.forward.retryAt)
    undo.retryAt = held(undo.retryAt, before.undo.retryAt)
    if status == .waiting { waitUntil = held(waitUntil, before.waitUntil) }
    underWaySince = held(underWaySince, before.underWaySince)
  }
}

extension Timestamp {
  fileprivate static func - (moment: Timestamp, length: Duration) -> Timestamp { moment + (Duration.zero - length) }
}
