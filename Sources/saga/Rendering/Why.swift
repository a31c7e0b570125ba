import Values
import Wire

/// Why a saga is in its status, in one sentence, and the commands that help.
struct Why {
  let saga: SagaResponse
  let now: Timestamp

  /// A command to copy, and its purpose.
  struct Command: Equatable {
    let says: String
    let line: String
  }

  /// The most characters of an error message. `saga show` has all of it.
  private static let mostOfMessage = 160

  var sentence: String {
    "Saga \(saga.id) of \(saga.workflow) \(([reason] + asides).joined(separator: "; "))."
  }

  private func steps(_ status: String) -> [SagaResponse.Step] { saga.steps.filter { $0.status == status } }

  private func names(_ names: [String]) -> String {
    names.prefix(3).joined(separator: ", ") + (names.count > 3 ? " and \(names.count - 3) more" : "")
  }

  /// ` since 2026-03-01 08:15:30 UTC`
  private func since(_ time: Timestamp) -> String { " since \(TimeText.full(time))" }

  private func when(_ time: Timestamp?) -> String {
    guard let time else { return "" }
    return time > now ? " in \(TimeText.duration(time - now))" : " now"
  }

  private func words(_ message: String, _ code: String) -> String {
    let message = Layout.clip(message, to: Self.mostOfMessage)
    return ": " + (message.hasSuffix(".") ? String(message.dropLast()) : message) + " [\(code)]"
  }

  private func words(_ error: SagaResponse.Failure?) -> String { error.map { words($0.message, $0.code) } ?? "" }

  /// The main reason: what the saga waits for.
  private var reason: String {
    if let end = ended { return end }
    if !saga.stuck.isEmpty { return stuckReason }
    if let paused = saga.paused { return "is paused\(since(paused.since)) by \(paused.by): “\(paused.reason)”" }
    if let rewind = saga.rewind {
      return "is being rewound to step \(rewind.step)\(since(rewind.since)) by \(rewind.by): “\(rewind.reason)”"
    }
    if saga.status == "compensating" { return "is turning back\(turnBack)\(undoing)" }
    return forward
  }

  private var ended: String? {
    switch saga.status {
    case "completed": "is completed: everything was done"
    case "compensated": "is compensated: what was done has been undone\(turnBack)"
    case "abandoned":
      "was abandoned by \(saga.abandoned?.by ?? "someone"): “\(saga.abandoned?.reason ?? "")”"
    default: nil
    }
  }

  private var turnBack: String {
    guard let turnBack = saga.turnBack else { return "" }
    switch turnBack.cause {
    case "stepFailed":
      return ", because step \(turnBack.step ?? "?") failed\(words(turnBack.message, turnBack.code))"
    case "timeout": return ", because its time was over"
    default: return ", because \(turnBack.by ?? "someone") decided it: “\(turnBack.reason ?? "")”"
    }
  }

  private var undoing: String {
    let steps = steps("undoing")
    guard let first = steps.first else { return "" }
    if steps.count == 1, let time = first.undo?.retryAt {
      return "; the undo of \(first.id) is tried again\(when(time))\(words(first.undo?.error))"
    }
    return "; it is undoing \(names(steps.map(\.id)))"
  }

  private var stuckReason: String {
    let first = saga.stuck[0]
    let isUndo = first.phase == "undo"
    let what = isUndo ? "the undo of step \(first.step) failed for good" : "step \(first.step) failed for good"
    let unknown = !isUndo && saga.isUnknown(first.step) ? ", and it may have happened" : ""
    let more = saga.stuck.count > 1 ? ", and on \(names(saga.stuck.dropFirst().map(\.step)))" : ""
    return "is stuck\(since(first.since)), because \(what)\(words(first.message, first.code))\(unknown)\(more)"
  }

  private var forward: String {
    let waiting = steps("waiting")
    func end(of step: SagaResponse.Step) -> String { step.until.map { ", until \(TimeText.full($0))" } ?? "" }
    if let step = waiting.first(where: { $0.waitingFor?.kind == "signal" }) {
      return "waits at step \(step.id) for the signal \(step.waitingFor?.name ?? "?")\(end(of: step))"
    }
    if let step = steps("backingOff").first {
      let unknown = step.error?.outcome == "unknown" ? ", and it may have happened" : ""
      return "tries step \(step.id) again\(when(step.retryAt))\(words(step.error))\(unknown)"
    }
    let running = steps("running")
    if !running.isEmpty { return "is doing \(names(running.map(\.id)))" }
    if let step = waiting.first { return "waits at step \(step.id)\(end(of: step))" }
    return "is running"
  }

  private var overdue: OverdueSteps { OverdueSteps(saga: saga, now: now) }

  /// Further facts.
  private var asides: [String] {
    guard saga.endedAt == nil else { return [] }
    var asides: [String] = []
    if !saga.stuck.isEmpty {
      if let paused = saga.paused { asides.append("it is paused by \(paused.by)") }
      if let rewind = saga.rewind { asides.append("it is being rewound to \(rewind.step)") }
    }
    if let requested = saga.turnBackRequested {
      asides.append(
        "it will turn back once the outcome of its pivot is known\(words(requested.message, requested.code))")
    }
    asides += overdue.sentences
    if overdue.isPastDeadline, let deadline = saga.deadline {
      asides.append("it is overdue since \(TimeText.full(deadline))")
    }
    return asides
  }

  // MARK: The commands that help

  var commands: [Command] {
    let verbs = Dictionary(saga.verbs.map { ($0.verb, $0.steps) }, uniquingKeysWith: { $1 })
    var commands: [Command] = []
    func offer(_ says: String, _ verb: String, _ options: String = "") {
      guard verbs[verb] != nil else { return }
      commands.append(
        Command(says: says, line: "saga \(verb) \(saga.id) \(options.isEmpty ? "" : options + " ")--reason '…'"))
    }
    for one in saga.stuck { offerHelp(at: one, offer) }
    if saga.paused != nil { offer("resume it", "resume") }
    for step in steps("waiting") where saga.stuck.isEmpty {
      guard let name = step.waitingFor?.name else { continue }
      commands.append(
        Command(says: "send the signal", line: "saga signal \(saga.id) \(Shell.quoted(name)) --body '{}'"))
      if verbs["skip"]?.contains(step.id) == true { offer("go on without it", "skip", "--step \(step.id)") }
    }
    if let due = verbs["run-now"], !due.isEmpty { offer("start the next attempt, or end the delay, now", "run-now") }
    if overdue.isPastDeadline { offer("give it more time", "extend", "--by 2h") }
    if !saga.stuck.isEmpty { offer("give it up as it is", "abandon") }
    return commands
  }

  private func offerHelp(
    at one: SagaResponse.StuckStep, _ offer: (_ says: String, _ verb: String, _ options: String) -> Void
  ) {
    let step = one.step
    let helping = Set(one.verbs)
    if helping.contains("retry") { offer("the cause is fixed: try again", "retry", "--step \(step)") }
    if helping.contains("resolve") {
      if one.phase == "undo" {
        offer("it was undone by hand", "resolve", "--step \(step) --undone")
      } else {
        offer("you have checked: it happened", "resolve", "--step \(step) --happened")
        if saga.isUnknown(step) {
          offer("you have checked: it did not happen", "resolve", "--step \(step) --did-not-happen")
        }
      }
    }
    if helping.contains("skip") { offer("go on without it", "skip", "--step \(step)") }
    if helping.contains("rewind") {
      offer("undo it and what follows, then start again there", "rewind", "--to \(step)")
    }
  }
}
