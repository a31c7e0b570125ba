import JSON
import Values
import Workflows

// The calls of a saga as its history has them. What was sent is rendered again, because rendering reads the state alone.
// What was answered is in the event that ends the call.
//
// The engine renders a call from the state after the append that has its `AttemptStarted`. So does the trail. A look of a
// poll that the history does not have as an attempt is rendered from the state before the event that has its answer.

/// One call that the engine made to a participant.
public struct PastCall: Sendable, Hashable {
  /// The version of the event by which the history knows of the call.
  public let version: Int
  public let step: String
  public let phase: StepPhase
  public let round: Int
  /// Nil for a look that the history does not have as an attempt.
  public let attempt: Int?
  /// The number of the look in its poll's timetable; nil for other calls.
  public internal(set) var look: Int?
  public let at: Timestamp
  /// What was sent. Nil when the attempt ended before the engine made the call.
  public internal(set) var sent: StepCall?
  /// Nil while the call is under way.
  public internal(set) var end: End?

  public struct End: Sendable, Hashable {
    public enum Outcome: String, Sendable, Hashable, CaseIterable {
      case succeeded
      /// The answer to a look: the poll goes on.
      case answered
      case failed, unknown
      /// The engine did not send it.
      case notSent
    }
    public let at: Timestamp
    public let outcome: Outcome
    /// Nil when no answer came, and in histories of earlier versions.
    public let answer: CallAnswer?
    /// The whole body of the answer, when the history has it as the step's output.
    public let output: JSON?
    /// Why the call failed, or why no answer came.
    public let failure: StepFailure?
  }
}

/// Collects calls while a history is folded.
package struct CallTrail: Sendable {
  /// The definitions that the saga followed, as far as they are known.
  private let definition: @Sendable (SagaDefinition) -> WorkflowDefinition?
  /// The step whose calls are wanted; nil for all steps.
  private let step: String?
  /// Calls of events up to this version are left out.
  private let after: Int
  private let limit: Int
  package private(set) var calls: [PastCall] = []
  /// Whether more calls follow.
  package private(set) var hasMore = false
  /// The calls under way, by their steps.
  private var open: [String: Int] = [:]
  /// The calls to render at the end of their append.
  private var unrendered: [Int] = []

  /// - Parameter definition: returns a definition that the saga followed. A call without one is not rendered.
  package init(
    step: String?, after: Int, limit: Int, _ definition: @escaping @Sendable (SagaDefinition) -> WorkflowDefinition?
  ) {
    self.definition = definition
    self.step = step
    self.after = after
    self.limit = limit
  }

  /// Whether later events change nothing of the page any more.
  package var isDone: Bool { hasMore && open.isEmpty }

  /// Whether a call of an event after this version belongs to the page. Its rendering needs the items of the saga.
  package func mayRender(after version: Int) -> Bool { version >= after && !hasMore }

  /// Takes the next event, before it is folded.
  /// - Parameters:
  ///   - version: the version of the event.
  ///   - state: the state before the event.
  package mutating func note(_ event: SagaEvent, version: Int, before state: SagaState) {
    guard let id = event.step, step == nil || step == id else { return }
    switch event.what {
    case let started as AttemptStarted:
      begin(
        PastCall(
          version: version, step: id, phase: started.phase, round: started.round, attempt: started.attempt,
          at: event.at))
    case let failed as AttemptFailed:
      let outcome: PastCall.End.Outcome = failed.isUnknown ? .unknown : .failed
      if open[id] == nil, let look = failed.look {
        noteLook(look, at: failed.failure.answer?.look?.at ?? event.at, id, version, state)
      }
      end(id, event.at, outcome, failure: failed.failure)
    case let left as AttemptNotMade: end(id, event.at, .notSent, failure: left.failure)
    case let succeeded as StepSucceeded:
      let output = succeeded.output
      if let look = output.answer?.look { noteLook(look.number, at: look.at, id, version, state) }
      end(
        id, event.at, .succeeded, answer: output.answer, output: output.problem == nil ? output.value : nil,
        failure: output.problem)
    case let failed as StepFailed:
      if let look = failed.failure.answer?.look { noteLook(look.number, at: look.at, id, version, state) }
      end(id, event.at, failed.outcome == .unknown ? .unknown : .failed, failure: failed.failure)
    case let answered as PollAnswered:
      if answered.attempt == nil { noteLook(answered.look, at: answered.lookedAt, id, version, state) }
      end(id, event.at, .answered, answer: answered.reply ?? CallAnswer(status: answered.answer.status))
    case let undone as UndoSucceeded: end(id, event.at, .succeeded, answer: undone.answer)
    case let failed as UndoFailed:
      end(id, event.at, failed.isUnknown ? .unknown : .failed, failure: failed.failure)
    default: break
    }
  }

  /// Continues with the state after the event.
  /// - Parameter isEndOfAppend: whether the engine acted on this state.
  package mutating func noteFolded(_ state: SagaState, isEndOfAppend: Bool) {
    guard isEndOfAppend, !unrendered.isEmpty else { return }
    if let definition = definition(state.definition) {
      for index in unrendered where calls[index].end == nil { calls[index].render(state, definition) }
    }
    unrendered = []
  }

  /// Notes a call that begins.
  private mutating func begin(_ call: PastCall) {
    guard call.version > after else { return }
    guard calls.count < limit else {
      hasMore = true
      return
    }
    open[call.step] = calls.count
    unrendered.append(calls.count)
    calls.append(call)
  }

  /// Notes a look of which the history has the end alone.
  private mutating func noteLook(_ number: Int, at time: Timestamp, _ id: String, _ version: Int, _ state: SagaState) {
    guard version > after, let round = state.step(id)?.round else { return }
    guard calls.count < limit else {
      hasMore = true
      return
    }
    var call = PastCall(
      version: version, step: id, phase: .forward, round: round, attempt: nil, look: number, at: time)
    if let definition = definition(state.definition) { call.renderLook(number, state, definition) }
    open[id] = calls.count
    calls.append(call)
  }

  private mutating func end(
    _ id: String, _ time: Timestamp, _ outcome: PastCall.End.Outcome, answer: CallAnswer? = nil, output: JSON? = nil,
    failure: StepFailure? = nil
  ) {
    guard let index = open.removeValue(forKey: id) else { return }
    calls[index].end = PastCall.End(
      at: time, outcome: outcome, answer: answer ?? failure?.answer, output: output, failure: failure?.alone)
  }
}

extension PastCall {
  fileprivate mutating func render(_ state: SagaState, _ definition: WorkflowDefinition) {
    guard let index = state.index(of: step), let (phase, inFlight) = state.steps[index].inFlight, phase == self.phase,
      inFlight.number == attempt, case .call(let call)? = Decider.call(of: index, in: state, definition: definition)
    else { return }
    sent = call
    look = inFlight.polling?.look
  }

  fileprivate mutating func renderLook(_ number: Int, _ state: SagaState, _ definition: WorkflowDefinition) {
    guard let index = state.index(of: step), definition.steps.indices.contains(ItemPlace.step(of: index)),
      case .call(let call) = Decider.look(number, of: index, in: state, definition: definition, now: at)
    else { return }
    sent = call
  }
}
