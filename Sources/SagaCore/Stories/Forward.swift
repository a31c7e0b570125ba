import JSON
import Values
import Workflows

// Going forward. A step begins when the steps before it are passed and its `when` is true. A saga completes when all
// steps are passed.

extension Decider {
  /// Begins every step that is ready, makes every attempt that is due, and completes the saga when nothing is left.
  mutating func goForward() {
    var candidates = state.sets.backingOff.union(state.sets.pending).union(state.sets.queued)
    for step in state.sets.open where hasItems(step) { candidates.insert(step) }
    var last = -1
    while state.turnBack == nil, let step = candidates.next(after: last) ?? candidates.first {
      if isSpent { return }
      candidates.remove(step)
      last = step
      let (before, wasRequested) = (events.count, state.requestedTurnBack != nil)
      switch state.steps[step].stage {
      case .pending: if state.requestedTurnBack == nil, isInOpenGroup(step), isReady(step) { begin(step) }
      case .queued:
        if state.requestedTurnBack == nil, isInOpenGroup(step), state.turn(of: id(step))?.isTaken == true {
          perform(step)
        }
      case .backingOff(let until): if until <= now, mayRetry(step) { perform(step) }
      case .open: if hasItems(step) { advanceItems(step) } else { _ = closeGroup(step) }
      case .running, .waiting, .polling, .succeeded, .failed, .skipped, .undoing, .undoBackingOff, .undoWaiting,
        .undone,
        .undoFailed:
        break
      }
      guard events.count > before else { continue }
      decideTurningBack()
      if state.turnBack != nil {
        turnBack()
        return
      }
      if wasRequested, state.requestedTurnBack == nil {
        candidates = candidates.union(
          state.sets.backingOff.union(state.sets.pending).union(state.sets.queued).union(state.sets.open))
      } else if let item = ItemPlace(step) {
        candidates.insert(item.step)
      } else {
        candidates.formUnion(
          state.sets.pending.union(state.sets.open).intersection(definition.transitiveDependents[step]))
        for member in definition.members[step] { candidates.insert(member) }
      }
    }
    completeIfDone()
  }

  private func isReady(_ step: Int) -> Bool {
    // Not `allSatisfy(isReached)`: a method as an argument copies the whole decider.
    definition.dependencies[step].allSatisfy { isReached($0) }
  }

  /// Returns whether the steps that depend on the step may start. An operator may have skipped the step before its
  /// turn. Then the steps before it have to be passed as well.
  private func isReached(_ step: Int) -> Bool {
    guard state.sets.passed.contains(step) else { return false }
    return !state.steps[step].isSkippedByOperator || isReady(step)
  }

  /// Returns whether a step may be retried. While a request to start compensation waits for a pivot, only that pivot
  /// is. A group inside a late group opens again only with that one.
  func mayRetry(_ step: Int) -> Bool {
    state.rewind == nil && (state.requestedTurnBack == nil || rules(of: step).pivot)
      && (!rules(of: step).action.isGroup || isInOpenGroup(step))
  }

  private mutating func begin(_ step: Int) {
    guard let condition = definition.steps[step].when else { return perform(step) }
    let document = state.document(reading: condition.reads)
    if let error = condition.obstacle(in: document) {
      fail(step, StepFailure(code: error.code, message: error.message))
      return
    }
    do {
      if try measured({ meter throws(ExpressionError) in try condition.holds(in: document, meter: meter) }) {
        perform(step)
      } else {
        emit(StepSkipped(step: id(step)))
        skipMembers(of: step)
      }
    } catch {
      // The condition has no value, so the step neither runs nor is skipped.
      fail(step, StepFailure(code: error.code, message: "The step's condition: \(error.message)."))
    }
  }

  /// Makes an attempt or waits, for the first time or again.
  mutating func perform(_ step: Int) {
    guard mayBegin(step) else { return }
    if hasItems(step), let forEach = definition.steps[step].forEach { return openItems(step, forEach) }
    switch rules(of: step).action {
    case .http, .kafka:
      if let poll = rules(of: step).poll { startPolling(step, poll) } else { startAttempt(step) }
    case .task: startAttempt(step)
    case .workflow: startChild(step)
    case .signal(let signal): waitForSignal(step, signal)
    case .delay(let delay): waitForTime(step, delay)
    case .fail(let action): failOnPurpose(step, action)
    case .group: openGroup(step)
    }
  }

  /// Fails a step whose action is `fail`. Nothing was sent, so its outcome is that nothing happened.
  private mutating func failOnPurpose(_ step: Int, _ action: FailAction) {
    do throws(ExpressionError) {
      var message = "The workflow fails here on purpose."
      if let template = action.message {
        let document = state.document(for: state.steps[step], reading: template.reads)
        message = try measured { meter throws(ExpressionError) in
          try template.renderRequired(in: document, meter: meter)
        }
      }
      fail(step, StepFailure(code: action.code, message: message))
    } catch {
      fail(step, StepFailure(code: error.code, message: error.message))
    }
  }

