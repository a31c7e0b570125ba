import JSON
import SagaCore
import Values

// The participants of a virtual saga: what each of them does with a call, and the account of what they did.

/// A call as it reaches its participant in virtual time.
public struct VirtualCall: Sendable, Hashable {
  public let call: StepCall
  /// When the engine sent it.
  public let at: Timestamp
  /// The place of the call among all calls of the saga, from 1.
  public let number: Int
  /// Whether the work of the call's forward key is in effect at the participant.
  public let isInEffect: Bool
  /// Whether an undo of the forward key has reached the participant.
  public let isUndone: Bool
  /// The number of calls to undo the step that the engine sent before.
  let undos: Int
}

/// What a participant does with one call.
public struct PlannedAnswer: Sendable, Hashable {
  /// The answer; nil when no answer ever comes. Then the attempt ends at its timeout with an unknown outcome.
  public var outcome: StepOutcome?
  /// The time from the sending of the call to its answer. An answer at the timeout, or after it, is late.
  public var after: Duration
  /// The time from the sending of the call until its work has taken effect; nil when the work is never done. The work of
  /// an undo is that it undoes.
  public var effect: Duration?
  /// Whether the participant answers each later call of the step alike. Then looks of a poll that would say nothing new
  /// are skipped.
  public var isLast = false
  /// Whether a worker takes the call, when it is a task. No worker takes it: the task ends with its wait.
  public var isTaken = true

  public init(_ outcome: StepOutcome?, after: Duration, effect: Duration?) {
    self.outcome = outcome
    self.after = after
    self.effect = effect
  }

  /// The time that a participant needs for a call when a plan doesn't say it.
  public static let usualTime = Duration.milliseconds(50)

  /// Does the work and says so.
  public static func succeeds(_ output: JSON, after: Duration = usualTime) -> PlannedAnswer {
    PlannedAnswer(.succeeded(output), after: after, effect: after)
  }

  /// Does nothing and says so.
  public static func fails(_ failure: StepFailure, after: Duration = usualTime) -> PlannedAnswer {
    PlannedAnswer(.failed(failure), after: after, effect: nil)
  }

  /// Never answers.
  /// - Parameter happens: whether the work is done.
  public static func neverAnswers(happens: Bool) -> PlannedAnswer {
    PlannedAnswer(nil, after: .zero, effect: happens ? usualTime : nil)
  }
}

extension StepCall {
  /// Returns the outcome of a success. Over HTTP it has a status and headers.
  /// - Parameter head: an object with the members `status` and `headers`. A status that does not mean success is replaced.
  func success(_ output: JSON, head: JSON? = nil) -> StepOutcome {
    guard case .http(let http) = action else { return .succeeded(output) }
    let wanted = head?["status"]?.intValue.flatMap { status in
      http.success.contains { $0.contains(status) } ? status : nil
    }
    var headers: [String: String] = [:]
    for (name, value) in head?["headers"]?.objectValue ?? [:] { headers[name] = value.stringValue ?? value.text() }
    return .answered(
      LookAnswer(status: wanted ?? http.success.first?.lowerBound ?? 200, headers: headers, body: output))
  }
}

/// A call that the engine sent, with what its participant did.
public struct SentCall: Sendable, Hashable {
  public let call: StepCall
  public let at: Timestamp
  public let answer: PlannedAnswer
}

/// What really happened at the participants. Only their work counts here, never the engine's record of it.
public struct ParticipantAccount: Sendable, Hashable {
  /// The work under one idempotency key: one round of a step.
  public struct Work: Sendable, Hashable {
    public let step: String
    public let round: Int
    /// When the work took effect first; nil if never.
    public internal(set) var happenedAt: Timestamp?
    /// When an undo took effect first; nil if never.
    public internal(set) var undoneAt: Timestamp?
    /// Whether the work happened and is not undone.
    public internal(set) var isInEffect = false
    /// Whether the participant refused the command because its undo had come before.
    public internal(set) var isRefusedLate = false

    /// Returns whether it is work of a step, of an item, or of any item of a step.
    func isOf(_ id: String) -> Bool { step == id || ItemID.step(of: step) == id }
  }

  /// In the order in which calls reached the participants.
  public private(set) var works: [Work] = []
  /// Whether a participant refuses a command that comes after its undo.
  public let keepsTombstones: Bool

  init(keepsTombstones: Bool) { self.keepsTombstones = keepsTombstones }

  /// Returns whether the work of a step, or of one of its items, took effect, in any round.
  public func happened(_ step: String) -> Bool { works.contains { $0.isOf(step) && $0.happenedAt != nil } }

  /// Returns whether work of a step is in effect, in any round.
  public func isInEffect(_ step: String) -> Bool { works.contains { $0.isOf(step) && $0.isInEffect } }

  /// The steps whose work is in effect, in the order in which their calls came.
  public var inEffect: [String] { steps { $0.isInEffect } }

  /// The steps whose work took effect and was undone in every round, in the order of their undos.
  public var undone: [String] {
    let undone = works.filter { $0.happenedAt != nil && $0.undoneAt != nil }
      .sorted { ($0.undoneAt ?? .distantPast) < ($1.undoneAt ?? .distantPast) }
    var steps: [String] = []
    for work in undone where !steps.contains(work.step) && !isInEffect(work.step) { steps.append(work.step) }
    return steps
  }

  private func steps(_ matches: (Work) -> Bool) -> [String] {
    var steps: [String] = []
    for work in works where matches(work) && !steps.contains(work.step) { steps.append(work.step) }
    return steps
  }

  func work(_ step: String, round: Int) -> Work? { works.first { $0.step == step && $0.round == round } }

  /// Records that a call took effect. A repeat under the same key changes nothing.
  mutating func takeEffect(_ step: String, round: Int, _ phase: StepPhase, at time: Timestamp) {
    let index: Int
    if let known = works.firstIndex(where: { $0.step == step && $0.round == round }) {
      index = known
    } else {
      index = works.count
      works.append(Work(step: step, round: round))
    }
    switch phase {
    case .forward:
      if works[index].undoneAt != nil, keepsTombstones {
        works[index].isRefusedLate = works[index].happenedAt == nil
        return
      }
      works[index].happenedAt = works[index].happenedAt ?? time
      works[index].isInEffect = true
    case .undo:
      // Without tombstones, an undo of what isn't there leaves no trace.
      guard works[index].isInEffect || keepsTombstones else { return }
      works[index].undoneAt = works[index].undoneAt ?? time
      works[index].isInEffect = false
    }
  }
}

extension Timestamp {
  fileprivate static let distantPast = Timestamp(milliseconds: .min)
}
