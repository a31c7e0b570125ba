import Persistence
import Values

extension Operation {
  /// Folds one more event.
  package static func evolve(_ operation: inout Operation?, _ stored: StoredEvent) throws {
    evolve(&operation, try OperationEvent(stored), id: stored.stream, version: stored.version)
  }

  static func evolve(_ operation: inout Operation?, _ event: OperationEvent, id: UniqueID, version: Int) {
    if case .started(let plan, let count, let at) = event {
      operation = Operation(id: id, version: version, plan: plan, count: count, startedAt: at)
      return
    }
    operation?.take(event, version: version)
  }

  private mutating func take(_ event: OperationEvent, version: Int) {
    self.version = version
    switch event {
    case .started: break
    case .selected(let sagas): plan.sagas += sagas
    case .approved(let decision):
      approved = decision
      status = .running
    case .declined(let decision):
      declined = decision
      end(.declined, at: decision.at)
    case .acted(let new, _):
      for result in new where results.updateValue(result, forKey: result.saga) == nil {
        if result.refusal == nil { done += 1 } else { refused += 1 }
      }
    case .stopped(let decision):
      stopped = decision
      end(.stopped, at: decision.at)
    case .finished(let at): end(.finished, at: at)
    }
  }

  private mutating func end(_ status: Status, at moment: Timestamp) {
    self.status = status
    endedAt = moment
  }

  /// The sagas that the operation has not reached yet.
  var remaining: [UniqueID] { plan.sagas.filter { results[$0] == nil } }
}
