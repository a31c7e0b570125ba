import JSON
import SagaCore
import Synchronization
import Values
import WorkflowEngine

/// The records of the participants: every call that reached one of them, and the effect of each forward key.
///
/// A participant honours idempotency keys: under one key it does one thing once, and answers a repeat from memory. Some
/// participants keep tombstones: after an undo that comes first, the participant refuses the late command.
final class Books: Sendable {
  /// A call as it left the engine.
  struct Call: Sendable {
    let saga: UniqueID
    let step: String
    let phase: StepPhase
    let round: Int
    let attempt: Int
    let key: String
    let at: Timestamp
    /// When the call was sent, the store held the event that counts it.
    let isCounted: Bool
    /// For a look that the history does not have as an attempt: the engine's life and the saga's version when it was sent.
    let look: String?
  }

  /// The effect of one forward key.
  struct Effect: Sendable {
    var saga: UniqueID
    var step: String
    var round: Int
    var doneAt: Timestamp?
    var undoneAt: Timestamp?
    var tombstoneAt: Timestamp?
    /// Whether a person undid it, or found out its outcome, and reported that to the engine.
    var handledByHand = false
    var number = 0

    var stands: Bool { doneAt != nil && undoneAt == nil }
  }

  private struct State {
    var calls: [Call] = []
    var effects: [String: Effect] = [:]
    /// When the first look of a round arrived.
    var firstLooks: [String: Timestamp] = [:]
  }
  private let state = Mutex(State())

  var calls: [Call] { state.withLock { $0.calls } }
  var effects: [String: Effect] { state.withLock { $0.effects } }
  func effect(_ key: String) -> Effect? { state.withLock { $0.effects[key] } }

  func note(_ call: StepCall, at now: Timestamp, isCounted: Bool, look: String?) {
    state.withLock { state in
      state.calls.append(
        Call(
          saga: call.saga, step: call.step, phase: call.phase, round: call.round, attempt: call.attempt,
          key: call.idempotencyKey, at: now, isCounted: isCounted, look: look))
    }
  }

  /// A look arrives at its participant, which becomes ready after a time, and does nothing because of a look.
  func look(_ call: StepCall, _ poll: StepPlan.Poll, at now: Timestamp) -> StepOutcome {
    let first = state.withLock { state in
      let round = "\(call.saga)/\(call.step)/\(call.round)"
      let first = state.firstLooks[round] ?? now
      state.firstLooks[round] = first
      return first
    }
    let waited = (now - first).wholeMilliseconds
    let word = waited >= poll.readyAfterMs ? poll.end : waited * 2 >= poll.readyAfterMs ? "running" : "queued"
    return .answered(LookAnswer(status: 200, body: ["state": .string(word), "n": 1, "waited": .int(waited)]))
  }

  /// A command or an undo arrives at its participant.
  /// - Returns: what the participant answers.
  func take(_ call: StepCall, keepsTombstones: Bool, at now: Timestamp) -> StepOutcome {
    let key = call.compensates ?? call.idempotencyKey
    return state.withLock { state in
      let number = state.effects.count + 1
      var effect = state.effects[key] ?? Effect(saga: call.saga, step: call.step, round: call.round)
      defer { state.effects[key] = effect }
      switch call.phase {
      case .forward:
        if effect.tombstoneAt != nil {
          return .failed(StepFailure(code: "UNDONE_BEFORE", classes: ["http.409", "http.4xx"], message: "tombstone"))
        }
        if effect.doneAt == nil {
          effect.doneAt = now
          effect.number = number
        }
        return .succeeded(["n": .int(effect.number)])
      case .undo:
        if effect.doneAt != nil {
          if effect.undoneAt == nil { effect.undoneAt = now }
          return .succeeded(.null)
        }
        if keepsTombstones, effect.tombstoneAt == nil { effect.tombstoneAt = now }
        return .failed(
          StepFailure(
            code: "http.404", classes: ["http.4xx"], message: "nothing here", isGone: true,
            keepsTombstones: keepsTombstones))
      }
    }
  }

  /// An operator goes and undoes by hand what a key has done.
  func undoByHand(_ key: String, at now: Timestamp) {
    state.withLock { state in
      guard state.effects[key]?.doneAt != nil, state.effects[key]?.undoneAt == nil else { return }
      state.effects[key]?.undoneAt = now
    }
  }
}

/// A participant's behaviour for one call.
enum Behaviour: Sendable {
  /// Does it, and answers; over Kafka as often as there are pauses.
  case answers(after: Duration, again: [Duration])
  /// Does not do it, and says so.
  case refuses(after: Duration, code: String, isRetryable: Bool)
  /// The caller gets an error that leaves the outcome open. The participant does it then, later, or never.
  case fails(after: Duration, doneAfter: Duration?)
  /// No answer comes at all. The participant does it then, later, or never.
  case hangs(doneAfter: Duration?)
  /// The engine has no room for the call: it never leaves.
  case isNotMade(after: Duration)

  static func draw(_ dice: inout Dice, trouble: Int) -> Behaviour {
    let soon = dice.time(1...300)
    guard dice.chance(trouble) else {
      return .answers(after: soon, again: dice.chance(10) ? [dice.time(1...5_000)] : [])
    }
    let late: Duration? =
      switch dice.number(0...3) {
      case 0: nil
      case 1: dice.time(1...60_000)
      default: .zero
      }
    switch dice.number(0...9) {
    case 0: return .answers(after: dice.time(100...25_000), again: [])
    case 1: return .answers(after: soon, again: [dice.time(1...40_000), dice.time(1...40_000)])
    case 2, 3: return .refuses(after: soon, code: dice.pick(["QC_FAILED", "http.409"]), isRetryable: false)
    case 4: return .refuses(after: soon, code: "BUSY", isRetryable: true)
    case 5, 6: return .fails(after: soon, doneAfter: late)
    case 7, 8: return .hangs(doneAfter: late)
    default: return .isNotMade(after: soon)
    }
  }
}
