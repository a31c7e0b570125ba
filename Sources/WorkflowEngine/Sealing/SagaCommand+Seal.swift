import SagaCore
import Workflows

extension SagaCommand {
  /// The definition to which the command wants to move the saga.
  var target: WorkflowDefinition? {
    if case .operate(let request) = self { request.target?.definition } else { nil }
  }

  /// Checks that a saga in memory without a seal can take the command.
  /// - Throws: `Refusal` when it would need the key of sensitive values.
  func requireNoSeal(of state: SagaState?) throws(Refusal) {
    guard let state else { return }
    if let target, target.hasSensitiveParts, !state.start.isSealed {
      throw Refusal(
        EngineErrorCode.sagaNotMovable,
        "Version \(target.version) declares fields as sensitive, and the saga has begun without a key of its own. What it "
          + "has stored can't be sealed any more.")
    }
    // An ended child that opens again would send its values as they are stored.
    if case .undoForParent = self, state.start.isSealed { throw DataKeys.forgotten(state.id) }
  }

  /// Returns the command with a digest of its content that only the owner of a key can compute.
  func withDigests(by seal: SagaSeal) -> SagaCommand {
    guard case .operate(var request) = self, let digest = request.act.commandDigest else { return self }
    request.setDigest(String(seal.digest(of: Array(digest.utf8)).prefix(16)))
    return .operate(request)
  }
}
