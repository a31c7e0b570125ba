import SagaCore
import Values
import Wire
import WorkflowEngine

extension TurnsResponse.Key {
  init(_ line: TurnLine, names: [UniqueID: SagaName]) {
    self.init(
      key: line.key, held: line.held, waiting: line.waiting,
      holders: line.holders.map { TurnsResponse.Claim($0, names: names) },
      waiters: line.waiters.map { TurnsResponse.Claim($0, names: names) })
  }
}

extension TurnsResponse.Claim {
  init(_ claim: TurnClaim, names: [UniqueID: SagaName] = [:]) {
    self.init(
      saga: claim.saga.description, title: names[claim.saga]?.title, workflow: claim.workflow, step: claim.step,
      phase: claim.phase.rawValue,
      limit: claim.limit, askedAt: claim.askedAt, takenAt: claim.takenAt, paused: claim.isPaused)
  }
}

extension SagaNow {
  /// Returns the turn of a step, or of the saga itself; nil when it neither holds nor waits for one.
  func turn(of step: String?) -> SagaResponse.Turn? {
    guard let turn = step.map(state.turn) ?? state.ownTurn else { return nil }
    let place = turns.first { $0.turn.step == step }
    return .init(
      key: turn.key, limit: turn.limit, phase: turn.phase.rawValue, askedAt: turn.askedAt, takenAt: turn.takenAt,
      ahead: turn.isTaken ? nil : place?.ahead, holders: (place?.holders ?? []).map { TurnsResponse.Claim($0) })
  }
}
