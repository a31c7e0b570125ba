import JSON
import Persistence
import SagaCore
import Values
import WorkflowEngine
import Workflows

/// Faults that an engine might have. The simulation runs an engine with each of them to show that the rules find it.
///
/// None of them is in the engine. One is a store that answers too early; the others are decisions that the engine is given
/// in place of its own (`Engine.Configuration.decide`).
public enum EngineFault: String, Sendable, CaseIterable {
  /// The store answers an append before it is stored, so that the engine acts on what a crash can lose.
  case answersBeforeAppend
  /// A saga that turns back undoes first what was done first.
  case undoesInForwardOrder
  /// A pivot that an operator skipped as done does not count as passed.
  case forgetsSkippedPivot
  /// A step that begins to wait does not look at the signals that are kept for it.
  case dropsKeptSignal
  /// Due times come half a second early.
  case firesEarly
  /// A refusal after an unknown attempt makes the round a clean failure.
  case forgetsUnknown
  /// The timeout is not looked at.
  case forgetsTimeout
  /// A turn that was held stays held for ever.
  case forgetsRelease
  /// A turn is given however many are held.
  case ignoresLimit
  /// All items of a step begin at once.
  case ignoresMaxParallel
  /// A step with items tolerates one failure more than its workflow says as a number.
  case toleratesOneMore
  /// A saga that compensates does not undo the items of a step.
  case forgetsItems
  /// An undo takes every signal of its name, whatever the signal says.
  case confirmsByAnySignal
  /// A child that undoes a step has undone it, however the child has ended.
  case takesAnyEndOfUndo

  /// The fault of the table of turns; nil when the fault lies elsewhere.
  var ofTurns: TurnFault? {
    switch self {
    case .forgetsRelease: .forgetsRelease
    case .ignoresLimit: .ignoresLimit
    case .answersBeforeAppend, .undoesInForwardOrder, .forgetsSkippedPivot, .dropsKeptSignal, .firesEarly,
      .forgetsUnknown, .forgetsTimeout, .ignoresMaxParallel, .toleratesOneMore, .forgetsItems, .confirmsByAnySignal,
      .takesAnyEndOfUndo:
      nil
    }
  }

  /// How the engine decides with this fault; nil when the fault lies elsewhere.
  var decide: Decide? {
    guard let events else { return nil }
    return { (command, state, definition, now, learned, isDraining) throws(Refusal) in
      (try events(command, state, definition, now, learned, isDraining), false)
    }
  }

  private typealias Events =
    @Sendable (SagaCommand, SagaState?, WorkflowDefinition, Timestamp, LearnedTimes, Bool) throws(Refusal) ->
    [SagaEvent]

  private var events: Events? {
    switch self {
    case .answersBeforeAppend, .forgetsRelease, .ignoresLimit: return nil
    case .undoesInForwardOrder:
      return { (command, state, definition, now, learned, isDraining) throws(Refusal) in
        let isTurningBack = state?.turnBack != nil
        return try Decider.decide(
          command, state, definition: isTurningBack ? definition.reversed : definition, now: now, learned: learned,
          isDraining: isDraining)
      }
    case .forgetsSkippedPivot:
      return { (command, state, definition, now, learned, isDraining) throws(Refusal) in
        var definition = definition
        if let state {
          let skipped = Set(state.steps.filter { $0.status == .skipped }.map(\.id))
          definition = definition.withoutPivots(skipped)
          if case .operate(let request) = command, case .skip(let step, _) = request.verb {
            definition = definition.withoutPivots([step])
          }
        }
        return try Decider.decide(
          command, state, definition: definition, now: now, learned: learned, isDraining: isDraining)
      }
    case .dropsKeptSignal:
      return { (command, state, definition, now, learned, isDraining) throws(Refusal) in
        let events = try Decider.decide(
          command, state, definition: definition, now: now, learned: learned, isDraining: isDraining)
        let ignored = events.indices.dropLast().first { index in
          guard let wait = events[index].what as? WaitStarted, wait.signal != nil else { return false }
          let next = events[index + 1]
          return next.step == wait.step && ["stepSucceeded", "keptSignalTaken"].contains(next.typeName)
        }
        return ignored.map { Array(events[...$0]) } ?? events
      }
    case .firesEarly:
      return { (command, state, definition, now, learned, isDraining) throws(Refusal) in
        try Decider.decide(
          command, state, definition: definition, now: now + .milliseconds(500), learned: learned,
          isDraining: isDraining
        ).map { SagaEvent(at: now, $0.what) }
      }
    case .forgetsUnknown:
      return { (command, state, definition, now, learned, isDraining) throws(Refusal) in
        try Decider.decide(
          command, state, definition: definition, now: now, learned: learned, isDraining: isDraining
        ).map { event in
          guard var failed = event.what as? StepFailed, failed.outcome == .unknown else { return event }
          failed.outcome = .failed
          return SagaEvent(at: event.at, failed)
        }
      }
    case .forgetsTimeout:
      return { (command, state, definition, now, learned, isDraining) throws(Refusal) in
        let events = try Decider.decide(
          command, state, definition: definition, now: now, learned: learned, isDraining: isDraining)
        let isTimeout = events.contains { event in
          (event.what as? TurnedBack)?.reason.cause == .timeout
        }
        return isTimeout ? [] : events
      }
    case .ignoresMaxParallel:
      return { (command, state, definition, now, learned, isDraining) throws(Refusal) in
        let changed = definition.withItems { forEach in
          ForEach(
            items: forEach.items, name: forEach.name, key: forEach.key, maxParallel: ForEach.mostParallel,
            tolerated: forEach.tolerated)
        }
        return try Decider.decide(
          command, state, definition: changed, now: now, learned: learned, isDraining: isDraining)
      }
    case .toleratesOneMore:
      return { (command, state, definition, now, learned, isDraining) throws(Refusal) in
        let changed = definition.withItems { forEach in
          guard case .count(let most) = forEach.tolerated else { return forEach }
          return ForEach(
            items: forEach.items, name: forEach.name, key: forEach.key, maxParallel: forEach.maxParallel,
            tolerated: .count(most + 1))
        }
        return try Decider.decide(
          command, state, definition: changed, now: now, learned: learned, isDraining: isDraining)
      }
    case .forgetsItems:
      return { (command, state, definition, now, learned, isDraining) throws(Refusal) in
        try Decider.decide(
          command, state, definition: definition.withoutUndoOfItems, now: now, learned: learned,
          isDraining: isDraining)
      }
    case .confirmsByAnySignal:
      return { (command, state, definition, now, learned, isDraining) throws(Refusal) in
        try Decider.decide(
          command, state, definition: definition.acceptingAllConfirmations, now: now, learned: learned,
          isDraining: isDraining)
      }
    case .takesAnyEndOfUndo:
      return { (command, state, definition, now, learned, isDraining) throws(Refusal) in
        try Decider.decide(
          command.withCompletedUndo, state, definition: definition, now: now, learned: learned, isDraining: isDraining)
      }
    }
  }
}