  mutating func succeed(_ step: Int, output: StepOutput) {
    emit(StepSucceeded(step: id(step), output: output, isPivot: rules(of: step).pivot))
  }

  /// Fails the step. What follows depends on the saga's state and on the outcome of the round.
  mutating func fail(
    _ step: Int, _ failure: StepFailure, isUnknown: Bool = false, outcome given: RoundOutcome? = nil
  ) {
    let (now, rules) = (state.steps[step], self.rules(of: step))
    let attempted = now.forward.count > 0
    let outcome = given ?? (attempted ? now.outcome.after(attemptUnknown: isUnknown) : .none)
    let consequence: FailureConsequence =
      if state.turnBack != nil || state.isRewinding(now.id) {
        .settles
      } else if ItemPlace(step) != nil {
        // How many items may fail is for their step.
        .goesOn
      } else if rules.pivot && outcome == .unknown {
        .blocks
      } else if rules.onFailure == .continue {
        .goesOn
      } else if isPivotPassed || rules.onFailure == .stuck {
        .blocks
      } else {
        .turnsBack
      }
    emit(StepFailed(step: now.id, outcome: outcome, failure: failure, consequence: consequence))
  }

  private mutating func completeIfDone() {
    guard state.end == nil, state.areAllPassed else { return }
    guard let template = definition.output else {
      emit(SagaCompleted(output: .null, errors: []))
      return
    }
    let document = state.document
    let (output, failures) = measured { template.renderMembers(in: document, meter: $0) }
    let errors = failures.map { failure in
      OutputError(
        path: failure.pointer.description, expression: failure.error.query,
        StepFailure(code: failure.error.code, message: failure.error.message))
    }
    emit(SagaCompleted(output: output, errors: errors))
  }
}

extension SagaState {
  /// Whether every step is passed: then the saga is done.
  var areAllPassed: Bool { sets.passed.count == steps.count }
}

// MARK: Events

/// The step's `when` is false, and the saga continues without it.
public struct StepSkipped: SagaEventContent {
  public static let typeName = "stepSkipped"
  public let step: String
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self { Self(step: try data.string("step")) }

  public func write(to data: inout JSONObject) { data["step"] = .string(step) }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      guard step.stage == .pending else { return false }
      step.stage = .skipped(byOperator: false)
      step.endedAt = at
      return true
    }
  }

  public var timeline: [TimelineNote] { [.mark("skipped \(step)")] }
}

/// The step succeeded.
public struct StepSucceeded: SagaEventContent {
  public static let typeName = "stepSucceeded"
  public let step: String
  public let output: StepOutput
  /// Whether the step is a pivot, which is passed now.
  public let isPivot: Bool
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(step: try data.string("step"), output: try StepOutput(data), isPivot: data.flag("pivot"))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["output"] = output.value
    data["outputProblem"] = output.problem?.json
    data["answer"] = output.answer?.json
    data["pivot"] = isPivot ? true : nil
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    saga.noteWaitEnded(step)
    try saga.update(step, by: Self.typeName, at: at) { step in
      guard step.status == .running || step.status == .waiting, !step.isQueued else { return false }
      step.noteAnsweredTask(code: nil)
      step.succeed(output: output, at: at)
      return true
    }
    if isPivot { saga.passPivot() }
  }

  public var timeline: [TimelineNote] { [.close(step: step, outcome: "succeeded")] }
}

extension StepState {
  mutating func succeed(output: StepOutput, at time: Timestamp) {
    stage = .succeeded
    outcome = .succeeded
    self.output = output.value
    outputProblem = output.problem
    answer = output.answer?.head
    failure = nil
    endedAt = time
  }
}

/// The step failed, and the engine does not try again.
public struct StepFailed: SagaEventContent {
  public static let typeName = "stepFailed"
  public let step: String
  /// The known outcome of the round.
  public package(set) var outcome: RoundOutcome
  public let failure: StepFailure
  public let consequence: FailureConsequence
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      step: try data.string("step"), outcome: try data.word("outcome"), failure: try data.failure(),
      consequence: try data.word("consequence"))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["outcome"] = .word(outcome)
    data.write(failure)
    data["consequence"] = .word(consequence)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      guard [.pending, .running, .backingOff, .waiting].contains(step.status) else { return false }
      step.noteAnsweredTask(code: failure.code)
      // A step that fails between two attempts keeps the answer to the last one.
      if step.stage.isAsking { step.answer = failure.answer?.head }
      step.stage = .failed(consequence)
      step.outcome = outcome
      step.failure = failure.alone
      step.endedAt = at
      return true
    }
  }

  public var timeline: [TimelineNote] {
    [.close(step: step, outcome: outcome == .unknown ? "unknown" : "failed", code: failure.code)]
  }
}

