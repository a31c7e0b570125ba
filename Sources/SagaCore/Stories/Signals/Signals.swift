import JSON
import Values
import Workflows

// Signals: one message goes to one step, once. The first waiting step of a signal's name whose `accept` is true takes
// it. The undo of a step may wait for a signal as a step does; the signal then confirms the undo. An early signal is kept, and each step that begins to wait checks the kept signals in their order. A signal's
// identity survives rewinds, restarts and snapshots: the same signal again changes nothing.

/// A signal as it was sent.
public struct SignalGiven: Sendable, Hashable {
  public let name: String
  /// The id of this signal among those of its name: an Idempotency-Key, a message's identity, or an id that the engine
  /// made for a post without a key. Nil only in histories that older versions wrote.
  public let id: String?
  public let body: JSON
  public let by: String
  /// The way that the signal came: `rest 10.0.0.7`, `kafka saga.commands`. Older events lack it.
  public let from: String?
  /// The laboratory roles of the sender. Nil when no sender is compared with the roles of signals, as on an engine
  /// without keys; older events lack it too.
  public let roles: [String]?

  public init(
    name: String, id: String? = nil, body: JSON, by: String, from: String? = nil, roles: [String]? = nil
  ) {
    self.name = name
    self.id = id
    self.body = body
    self.by = by
    self.from = from
    self.roles = roles
  }

  init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      name: try data.string("signal"), id: data.optionalString("signalId"), body: try data.value("body"),
      by: try data.string("by"), from: data.optionalString("from"), roles: data.optionalStrings("roles"))
  }

  /// Returns the same signal with an id if it has none. Keys never contain a blank, so this id differs from every key.
  package func named(by id: UniqueID) -> SignalGiven {
    self.id == nil ? SignalGiven(name: name, id: "post \(id)", body: body, by: by, from: from, roles: roles) : self
  }

}

/// A signal that was refused, as the history keeps it.
public struct SignalRefusal: Sendable, Hashable {
  public let name: String
  public let id: String?
  /// SHA-256 of the canonical body, the first 32 hexadecimal digits.
  public let digest: String
  /// The length of the canonical body.
  public let bytes: Int
  /// Nil when the body is longer than `longestBody`.
  public let body: JSON?
  public let by: String
  public let from: String?
  public let code: String
  public let message: String
  /// The step whose `accept` refused it, if one did.
  public let step: String?

  /// The longest body, in bytes, that is kept of a refused signal. Of a longer body only the digest is kept.
  package static let longestBody = 4_096
}

/// A signal that a saga has received, and its result.
public struct ReceivedSignal: Sendable, Hashable {
  /// The wait that took a signal. Each round of a step takes one, and its undo another one.
  public struct Wait: Sendable, Hashable {
    public let step: String
    public let round: Int
    public let phase: StepPhase

    init(step: String, round: Int, phase: StepPhase = .forward) {
      self.step = step
      self.round = round
      self.phase = phase
    }
  }
  public enum Fate: Sendable, Hashable {
    /// No step has taken it yet.
    case kept
    /// One step took it. (An older version gave one signal to several.)
    case taken([Wait])
    case refused(code: String, message: String)
    /// It was kept, and a rewind dropped it.
    case dropped
  }

  public let name: String
  public let id: String?
  public let digest: String
  public let by: String
  public let from: String?
  /// The laboratory roles of its sender, while it is kept; nil when they are not compared.
  public internal(set) var roles: [String]?
  public let at: Timestamp
  /// The number of its event in the saga's history.
  public let version: Int
  /// Nil once the signal is no longer kept.
  public internal(set) var body: JSON?
  /// The length of the canonical body.
  public let bytes: Int
  public internal(set) var fate: Fate

  package var isKept: Bool { fate == .kept }
}

/// The result of a signal.
public struct SignalAnswer: Sendable, Hashable {
  public enum Word: String, Sendable {
    /// A step was waiting for it.
    case taken
    /// It came early and is kept.
    case kept
  }
  public let word: Word
  /// Whether the same signal had come before; nothing changed then.
  public let isRepeat: Bool
  /// The step that took it.
  public let step: String?
  /// Whether the step took it for itself or for its undo; nil while no step has.
  public let phase: StepPhase?
  /// The steps that may still take it, while it is kept.
  public let candidates: [String]
  /// The first sender, and the time of the first signal.
  public let by: String
  public let at: Timestamp
  /// The number of its event in the saga's history.
  public let version: Int
}

/// The limits on the signals of a saga.
package enum SignalLimits {
  /// The most kept signals. The limit on the bytes of their canonical bodies follows.
  package static let kept = 100
  package static let keptBytes = 8 << 20
  /// The most signals of one saga, whatever their results.
  package static let all = 10_000
}

// MARK: Identity

extension SagaState {
  /// Returns the digest of a signal's body. Two spellings of one value have one digest.
  package func digest(of body: JSON) -> String { String(opener.digest(of: body.bytes(.canonical)).prefix(32)) }

  /// Returns the signal that has this identity and this body; nil for a new one.
  /// - Parameter formerIDs: the ids that an older version would have given it.
  package func known(_ given: SignalGiven, formerIDs: [String] = []) -> ReceivedSignal? {
    let named = named(given, formerIDs)
    guard !named.isEmpty else { return nil }
    let digest = digest(of: given.body)
    return named.first { $0.digest == digest }
  }

  func named(_ given: SignalGiven, _ formerIDs: [String]) -> [ReceivedSignal] {
    guard let id = given.id else { return [] }
    return signals.filter { signal in
      guard let known = signal.id, signal.name.hasSameScalars(as: given.name) else { return false }
      // A signal with a source was written under the ids of this version.
      return known.hasSameScalars(as: id)
        || (signal.from == nil && formerIDs.contains { known.hasSameScalars(as: $0) })
    }
  }

  /// Returns the result of a signal that the saga has received.
  /// - Throws: `Refusal` when it was refused, or when it was kept and no step can take it any more.
  package func answer(
    to given: SignalGiven, formerIDs: [String] = [], isRepeat: Bool, _ definition: WorkflowDefinition
  ) throws(Refusal) -> SignalAnswer {
    guard let signal = known(given, formerIDs: formerIDs) else {
      throw Refusal(EngineErrorCode.signalTooLate, "The saga does not know the signal “\(given.name)”.")
    }
    let first = isRepeat ? "This is a repeat: \(signal.by) sent it at \(signal.at). " : ""
    func answer(
      _ word: SignalAnswer.Word, by wait: ReceivedSignal.Wait? = nil, candidates: [String] = []
    ) -> SignalAnswer {
      SignalAnswer(
        word: word, isRepeat: isRepeat, step: wait?.step, phase: wait?.phase, candidates: candidates, by: signal.by,
        at: signal.at, version: signal.version)
    }
    switch signal.fate {
    case .taken(let waits): return answer(.taken, by: waits.first)
    case .refused(let code, let message): throw Refusal(code, first + message)
    case .dropped:
      throw Refusal(
        EngineErrorCode.signalDropped,
        first + "It was kept, and a rewind of the saga let it go: send it under a new key, if it still holds.")
    case .kept:
      let steps = Decider(self, definition: definition, now: signal.at).candidates(for: signal)
      guard end == nil, !steps.isEmpty else {
        throw Refusal(
          EngineErrorCode.signalDropped, first + "It was kept, and no step took it: none can take it any more.")
      }
      return answer(.kept, candidates: steps)
    }
  }
}
