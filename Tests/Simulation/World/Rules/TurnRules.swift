import Runtime
import Values

/// Compares the turns of all sagas: at most as many as the limit are held, and they are given in the order of asking.
struct TurnRules {
  /// One turn of a saga.
  struct Claim {
    let saga: String
    let step: String
    let key: String
    let limit: Int
    let askedAt: Timestamp
    /// When the engine knew for certain that the store has the question; nil when that is not known.
    let knownAt: Timestamp?
    var takenAt: Timestamp?
    var endedAt: Timestamp?
    /// Whether the saga was paused between the question and the end.
    var wasPaused: Bool
  }

  private var claims: [Claim] = []

  /// How long the engine may take to act on an answer of the store.
  private static let margin = Duration.seconds(1)

  /// - Parameter turnsKnown: when the engine got the store's answer to an event, by saga and version.
  init(_ sagas: [Rules.SagaRecord], turnsKnown: [String: Timestamp]) {
    for saga in sagas { add(saga, turnsKnown) }
  }

  private mutating func add(_ saga: Rules.SagaRecord, _ turnsKnown: [String: Timestamp]) {
    var open: [String: Int] = [:]
    var isPaused = false
    for fact in saga.facts {
      switch fact.type {
      case "turnAsked":
        open[fact.step] = claims.count
        claims.append(
          Claim(
            saga: saga.name, step: fact.step, key: fact.text("key") ?? "", limit: fact.number("limit"),
            askedAt: fact.at, knownAt: turnsKnown["\(saga.id)/\(fact.version)"], wasPaused: isPaused))
      case "turnTaken": if let index = open[fact.step] { claims[index].takenAt = fact.at }
      case "turnReleased": if let index = open.removeValue(forKey: fact.step) { claims[index].endedAt = fact.at }
      case "sagaCompleted", "sagaCompensated", "sagaAbandoned":
        for index in open.values { claims[index].endedAt = fact.at }
        open = [:]
      case "sagaPaused":
        isPaused = true
        for index in open.values { claims[index].wasPaused = true }
      case "sagaResumed": isPaused = false
      default: break
      }
    }
  }

  func check() -> [Violation] {
    var violations: [Violation] = []
    for (index, claim) in claims.enumerated() {
      guard let takenAt = claim.takenAt else { continue }
      let others = claims.indices.filter { $0 != index && claims[$0].key == claim.key }
      let held = others.filter { isHeld($0, at: takenAt, before: index) }.map { claims[$0] }
      let limit = held.reduce(claim.limit) { min($0, $1.limit) }
      if held.count >= limit {
        let names = held.map { "\($0.saga) \($0.step)" }.joined(separator: ", ")
        violations.append(
          Violation(
            "16 turns never beyond the limit", claim.saga,
            "\(claim.step) takes a turn of \(claim.key) at \(takenAt), limit \(limit), held by \(names)"))
      }
      // With a larger limit, one whose turn has come may need longer to take it than the one behind it.
      guard claim.limit == 1 else { continue }
      for other in others.map({ claims[$0] }) where isBefore(other, claim, at: takenAt) {
        violations.append(
          Violation(
            "17 turns in the order of asking", claim.saga,
            "\(claim.step) takes a turn of \(claim.key) before \(other.saga) \(other.step), which asked at "
              + "\(other.askedAt)"))
      }
    }
    return violations
  }

  private func isHeld(_ index: Int, at time: Timestamp, before other: Int) -> Bool {
    guard let takenAt = claims[index].takenAt, (takenAt, index) < (time, other) else { return false }
    return claims[index].endedAt.map { $0 > time } ?? true
  }

  private func isBefore(_ one: Claim, _ other: Claim, at time: Timestamp) -> Bool {
    guard !one.wasPaused, let knownAt = one.knownAt, knownAt + Self.margin < other.askedAt else { return false }
    return (one.takenAt.map { $0 > time } ?? true) && (one.endedAt.map { $0 > time } ?? true)
  }
}
