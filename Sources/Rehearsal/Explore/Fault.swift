import SagaCore
import Workflows

/// One thing that goes wrong at one step.
public struct Fault: Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    /// The participant refuses every attempt.
    case fails
    /// No attempt gets an answer.
    case timesOut(happened: Bool)
    /// The work is done and answered after the deadline of its attempt.
    case answersLate
    /// No attempt gets an answer, and the work reaches the participant a day later.
    case arrivesLate
    case crashes(beforeRecord: Bool)
    case signalNever
    case signalRefused
    /// The first attempts of the undo fail, and the next one succeeds.
    case undoFails(times: Int)
    case undoFailsForGood
    case undoTimesOut(happened: Bool)
    case undoCrashes(beforeRecord: Bool)
  }

  public let step: String
  public let kind: Kind

  public init(_ step: String, _ kind: Kind) {
    self.step = step
    self.kind = kind
  }

  /// The phase in which the fault happens.
  public var phase: StepPhase {
    switch kind {
    case .fails, .timesOut, .answersLate, .arrivesLate, .crashes, .signalNever, .signalRefused: .forward
    case .undoFails, .undoFailsForGood, .undoTimesOut, .undoCrashes: .undo
    }
  }

  /// What happens, as the rest of a sentence that begins with the step.
  public var words: String {
    switch kind {
    case .fails: "fails for good"
    case .timesOut(happened: true): "times out after it happened"
    case .timesOut(happened: false): "times out without having happened"
    case .answersLate: "answers after its deadline"
    case .arrivesLate: "times out and arrives after its undo"
    case .crashes(beforeRecord: true): "the engine crashes before it records the answer"
    case .crashes(beforeRecord: false): "the engine crashes after it recorded the answer"
    case .signalNever: "the signal never comes"
    case .signalRefused: "only a refused signal comes"
    case .undoFails(let times): "its undo fails \(times == 1 ? "once" : "\(times) times"), then succeeds"
    case .undoFailsForGood: "its undo fails for good"
    case .undoTimesOut(happened: true): "its undo times out after it happened"
    case .undoTimesOut(happened: false): "its undo times out without having happened"
    case .undoCrashes(beforeRecord: true): "the engine crashes before it records the undo"
    case .undoCrashes(beforeRecord: false): "the engine crashes after it recorded the undo"
    }
  }

  /// The name of the kind for programs.
  public var name: String {
    switch kind {
    case .fails: "fails"
    case .timesOut(happened: true): "timesOutHappened"
    case .timesOut(happened: false): "timesOutNotHappened"
    case .answersLate: "answersLate"
    case .arrivesLate: "arrivesAfterUndo"
    case .crashes(beforeRecord: true): "crashBeforeRecord"
    case .crashes(beforeRecord: false): "crashAfterRecord"
    case .signalNever: "signalNever"
    case .signalRefused: "signalRefused"
    case .undoFails: "undoFailsThenSucceeds"
    case .undoFailsForGood: "undoFails"
    case .undoTimesOut(happened: true): "undoTimesOutHappened"
    case .undoTimesOut(happened: false): "undoTimesOutNotHappened"
    case .undoCrashes(beforeRecord: true): "undoCrashBeforeRecord"
    case .undoCrashes(beforeRecord: false): "undoCrashAfterRecord"
    }
  }

  var crash: VirtualCrash? {
    switch kind {
    case .crashes(beforeRecord: true): VirtualCrash(.beforeRecord(step: step, phase: .forward, attempt: 1))
    case .crashes(beforeRecord: false): VirtualCrash(.afterRecord(step: step, phase: .forward, attempt: 1))
    case .undoCrashes(beforeRecord: true): VirtualCrash(.beforeRecord(step: step, phase: .undo, attempt: 1))
    case .undoCrashes(beforeRecord: false): VirtualCrash(.afterRecord(step: step, phase: .undo, attempt: 1))
    case .fails, .timesOut, .answersLate, .arrivesLate, .signalNever, .signalRefused, .undoFails, .undoFailsForGood,
      .undoTimesOut:
      nil
    }
  }

  // MARK: What can happen to a step

  /// Returns what can go wrong while a step goes forward.
  static func forward(of step: Step) -> [Kind] {
    switch step.action {
    case .http, .kafka:
      var kinds: [Kind] = [.fails, .timesOut(happened: false), .timesOut(happened: true), .answersLate]
      if case .undo = step.compensation { kinds.append(.arrivesLate) }
      return kinds + [.crashes(beforeRecord: true), .crashes(beforeRecord: false)]
    case .signal(let signal):
      // A step without schema and condition takes every signal of its name.
      return signal.schema == nil && signal.accept == nil ? [.signalNever] : [.signalNever, .signalRefused]
    case .delay, .fail, .group: return []
    }
  }

  /// Returns what can go wrong while a step is undone.
  static func undo(of step: Step) -> [Kind] {
    guard case .undo(let undo) = step.compensation else { return [] }
    let attempts = undo.retry.policy(for: Self.outage).maxAttempts
    return (attempts > 1 ? [.undoFails(times: attempts - 1)] : []) + [
      .undoFailsForGood, .undoTimesOut(happened: true), .undoTimesOut(happened: false),
      .undoCrashes(beforeRecord: true), .undoCrashes(beforeRecord: false),
    ]
  }

  /// The codes of an answer that says nothing about the work, and may be better next time.
  static let outage = ["http.503", "http.5xx"]
}
