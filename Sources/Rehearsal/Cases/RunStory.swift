import JSON
import SagaCore
import Values

/// A run in virtual time as lines for people: what happened, and when.
package struct RunStory: Sendable {
  package enum Kind: String, Sendable, Hashable {
    case begins, sends, succeeds, fails, waits, undoes, signal, person, engine, ends
  }

  package struct Line: Sendable {
    /// The time from the start of the saga.
    package let at: Duration
    package let kind: Kind
    /// Nil for what concerns the whole saga.
    package let step: String?
    package let text: String
    /// The call that is sent.
    package var call: StepCall?
    /// Whether the answer to the call was made up.
    package var isMadeUp = false
    /// The output of a step, or of the saga.
    package var output: JSON?
  }

  package private(set) var lines: [Line] = []
  private let start: Timestamp

  /// - Parameter madeUp: the calls whose answers were made up, by their places in `run.calls`.
  package init(_ run: VirtualRun, madeUp: Set<Int> = []) {
    start = run.state.startedAt
    var calls: [AttemptName: Int] = [:]
    for (index, sent) in run.calls.enumerated() {
      calls[AttemptName(sent.call)] = calls[AttemptName(sent.call)] ?? index
    }
    var restarts = run.restarts[...]
    var refusals = run.refusals[...]
    for event in run.events {
      while let restart = restarts.first, restart <= event.at {
        add(restart, .engine, nil, "the engine starts again after a crash")
        restarts.removeFirst()
      }
      while let refusal = refusals.first, refusal.at < event.at {
        add(refusal)
        refusals.removeFirst()
      }
      if let attempt = event.what as? AttemptStarted {
        let index = calls[AttemptName(attempt)]
        add(event.at, attempt, index.map { run.calls[$0].call }, isMadeUp: index.map(madeUp.contains) ?? false)
      } else {
        add(event)
      }
    }
    for restart in restarts { add(restart, .engine, nil, "the engine starts again after a crash") }
    for refusal in refusals { add(refusal) }
  }

  private struct AttemptName: Hashable {
    let step: String
    let phase: StepPhase
    let round: Int
    let attempt: Int

    init(_ call: StepCall) {
      (step, phase, round, attempt) = (call.step, call.phase, call.round, call.attempt)
    }

    init(_ event: AttemptStarted) {
      (step, phase, round, attempt) = (event.step, event.phase, event.round, event.attempt)
    }
  }

  private mutating func add(
    _ at: Timestamp, _ kind: Kind, _ step: String?, _ text: String, output: JSON? = nil
  ) {
    lines.append(Line(at: at - start, kind: kind, step: step, text: text, output: output))
  }

  private mutating func add(_ at: Timestamp, _ event: AttemptStarted, _ call: StepCall?, isMadeUp: Bool) {
    var text = event.phase == .undo ? "undo: " : ""
    switch call?.action {
    case .http(let http): text += "\(http.method) \(http.service) \(http.path)"
    case .kafka(let kafka): text += "\(kafka.service).\(kafka.command) over Kafka"
    case .task(let task): text += "task for a worker of \(task.queue)"
    case .workflow(let workflow):
      text += workflow.turnsBack ? "turn the child saga of \(workflow.name) back" : "start \(workflow.name)"
    case nil: text += "an attempt that is never sent"
    }
    if event.attempt > 1 { text += ", attempt \(event.attempt)" }
    if event.round > 1 { text += ", round \(event.round)" }
    var line = Line(at: at - start, kind: event.phase == .undo ? .undoes : .sends, step: event.step, text: text)
    line.call = call
    line.isMadeUp = isMadeUp
    lines.append(line)
  }

  private mutating func add(_ refused: VirtualRun.RefusedAct) {
    let (kind, what): (Kind, String) =
      switch refused.command {
      case .give(let signal, _): (.signal, "signal \(signal.name) by \(signal.by)")
      case .operate(let request): (.person, "\(request.act.by): \(request.verb.name.rawValue)")
      case .start, .attemptSettled, .looked, .child, .undoForParent, .takeTurns, .answered, .taken, .task, .wake,
        .recover, .forget:
        (.engine, "a report")
      }
    add(refused.at, kind, nil, "\(what) is refused: \(refused.refusal.message) [\(refused.refusal.code)]")
  }

  private mutating func add(_ event: SagaEvent) {
    let at = event.at
    func offset(_ time: Timestamp) -> String { DurationWords.text(time - at) }
    func failure(_ failure: StepFailure) -> String { "\(failure.message) [\(failure.code)]" }
    switch event.what {
    case let event as SagaStarted: add(at, .begins, nil, "started by \(event.saga.by)")
    case let event as StepSkipped: add(at, .succeeds, event.step, "skipped: its condition does not hold")
    case let event as WaitStarted:
      let until = event.until.map { " for at most \(offset($0))" } ?? ""
      add(
        at, .waits, event.step,
        (event.phase == .undo ? "undo: " : "")
          + (event.signal.map { "waits for the signal \($0)\(until)" }
            ?? event.until.map { "waits for \(offset($0))" } ?? "waits"))
    case let event as PollStarted:
      let until = event.until.map { ", for at most \(offset($0))" } ?? ""
      add(at, .waits, event.step, "asks every \(DurationWords.text(event.every))\(until)")
    case let event as PollAnswered:
      let answer = event.answer.shown.map { "“\($0)”" } ?? "\(event.answer.status)"
      add(
        at, .engine, event.step,
        "the answer to look \(event.look) is \(answer); the next look is in \(offset(event.next))")
    case let event as TurnAsked:
      let until = event.until.map { ", for at most \(offset($0))" } ?? ""
      add(at, .waits, event.step, "\(event.phase == .undo ? "undo: " : "")waits for its turn of \(event.key)\(until)")
    case let event as TurnTaken: add(at, .engine, event.step, "holds its turn of \(event.key)")
    case let event as TurnReleased: add(at, .engine, event.step, "the turn of \(event.key) is free")
    case let event as ItemsOpened:
      let items = event.count == 1 ? "item" : "items"
      add(at, .begins, event.step, "begins with its \(event.count) \(items)")
    case let event as ItemsUndone: add(at, .succeeds, event.step, "all items are undone")
    case let event as ChildStarted:
      let until = event.until.map { " for at most \(offset($0))" } ?? ""
      add(
        at, .begins, event.step,
        "\(event.phase == .undo ? "undo: " : "")waits for its child saga of \(event.child.workflow)\(until)")
    case let event as WaitReminded: add(at, .engine, event.step, "reminder \(event.number)")
    case let event as GroupOpened:
      add(at, .begins, event.step, "the group begins" + (event.until.map { ", for at most \(offset($0))" } ?? ""))
    case let event as AttemptFailed:
      let unknown = event.isUnknown ? "; it may have happened" : ""
      add(at, .fails, event.step, "\(failure(event.failure))\(unknown); again in \(offset(event.retryAt))")
    case let event as TaskTaken: add(at, .engine, event.step, "taken by \(event.worker)")
    case let event as AttemptNotMade:
      add(at, .fails, event.step, "not sent: \(failure(event.failure)); again in \(offset(event.retryAt))")
    case let event as StepProgressed: add(at, .engine, event.step, "progress: \(event.progress.message)")
    case let event as AnswerIgnored:
      add(at, .engine, event.step, "a \(event.answer.why.rawValue) answer (\(event.answer.outcome)) changes nothing")
    case let event as StepSucceeded:
      let problem = event.output.problem.map { "; its answer can't be read: \(failure($0))" } ?? ""
      add(at, .succeeds, event.step, "succeeded\(problem)", output: event.output.value)
    case let event as StepFailed:
      let consequence =
        switch event.consequence {
        case .goesOn: "; the saga goes on"
        case .turnsBack: ""
        case .blocks: "; the saga is stuck here"
        case .settles: ""
        }
      let unknown = event.outcome == .unknown ? "; it may have happened" : ""
      add(at, .fails, event.step, "failed for good: \(failure(event.failure))\(unknown)\(consequence)")
    case let event as SignalReceived:
      add(
        at, .signal, event.step,
        "signal \(event.signal.name) by \(event.signal.by)" + (event.step == nil ? " is kept" : ""))
    case let event as SignalRefused:
      add(
        at, .signal, event.refusal.step,
        "signal \(event.refusal.name) by \(event.refusal.by) is refused: \(event.refusal.message) "
          + "[\(event.refusal.code)]")
    case let event as KeptSignalTaken: add(at, .signal, event.step, "takes the kept signal \(event.name)")
    case let event as KeptSignalRefused: add(at, .signal, event.step, "refuses the kept signal \(event.name)")
    case let event as TurnBackRequested:
      add(at, .fails, nil, "turns back as soon as the pivot is decided: \(because(event.reason))")
    case is TurnBackLapsed: add(at, .engine, nil, "goes on: the pivot is passed")
    case let event as TurnedBack: add(at, .fails, nil, "turns back: \(because(event.reason))")
    case let event as UndoSucceeded:
      add(at, .succeeds, event.step, event.how == .alreadyGone ? "undone: nothing was there any more" : "undone")
    case let event as UndoFailed:
      let stuck = event.blocks ? "; the saga is stuck here" : "; the undo is optional"
      let unknown = event.isUnknown ? "; what it did may remain" : ""
      add(at, .fails, event.step, "the undo failed for good: \(failure(event.failure))\(unknown)\(stuck)")
    case is RewindFinished: add(at, .engine, nil, "the rewind is done")
    case is StepOverdue: add(at, .engine, event.step, "is overdue")
    case is SagaOverdue: add(at, .engine, nil, "the saga is overdue")
    case let event as SagaCompleted: add(at, .ends, nil, "completed", output: event.output)
    case is SagaCompensated: add(at, .ends, nil, "compensated")
    case is SagaAbandoned: add(at, .ends, nil, "abandoned")
    default:
      let person = event.operated.map { "\($0.act.by): \($0.verb.rawValue), “\($0.act.reason)”" }
      add(at, .person, event.step, person ?? event.typeName)
    }
  }

  private func because(_ reason: TurnBack) -> String {
    reason.by.map { "\($0): \(reason.cause.rawValue), “\(reason.reason ?? "")”" }
      ?? "\(reason.step.map { "\($0): " } ?? "")\(reason.message) [\(reason.code)]"
  }
}

