import JSON
import Values
import Wire

/// What a line says of a step, or of one item of a step with `forEach`: status, time, attempts, errors.
struct StepWords {
  /// The start of the saga. A time on another day is written with its date.
  let start: Timestamp
  let now: Timestamp
  /// Whether the saga still goes forward. If not, it never reaches a pending step.
  let onward: Bool

  func mark(of step: SagaResponse.Step) -> StatusLabel {
    // "failed" would say that the step certainly had no effect.
    if step.status == "failed", step.error?.outcome == "unknown" { return .unknownOutcome }
    return StatusLabel.ofStep(step.status, onward: onward)
  }

  func time(of step: SagaResponse.Step) -> String {
    guard let began = step.startedAt, step.status != "skipped" else { return "" }
    if let end = step.endedAt { return TimeText.duration(end - began) }
    return ["running", "backingOff", "waiting"].contains(step.status) ? TimeText.duration(now - began) : ""
  }

  func facts(of step: SagaResponse.Step) -> [String] {
    var facts: [String] = []
    let most = step.maxAttempts.map { " of \($0)" } ?? ""
    if let items = step.items {
      return [self.facts(of: items)] + (step.round > 1 ? ["round \(step.round)"] : [])
    }
    switch step.status {
    case "running" where step.action.kind == "group":
      if let until = step.until { facts.append("until \(TimeText.short(until, besides: start))") }
    case "running":
      if let task = step.task { facts += self.facts(of: task) }
      if step.attempt > 0, step.maxAttempts ?? 2 > 1 { facts.append("try \(step.attempt)\(most)") }
    case "backingOff":
      facts.append("tried \(step.attempt)\(most)")
      if let next = step.retryAt { facts.append("again " + when(next)) }
    case "waiting":
      if let turn = step.turn, step.waitingFor?.kind == "turn" { facts += self.facts(of: turn) }
      if step.waitingFor?.kind == "child" { facts.append("for its child") }
      if step.waitingFor?.kind == "signal" { facts.append("for signal \(step.waitingFor?.signal ?? "")") }
      if let poll = step.poll { facts += self.facts(of: poll) }
      if let until = step.until { facts.append("until \(TimeText.short(until, besides: start))") }
      facts += reminders(of: step.waitingFor)
    default:
      if step.attempt > 1 { facts.append("\(step.attempt) tries") }
    }
    if step.round > 1 { facts.append("round \(step.round)") }
    if step.pivot { facts.append("pivot") }
    if step.action.kind == "group" { facts.append("group") }
    if step.undo?.status == "running", let task = step.task { facts += self.facts(of: task) }
    if let undo = step.undo { facts += self.facts(of: undo) }
    if let turn = step.turn, turn.takenAt == nil, step.waitingFor == nil { facts += self.facts(of: turn) }
    return facts
  }

  /// `96 items: 90 succeeded, 5 running, 1 failed`
  private func facts(of items: SagaResponse.Step.Items) -> String {
    func rank(_ status: String) -> Int { Self.order.firstIndex(of: status) ?? Self.order.count }
    let counts = items.statuses.sorted { rank($0.status) < rank($1.status) }.map {
      "\($0.count) \(StatusLabel.ofStep($0.status, onward: onward).word)"
    }
    return FileReport.count(items.count, "item") + (counts.isEmpty ? "" : ": " + counts.joined(separator: ", "))
  }

  /// The order in which the statuses of items are counted: what is done, what is under way, what went wrong.
  private static let order = [
    "succeeded", "running", "backingOff", "waiting", "failed", "skipped", "undoing", "undone", "undoFailed", "pending",
  ]

  /// `for its turn of HiSeq-1, 2 before it`
  private func facts(of turn: SagaResponse.Turn) -> [String] {
    ["for its turn of \(Layout.clip(Layout.printable(turn.key), to: 30))"]
      + (turn.ahead.map { ["\($0) before it"] } ?? [])
  }

  /// `asks every 5m, last answer running, next look in 3m 00s`
  private func facts(of poll: SagaResponse.Step.Poll) -> [String] {
    var facts = ["asks every \(DurationText.format(.milliseconds(poll.everyMs)))"]
    if let answer = poll.answer { facts.append("last answer \(answer.shown ?? "\(answer.status)")") }
    if let next = poll.nextLook { facts.append("next look " + when(next)) }
    return facts
  }