/// All steps are passed: the saga is done.
public struct SagaCompleted: SagaEventContent {
  public static let typeName = "sagaCompleted"
  public let output: JSON
  /// The members of the output that could not be made. They are null.
  public let errors: [OutputError]

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(output: try data.value("output"), errors: try OutputError.all(in: data))
  }

  public func write(to data: inout JSONObject) {
    data["output"] = output
    data.add(errors)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    guard saga.turnBack == nil else { throw HistoryError("A saga that turned back can't complete.") }
    saga.end = SagaEnd(status: .completed, at: at, output: output, outputErrors: errors)
  }

  public var timeline: [TimelineNote] { [.finish("completed")] }
}

/// The end of a saga.
public struct SagaEnd: Sendable, Hashable {
  public let status: SagaStatus
  public let at: Timestamp
  /// The output of a completed saga, from the workflow's `output`.
  public let output: JSON?
  /// The members of `output` that could not be made. They are null.
  public let outputErrors: [OutputError]
  /// The person who abandoned the saga.
  public let by: String?
  public let reason: String?

  init(
    status: SagaStatus, at: Timestamp, output: JSON? = nil, outputErrors: [OutputError] = [], by: String? = nil,
    reason: String? = nil
  ) {
    self.status = status
    self.at = at
    self.output = output
    self.outputErrors = outputErrors
    self.by = by
    self.reason = reason
  }
}

// MARK: Outputs

/// The output that a succeeded step gives to later steps.
public struct StepOutput: Sendable, Hashable {
  /// Null when the answer can't be read.
  public let value: JSON
  /// Why the answer can't be read; nil when it can.
  public let problem: StepFailure?
  /// The answer that gave the output; nil for other outputs, over Kafka, and in events of earlier versions.
  public let answer: CallAnswer?

  public init(_ value: JSON, answer: CallAnswer? = nil) {
    self.value = value
    problem = nil
    self.answer = answer
  }

  public init(problem: StepFailure, answer: CallAnswer? = nil) {
    value = .null
    self.problem = problem
    self.answer = answer
  }

  init(_ data: EventReader) throws(UnreadableEvent) {
    let value = try data.value("output")
    if let problem = try data.optional("outputProblem") {
      self.init(problem: try StepFailure(problem), answer: try data.answer())
    } else {
      self.init(value, answer: try data.answer())
    }
  }
}

// The output can be written as JSON directly, because most outputs can be read.
extension StepOutput {
  public static var null: StepOutput { StepOutput(.null) }
}

extension StepOutput: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, JSON)...) { self.init(.object(JSONObject(elements))) }
}

/// A member of the workflow's `output` that could not be made. The output has null in its place.
public struct OutputError: Sendable, Hashable {
  /// The member: an RFC 6901 JSON pointer into the output. Empty for the whole output.
  public let path: String
  /// The `${…}` that failed, without `${` and `}`. Nil in histories of older versions, which have one failure for the
  /// whole output.
  public let expression: String?
  let failure: StepFailure

  public var code: String { failure.code }
  public var message: String { failure.message }

  package init(path: String, expression: String?, _ failure: StepFailure) {
    self.path = path
    self.expression = expression
    self.failure = failure
  }
}

extension OutputError {
  package var json: JSON {
    var members: JSONObject = ["path": .string(path), "code": .string(code), "message": .string(message)]
    members["expression"] = expression.map(JSON.string)
    return .object(members)
  }

  private init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      path: try data.string("path"), expression: try data.string("expression"),
      StepFailure(code: try data.string("code"), message: try data.string("message")))
  }

  /// Reads the errors of an output. Older versions stored one failure for the whole output, which was then null.
  package static func all(in data: EventReader) throws(UnreadableEvent) -> [OutputError] {
    var errors: [OutputError] = []
    if let problem = try data.optional("outputProblem") {
      errors.append(OutputError(path: "", expression: nil, try StepFailure(problem)))
    }
    for error in data.values("outputErrors") {
      errors.append(try OutputError(EventReader(error, of: data.owner)))
    }
    return errors
  }
}

extension JSONObject {
  /// Adds the errors of an output, in the shape in which they were read.
  mutating func add(_ errors: [OutputError]) {
    self["outputProblem"] = errors.first { $0.expression == nil }?.failure.json
    let members = errors.filter { $0.expression != nil }
    if !members.isEmpty { self["outputErrors"] = .array(members.map(\.json)) }
  }
}