extension WorkflowDefinition {
  private func with(_ steps: [Step]) -> WorkflowDefinition {
    WorkflowDefinition(
      name: name, version: version, description: description, owner: owner, timeout: timeout, concurrency: concurrency,
      inputSchema: inputSchema,
      steps: steps, output: output, source: source)
  }

  /// The same steps, each before what it was behind.
  fileprivate var reversed: WorkflowDefinition {
    with(
      steps.map { step in
        step.changed(dependsOn: steps.filter { $0.dependsOn.contains(step.id) }.map(\.id), pivot: step.pivot)
      })
  }

  fileprivate func withoutPivots(_ ids: Set<String>) -> WorkflowDefinition {
    if ids.isEmpty { return self }
    return with(steps.map { $0.changed(dependsOn: $0.dependsOn, pivot: $0.pivot && !ids.contains($0.id)) })
  }

  fileprivate func withItems(_ change: (ForEach) -> ForEach) -> WorkflowDefinition {
    with(
      steps.map { step in
        step.changed(dependsOn: step.dependsOn, pivot: step.pivot, forEach: step.forEach.map(change))
      })
  }

  /// The same steps, with undos that accept every body of their signals.
  fileprivate var acceptingAllConfirmations: WorkflowDefinition {
    with(
      steps.map { step in
        guard let undo = step.undo, let signal = step.undoSignal else { return step }
        let all = Undo(
          action: .signal(SignalAction(name: signal.name)), timeout: undo.timeout, remind: undo.remind,
          expected: undo.expected, retry: undo.retry, appliesTo: undo.appliesTo, onFailure: undo.onFailure)
        return step.changed(dependsOn: step.dependsOn, pivot: step.pivot, compensation: .undo(all))
      })
  }

  fileprivate var withoutUndoOfItems: WorkflowDefinition {
    with(
      steps.map { step in
        step.forEach == nil
          ? step : step.changed(dependsOn: step.dependsOn, pivot: step.pivot, compensation: Compensation.none)
      })
  }
}

extension SagaCommand {
  /// The same command, with a completed child in the report on a child that undoes a step.
  fileprivate var withCompletedUndo: SagaCommand {
    guard case .child(let report) = self, report.phase == .undo, case .ended(let end) = report.content,
      let completed = ChildEnd(of: ChildLink(saga: end.child, workflow: end.workflow, version: 1), .succeeded(.null))
    else { return self }
    return .child(ChildReport(step: report.step, round: report.round, phase: .undo, .ended(completed)))
  }
}

extension Step {
  fileprivate func changed(
    dependsOn: [String], pivot: Bool, forEach: ForEach? = nil, compensation: Compensation? = nil
  ) -> Step {
    Step(
      id: id, description: description, index: index, dependsOn: dependsOn, group: group, members: members,
      pointer: pointer, action: action, forEach: forEach ?? self.forEach, poll: poll, concurrency: concurrency,
      when: when,
      timeout: timeout, remind: remind, expected: expected, retry: retry,
      compensation: compensation ?? self.compensation, pivot: pivot,
      onFailure: onFailure)
  }
}