  /// `for a worker of robot, offered 5m ago, none has asked yet` or `worker robot-2, last heartbeat 3s ago`
  private func facts(of task: SagaResponse.Step.TaskState) -> [String] {
    guard let worker = task.worker else {
      let asked =
        task.lastAskedAt.map { "last asked \(TimeText.duration(now - $0)) ago" } ?? "none has asked yet"
      return ["for a worker of \(task.queue)", "offered \(TimeText.duration(now - task.offeredAt)) ago", asked]
    }
    let beat = task.heartbeatAt.map { "last heartbeat \(TimeText.duration(now - $0)) ago" } ?? "no heartbeat yet"
    return ["worker \(worker)", beat]
  }

  private func facts(of undo: SagaResponse.Step.Undo) -> [String] {
    let attempt = undo.attempt
    let most = undo.maxAttempts.map { " of \($0)" } ?? ""
    switch undo.status {
    case "running": return attempt > 1 ? ["undo try \(attempt)\(most)"] : []
    case "waiting":
      let what =
        if let signal = undo.waitingFor?.signal { "for signal \(signal) to confirm the undo" } else {
          "for the child that undoes it"
        }
      return [what] + (undo.until.map { ["until \(TimeText.short($0, besides: start))"] } ?? [])
        + reminders(of: undo.waitingFor)
    case "backingOff": return ["undo tried \(attempt)\(most)"] + (undo.retryAt.map { ["again " + when($0)] } ?? [])
    case "undone":
      if undo.how == "resolved" { return ["by hand"] }
      var facts: [String] = []
      if let began = undo.startedAt, let end = undo.endedAt {
        let tries = attempt > 1 ? " in \(attempt) tries" : ""
        facts.append("undo took \(TimeText.duration(end - began))\(tries)")
      }
      if undo.how == "alreadyGone" { facts.append("nothing was left") }
      return facts
    case "failed": return attempt > 1 ? ["\(attempt) tries to undo"] : []
    default: return []
    }
  }

  /// `reminded 2 times`, and when the next reminder comes.
  private func reminders(of waiting: SagaResponse.Step.Waiting?) -> [String] {
    (waiting?.reminders.map { ["reminded \($0 == 1 ? "once" : "\($0) times")"] } ?? [])
      + (waiting?.remindAt.map { ["reminder " + when($0)] } ?? [])
  }

  private func when(_ time: Timestamp) -> String { time > now ? "in \(TimeText.duration(time - now))" : "now" }

  func notes(of step: SagaResponse.Step) -> [(text: String, colour: Style.Colour?)] {
    var notes: [(String, Style.Colour?)] = []
    if let error = step.error, step.status != "succeeded" {
      let unknown = error.outcome == "unknown" ? "; it may have happened" : ""
      notes.append((error.line + unknown, .red))
    }
    if let error = step.outputError { notes.append(("no output: " + error.line, .yellow)) }
    if let undo = step.undo, let error = undo.error, undo.status != "undone" {
      let unknown = error.outcome == "unknown" ? "; what it did may remain" : ""
      notes.append(("undo: " + error.line + unknown, .red))
    }
    if let child = step.child { notes.append((line(of: child), nil)) }
    if let child = step.undo?.child { notes.append(("undo: " + line(of: child), nil)) }
    if let progress = step.progress { notes.append((line(of: progress), nil)) }
    if let progress = step.undo?.progress { notes.append(("undo: " + line(of: progress), nil)) }
    return notes
  }

  /// `deliver-results 019c…: stuck`
  private func line(of child: SagaResponse.Step.Child) -> String {
    "\(Layout.printable(child.title ?? child.workflow)) \(child.id)" + (child.status.map { ": \($0)" } ?? "")
  }

  /// `40%, thawing the plate (12s ago)`
  private func line(of progress: SagaResponse.Progress) -> String {
    let said = ProgressText.of(message: progress.message, fraction: progress.fraction)
    return "\(said) (\(TimeText.duration(now - progress.at)) ago)"
  }
}

extension SagaResponse.Failure {
  fileprivate var line: String { "\(message) [\(code)]" }
}

/// The progress of a step in its participant's words: `40%, thawing the plate`.
enum ProgressText {
  static func of(message: String, fraction: Double?) -> String {
    let share = fraction.map { "\(Int((min(max($0, 0), 1) * 100).rounded()))%" }
    return [share, message.isEmpty ? nil : message].compactMap { $0 }.joined(separator: ", ")
  }
}
