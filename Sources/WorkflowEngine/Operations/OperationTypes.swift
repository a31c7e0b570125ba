public import JSON
public import Persistence
import SagaCore
public import Values

/// The sagas of an operation.
public enum OperationTarget: Sendable {
  /// - Parameter asked: the filter as it was requested, for the history.
  case filter(SagaQuery, asked: JSON)
  case sagas([UniqueID])
}

/// A request for a verb on many sagas.
public struct OperationRequest: Sendable {
  public var verb: OperatorVerb
  public var target: OperationTarget
  /// The selection of the preview; required with a filter.
  public var selection: String?
  public var pace: OperationPace
  public var expectedVersion: Int?
  public var act: OperatorAct

  public init(
    _ verb: OperatorVerb, _ target: OperationTarget, selection: String? = nil, pace: OperationPace = OperationPace(),
    expectedVersion: Int? = nil, by act: OperatorAct
  ) {
    self.verb = verb
    self.target = target
    self.selection = selection
    self.pace = pace
    self.expectedVersion = expectedVersion
    self.act = act
  }
}

/// The effects that an operation would have now. Nothing of it is stored.
public struct OperationPreview: Sendable {
  public struct Item: Sendable {
    public let saga: UniqueID
    /// Nil when the saga can't be read.
    public let workflow: String?
    public let status: SagaStatus?
    /// Why the saga doesn't take the verb in its current state; nil when it takes it.
    public let refusal: OperationResult.Reason?
  }
  public let items: [Item]
  public let needsApproval: Bool

  /// The name of exactly these sagas. An operation that begins with it acts on exactly these, or does not begin.
  public var selection: String { Self.selection(of: items.map(\.saga)) }

  static func selection(of sagas: [UniqueID]) -> String {
    let text = sagas.sorted().map(\.description).joined(separator: "\n")
    return String(Digest.hex(Array(text.utf8)).prefix(16))
  }
}

/// One page of operations, the newest first.
public struct OperationPage: Sendable {
  /// The operations, each as `Operation.json`.
  public let operations: [JSON]
  public let next: DocumentCursor?
}
