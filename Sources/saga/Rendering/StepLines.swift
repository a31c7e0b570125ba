import JSON
import Values
import Wire

/// The steps of a saga: a line each with status, time and attempts, and below it the error and the progress message.
struct StepLines {
  let saga: SagaResponse
  let now: Timestamp
  let style: Style
  let width: Int

  private static let stateWidth = 11
  private static let timeWidth = 7
  private static let mostNoteLines = 5

  func lines() -> [String] {
    let steps = saga.steps
    let graph = StepGraph(steps: steps.map { StepGraph.Node(id: $0.id, dependsOn: $0.dependsOn, group: $0.group) })
    let idWidth = min(max(8, steps.map(\.id.count).max() ?? 0), max(12, 28 - graph.width))
    return graph.rows.flatMap { row in lines(of: steps[row.step], row: row, idWidth: idWidth) }
  }

  private func lines(of step: SagaResponse.Step, row: StepGraph.Row, idWidth: Int) -> [String] {
    let mark = mark(of: step)
    let id = Layout.clip(step.id, to: idWidth)
    let left = "  \(row.before)\(style.colour(mark.symbol, mark.colour))\(row.after)  "
    let leftWidth = 2 + row.before.count + 1 + row.after.count + 2
    let state = style.colour(Layout.pad(mark.word, to: Self.stateWidth), mark.colour)
    let time = Layout.padLeft(time(of: step), to: Self.timeWidth)
    let factsColumn = leftWidth + idWidth + 2 + Self.stateWidth + 1 + Self.timeWidth + 2
    let facts = Layout.wrap(facts(of: step).joined(separator: ", "), width: max(16, width - factsColumn))
    let below = "  " + row.below + "  "
    let padding = String(repeating: " ", count: factsColumn - below.count)
    var lines = [
      Layout.trimmingEnd("\(left)\(Layout.pad(id, to: idWidth))  \(state) \(time)  \(facts.first ?? "")")
    ]
    lines += facts.dropFirst().map { below + padding + $0 }
    for note in notes(of: step) {
      let wrapped = Layout.wrap(note.text, width: width - below.count - 2)
      lines += wrapped.prefix(Self.mostNoteLines).map { below + "  " + style.colour($0, note.colour) }
      if wrapped.count > Self.mostNoteLines { lines.append(below + "  " + style.dim("… (all of it: --json)")) }
    }
    return lines
  }

  /// Whether the saga still goes forward: it has neither started compensation nor ended.
  private var onward: Bool { saga.status == "running" || (saga.turnBack == nil && saga.endedAt == nil) }

  private func mark(of step: SagaResponse.Step) -> StatusLabel {
    // "failed" would say that the step certainly had no effect.
    if step.status == "failed", step.error?.outcome == "unknown" { return .unknownOutcome }
    return StatusLabel.ofStep(step.status, onward: onward)
  }

  private func time(of step: SagaResponse.Step) -> String {
    guard let began = step.startedAt, step.status != "skipped" else { return "" }
    if let end = step.endedAt { return TimeText.duration(end - began) }
    return ["running", "backingOff", "waiting"].contains(step.status) ? TimeText.duration(now - began) : ""
  }

  private func facts(of step: SagaResponse.Step) -> [String] {
    var facts: [String] = []
    let most = step.maxAttempts.map { " of \($0)" } ?? ""
    if let items = step.items {
      let counts = items.statuses.map { "\($0.count) \(StatusLabel.ofStep($0.status, onward: onward).word)" }
      return ["\(items.count) items"] + counts
    }
    switch step.status {
    case "running" where step.action.kind == "group":
      if let until = step.until { facts.append("until \(TimeText.short(until, besides: saga.startedAt))") }
    case "running":
      if step.attempt > 0, step.maxAttempts ?? 2 > 1 { facts.append("try \(step.attempt)\(most)") }
    case "backingOff":
      facts.append("tried \(step.attempt)\(most)")
      if let next = step.retryAt { facts.append("again " + when(next)) }
    case "waiting":
      if step.waitingFor?.kind == "signal" { facts.append("for signal \(step.waitingFor?.signal ?? "")") }
      if let poll = step.poll { facts += self.facts(of: poll) }
      if let until = step.until { facts.append("until \(TimeText.short(until, besides: saga.startedAt))") }
      if let times = step.waitingFor?.reminders { facts.append("reminded \(times == 1 ? "once" : "\(times) times")") }
      if let next = step.waitingFor?.remindAt { facts.append("reminder " + when(next)) }
    default:
      if step.attempt > 1 { facts.append("\(step.attempt) tries") }
    }
    if step.round > 1 { facts.append("round \(step.round)") }
    if step.pivot { facts.append("pivot") }
    if step.action.kind == "group" { facts.append("group") }
    if let undo = step.undo { facts += self.facts(of: undo) }
    return facts
  }

  /// `asks every 5m, last answer running, next look in 3m 00s`
  private func facts(of poll: SagaResponse.Step.Poll) -> [String] {
    var facts = ["asks every \(DurationText.format(.milliseconds(poll.everyMs)))"]
    if let answer = poll.answer { facts.append("last answer \(answer.shown ?? "\(answer.status)")") }
    if let next = poll.nextLook { facts.append("next look " + when(next)) }
    return facts
  }

  private func facts(of undo: SagaResponse.Step.Undo) -> [String] {
    let attempt = undo.attempt
    let most = undo.maxAttempts.map { " of \($0)" } ?? ""
    switch undo.status {
    case "running": return attempt > 1 ? ["undo try \(attempt)\(most)"] : []
    case "backingOff": return ["undo tried \(attempt)\(most)"] + (undo.retryAt.map { ["again " + when($0)] } ?? [])
    case "undone":
      if undo.how == "undone" { return ["by hand"] }
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

  private func when(_ time: Timestamp) -> String { time > now ? "in \(TimeText.duration(time - now))" : "now" }

  private func notes(of step: SagaResponse.Step) -> [(text: String, colour: Style.Colour?)] {
    var notes: [(String, Style.Colour?)] = []
    if let error = step.error, step.status != "succeeded" {
      let unknown = error.outcome == "unknown" ? "; it may have happened" : ""
      notes.append((error.line + unknown, .red))
    }
    if let error = step.outputError { notes.append(("no output: " + error.line, .yellow)) }
    if let undo = step.undo, let error = undo.error, undo.status != "undone" {
      notes.append(("undo: " + error.line, .red))
    }
    if let progress = step.progress { notes.append((line(of: progress), nil)) }
    if let progress = step.undo?.progress { notes.append(("undo: " + line(of: progress), nil)) }
    return notes
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