extension RunStory.Line {
  /// The line for programs.
  package var json: JSON {
    var members: JSONObject = [
      "atMs": .int(at.wholeMilliseconds), "kind": .string(kind.rawValue), "text": .string(text),
    ]
    members["step"] = step.map(JSON.string)
    members["call"] = call?.json
    if isMadeUp { members["madeUp"] = true }
    members["output"] = output
    return .object(members)
  }
}

extension StepCall {
  fileprivate var json: JSON {
    var members: JSONObject = [
      "phase": .string(phase.rawValue), "round": .int(round), "attempt": .int(attempt), "key": .string(idempotencyKey),
    ]
    members["compensates"] = compensates.map(JSON.string)
    func fields(_ fields: [RenderedField]) -> JSON? {
      fields.isEmpty ? nil : .object(JSONObject(fields.map { ($0.name, .string($0.value)) }))
    }
    switch action {
    case .http(let http):
      members["service"] = .string(http.service)
      members["method"] = .string(http.method)
      members["path"] = .string(http.path)
      members["query"] = fields(http.query)
      members["headers"] = fields(http.headers)
      members["body"] = http.body
    case .kafka(let kafka):
      members["service"] = .string(kafka.service)
      members["command"] = .string(kafka.command)
      members["headers"] = fields(kafka.headers)
      members["body"] = kafka.body
    case .task(let task):
      members["queue"] = .string(task.queue)
      members["body"] = task.input
    case .workflow(let workflow):
      members["workflow"] = .string(workflow.name)
      members["version"] = workflow.version.map(JSON.int)
      members["startKey"] = workflow.key.map(JSON.string)
      members["input"] = workflow.turnsBack ? nil : workflow.input
    }
    return .object(members)
  }
}
