public import JSON
import SagaCore
public import Values

/// A held saga: processes died while they computed it, so it waits for an operator.
public struct HeldSaga: Sendable, Hashable {
  public let id: UniqueID
  public let since: Timestamp
  /// Whether the engine could pause it. If the process died of the pause too, the engine does not read the saga at all.
  /// Only a start with `--take-up-held` brings it back.
  public let isPaused: Bool

  public init(id: UniqueID, since: Timestamp, isPaused: Bool) {
    self.id = id
    self.since = since
    self.isPaused = isPaused
  }

  public var json: JSON {
    [
      "id": .string(id.description), "since": .string(since.description), "paused": .bool(isPaused),
    ]
  }

  init?(_ json: JSON) {
    guard let id = json["id"]?.stringValue.flatMap({ UniqueID($0) }),
      let since = json["since"]?.stringValue.flatMap({ Timestamp($0) }), let isPaused = json["paused"]?.boolValue
    else { return nil }
    self.init(id: id, since: since, isPaused: isPaused)
  }
}

/// The actor's name when the engine itself pauses a saga.
enum HeldBy {
  static let actor = "engine"
  static let way = "recovery"
}

extension SagaState {
  /// Whether the engine itself paused the saga, because processes died while they computed it.
  package var isHeld: Bool {
    // A request always names another way, so no caller can pause a saga like this.
    pause.map { $0.value.by == HeldBy.actor && $0.value.from == HeldBy.way } ?? false
  }
}
