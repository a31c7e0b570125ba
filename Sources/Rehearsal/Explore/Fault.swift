import SagaCore
import Workflows

/// One thing that goes wrong at one step, at the first item of a step with `forEach`, or at several items.
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
    /// No worker takes the task.
    case neverTaken
    case crashes(beforeRecord: Bool)
    case signalNever
    case signalRefused
    /// The answers never end the poll.
    case pollNever
    /// An answer meets the poll's `failWhen`.
    case pollFails
    /// The turn of a step with `concurrency` never comes: another saga holds it for ever.
    case turnNever
    /// The time of the group runs out while a member is under way: the engine is down for so long.
    case groupTimesOut(member: String, downtime: Duration)
    /// The participant refuses every attempt of these items: more than their step tolerates.
    case itemsFail([String])
    /// The first attempts of the undo fail, and the next one succeeds.
    case undoFails(times: Int)
    case undoFailsForGood
    case undoTimesOut(happened: Bool)
    case undoCrashes(beforeRecord: Bool)
    /// The signal that confirms the undo never comes.
    case undoSignalNever
    case undoSignalRefused
    /// An operator abandons the child that the undo has started.
    case undoAbandoned
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
    case .fails, .timesOut, .answersLate, .arrivesLate, .neverTaken, .crashes, .signalNever, .signalRefused, .pollNever,
      .pollFails, .turnNever, .groupTimesOut, .itemsFail:
      .forward
    case .undoFails, .undoFailsForGood, .undoTimesOut, .undoCrashes, .undoSignalNever, .undoSignalRefused,
      .undoAbandoned:
      .undo
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
    case .neverTaken: "no worker takes its task"
    case .crashes(beforeRecord: true): "the engine crashes before it records the answer"
    case .crashes(beforeRecord: false): "the engine crashes after it recorded the answer"
    case .signalNever: "the signal never comes"
    case .signalRefused: "only a refused signal comes"
    case .pollNever: "no answer ends its poll"
    case .pollFails: "an answer fails its poll"
    case .turnNever: "its turn never comes"
    case .groupTimesOut(let member, _): "its time runs out while \(member) is under way"
    case .itemsFail(let items): "\(items.count) items fail for good, more than it tolerates"
    case .undoFails(let times): "its undo fails \(times == 1 ? "once" : "\(times) times"), then succeeds"
    case .undoFailsForGood: "its undo fails for good"
    case .undoTimesOut(happened: true): "its undo times out after it happened"
    case .undoTimesOut(happened: false): "its undo times out without having happened"
    case .undoCrashes(beforeRecord: true): "the engine crashes before it records the undo"
    case .undoCrashes(beforeRecord: false): "the engine crashes after it recorded the undo"
    case .undoSignalNever: "the signal that confirms its undo never comes"
    case .undoSignalRefused: "its undo gets only a refused signal"
    case .undoAbandoned: "the child that undoes it is abandoned"
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
    case .neverTaken: "neverTaken"
    case .crashes(beforeRecord: true): "crashBeforeRecord"
    case .crashes(beforeRecord: false): "crashAfterRecord"
    case .signalNever: "signalNever"
    case .signalRefused: "signalRefused"
    case .pollNever: "pollNever"
    case .pollFails: "pollFails"
    case .turnNever: "turnNever"
    case .groupTimesOut: "groupTimesOut"
    case .itemsFail: "tooManyItemsFail"
    case .undoFails: "undoFailsThenSucceeds"
    case .undoFailsForGood: "undoFails"
    case .undoTimesOut(happened: true): "undoTimesOutHappened"
    case .undoTimesOut(happened: false): "undoTimesOutNotHappened"
    case .undoCrashes(beforeRecord: true): "undoCrashBeforeRecord"
    case .undoCrashes(beforeRecord: false): "undoCrashAfterRecord"
    case .undoSignalNever: "undoSignalNever"
    case .undoSignalRefused: "undoSignalRefused"
    case .undoAbandoned: "undoChildAbandoned"
    }
  }

  var crash: VirtualCrash? {
    switch kind {
    case .crashes(beforeRecord: true): VirtualCrash(.beforeRecord(step: step, phase: .forward, attempt: 1))
    case .crashes(beforeRecord: false): VirtualCrash(.afterRecord(step: step, phase: .forward, attempt: 1))
    case .groupTimesOut(let member, let downtime):
      VirtualCrash(.beforeRecord(step: member, phase: .forward, attempt: 1), downtime: downtime)
    case .undoCrashes(beforeRecord: true): VirtualCrash(.beforeRecord(step: step, phase: .undo, attempt: 1))
    case .undoCrashes(beforeRecord: false): VirtualCrash(.afterRecord(step: step, phase: .undo, attempt: 1))
    case .fails, .timesOut, .answersLate, .arrivesLate, .neverTaken, .signalNever, .signalRefused, .pollNever,
      .pollFails,
      .turnNever, .itemsFail, .undoFails, .undoFailsForGood, .undoTimesOut, .undoSignalNever, .undoSignalRefused,
      .undoAbandoned:
      nil
    }
  }

  /// Whether the fault happens only with a body that must be found: a signal, or an answer to a poll.
  var needsBody: Bool {
    switch kind {
    case .signalRefused, .pollNever, .pollFails, .undoSignalRefused: true
    case .fails, .timesOut, .answersLate, .arrivesLate, .neverTaken, .crashes, .signalNever, .turnNever, .groupTimesOut,
      .itemsFail, .undoFails, .undoFailsForGood, .undoTimesOut, .undoCrashes, .undoSignalNever, .undoAbandoned:
      false
    }
  }

  /// Returns whether the fault happened in a run.
  func happened(in run: VirtualRun) -> Bool {
    switch kind {
    case .signalRefused:
      run.events.contains { ($0.what as? SignalRefused)?.refusal.step == step } && !run.succeeded(step)
    case .undoSignalRefused:
      run.events.contains { ($0.what as? SignalRefused)?.refusal.step == step } && !run.undone.contains(step)
    case .pollNever: failure(in: run)?.code == EngineErrorCode.pollTimeout
    // The answer may have a code of its own.
    case .pollFails:
      failure(in: run).map { $0.code == EngineErrorCode.pollFailed || $0.classes.contains(EngineErrorCode.pollFailed) }
        ?? false
    case .fails, .timesOut, .answersLate, .arrivesLate, .neverTaken, .crashes, .signalNever, .turnNever, .groupTimesOut,
      .itemsFail, .undoFails, .undoFailsForGood, .undoTimesOut, .undoCrashes, .undoSignalNever, .undoAbandoned:
      true
    }
  }

  private func failure(in run: VirtualRun) -> StepFailure? {
    run.events.lazy.compactMap { $0.what as? StepFailed }.first { $0.step == step }?.failure
  }

  // MARK: What can happen to a step

  /// Returns what can go wrong while a step goes forward.
  static func forward(of step: Step, in definition: WorkflowDefinition) -> [Kind] {
    ofAction(step, in: definition) + (step.concurrency == nil ? [] : [.turnNever])
  }

  private static func ofAction(_ step: Step, in definition: WorkflowDefinition) -> [Kind] {
    switch step.action {
    case .http, .kafka:
      var kinds: [Kind] = [.fails, .timesOut(happened: false), .timesOut(happened: true), .answersLate]
      if let poll = step.poll { kinds += poll.failWhen == nil ? [.pollNever] : [.pollNever, .pollFails] }
      if step.undo != nil { kinds.append(.arrivesLate) }
      return kinds + [.crashes(beforeRecord: true), .crashes(beforeRecord: false)]
    case .task:
      var kinds: [Kind] = [
        .fails, .neverTaken, .timesOut(happened: false), .timesOut(happened: true), .answersLate,
      ]
      if step.undo != nil { kinds.append(.arrivesLate) }
      return kinds + [.crashes(beforeRecord: true), .crashes(beforeRecord: false)]
    // A child has no deadline of its parent, and its end is never lost.
    case .workflow: return [.fails, .crashes(beforeRecord: true), .crashes(beforeRecord: false)]
    case .signal(let signal):
      // A step without schema and condition takes every signal of its name.
      return signal.schema == nil && signal.accept == nil ? [.signalNever] : [.signalNever, .signalRefused]
    case .group:
      guard let timeout = step.timeout, let member = firstCall(in: step, definition) else { return [] }
      return [.groupTimesOut(member: member.id, downtime: timeout + .seconds(1))]
    case .delay, .fail: return []
    }
  }

  /// Returns the first step of a group, or of a group inside it, that is called.
  private static func firstCall(in group: Step, _ definition: WorkflowDefinition) -> Step? {
    for member in group.members.lazy.compactMap({ definition.step($0) }) {
      if let call = member.action.isAttempted ? member : firstCall(in: member, definition) { return call }
    }
    return nil
  }

  /// Returns what can go wrong while a step is undone.
  static func undo(of step: Step) -> [Kind] {
    guard let undo = step.undo else { return [] }
    let crashes: [Kind] = [.undoCrashes(beforeRecord: true), .undoCrashes(beforeRecord: false)]
    if let signal = step.undoSignal {
      return signal.schema == nil && signal.accept == nil ? [.undoSignalNever] : [.undoSignalNever, .undoSignalRefused]
    }
    if step.undoWorkflow != nil {
      // The engine starts another child after one that was compensated.
      let children = undo.retry.policy(for: [EngineErrorCode.childUndone]).maxAttempts
      let again: [Kind] = children > 1 ? [.undoFails(times: children - 1)] : []
      let late: [Kind] = undo.timeout == nil ? [] : [.undoTimesOut(happened: true), .undoTimesOut(happened: false)]
      return again + [.undoFailsForGood, .undoAbandoned] + late + crashes
    }
    if undo.action.isWorkflow { return [.undoFailsForGood] + crashes }
    let attempts = undo.retry.policy(for: Self.outage).maxAttempts
    return (attempts > 1 ? [.undoFails(times: attempts - 1)] : []) + [
      .undoFailsForGood, .undoTimesOut(happened: true), .undoTimesOut(happened: false),
    ] + crashes
  }

  /// The codes of an answer that says nothing about the work, and may be better next time.
  static let outage = ["http.503", "http.5xx"]
}
