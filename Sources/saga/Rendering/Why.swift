import JSON
import Values

/// Why a saga stands where it stands, in a sentence, and what would help.
struct Why {
  let saga: JSON
  let now: Timestamp

  /// A command to be copied, and what it is for.
  struct Command: Equatable {
    let says: String
    let line: String
  }

  /// Long texts of participants are for `saga show`.
  private static let mostOfMessage = 160

  var sentence: String {
    let subject = "Saga \(id) of \(saga.text("workflow") ?? "its workflow")"
    let parts = [reason] + asides
    return "\(subject) \(parts.joined(separator: "; "))."
  }

  private var id: String { saga.text("id") ?? "ID" }
  private var status: String { saga["status"]?.stringValue ?? "" }
  private var steps: [JSON] { saga["steps"]?.arrayValue ?? [] }
  private var stuck: [JSON] { saga["stuck"]?.arrayValue ?? [] }
  private func present(_ name: String) -> JSON? { saga[name].flatMap { $0.isNull ? nil : $0 } }

  private func steps(_ status: String) -> [JSON] { steps.filter { $0["status"]?.stringValue == status } }

  private func names(_ steps: [JSON]) -> String {
    let names = steps.compactMap { $0.text("id") ?? $0.text("step") }
    return names.prefix(3).joined(separator: ", ") + (names.count > 3 ? " and \(names.count - 3) more" : "")
  }

  /// `since 2026-03-01 08:15:30 UTC`
  private func since(_ json: JSON, _ name: String = "since") -> String {
    json.moment(name).map { " since \(Moments.full($0))" } ?? ""
  }

  private func when(_ moment: Timestamp?) -> String {
    guard let moment else { return "" }
    return moment > now ? " in \(Moments.duration(moment - now))" : " now"
  }

  private func words(_ error: JSON?) -> String {
    guard let error, !error.isNull else { return "" }
    let message = Layout.clip(error.text("message") ?? "", to: Self.mostOfMessage)
    return ": " + (message.hasSuffix(".") ? String(message.dropLast()) : message)
      + (error.text("code").map { " [\($0)]" } ?? "")
  }

  /// The main thing: what it waits for.
  private var reason: String {
    if let end = ended { return end }
    if !stuck.isEmpty { return stuckReason }
    if let paused = present("paused") {
      return "is paused\(since(paused)) by \(paused.text("by") ?? "someone"): “\(paused.text("reason") ?? "")”"
    }
    if let rewind = present("rewind") {
      return "is being rewound to step \(rewind.text("step") ?? "?")\(since(rewind)) by "
        + "\(rewind.text("by") ?? "someone"): “\(rewind.text("reason") ?? "")”"
    }
    if status == "compensating" { return "is turning back\(turnBack)\(undoing)" }
    return forward
  }

  private var ended: String? {
    switch status {
    case "completed": "is completed: everything was done"
    case "compensated": "is compensated: what was done has been undone\(turnBack)"
    case "abandoned":
      "was abandoned by \(saga["abandoned"]?.text("by") ?? "someone"): “\(saga["abandoned"]?.text("reason") ?? "")”"
    default: nil
    }
  }

  private var turnBack: String {
    guard let turnBack = present("turnBack") else { return "" }
    switch turnBack["cause"]?.stringValue {
    case "stepFailed": return ", as step \(turnBack.text("step") ?? "?") failed\(words(turnBack))"
    case "timeout": return ", as its time was over"
    default:
      return ", as \(turnBack.text("by") ?? "someone") wanted: “\(turnBack.text("reason") ?? "")”"
    }
  }

  private var undoing: String {
    let steps = steps("undoing")
    guard let first = steps.first else { return "" }
    if steps.count == 1, let moment = first["undo"]?.moment("retryAt") {
      return "; the undo of \(first.text("id") ?? "?") is tried again\(when(moment))\(words(first["undo"]?["error"]))"
    }
    return "; it is undoing \(names(steps))"
  }

  private var stuckReason: String {
    let first = stuck[0]
    let step = first.text("step") ?? "?"
    let isUndo = first["phase"]?.stringValue == "undo"
    let shown = steps.first { $0.text("id") == step }
    let isUnknown = !isUndo && shown?["error"]?["outcome"]?.stringValue == "unknown"
    let what = isUndo ? "the undo of step \(step) failed for good" : "step \(step) failed for good"
    let more = stuck.count > 1 ? ", and on \(names(Array(stuck.dropFirst())))" : ""
    return "is stuck\(since(first)), as \(what)\(words(first))\(isUnknown ? ", and it may have happened" : "")\(more)"
  }

  private var forward: String {
    let waiting = steps("waiting")
    if let step = waiting.first(where: { $0["waitingFor"]?["kind"]?.stringValue == "signal" }) {
      let end = step.moment("until").map { ", until \(Moments.full($0))" } ?? ""
      return "waits at step \(step.text("id") ?? "?") for the signal \(step["waitingFor"]?.text("name") ?? "?")\(end)"
    }
    if let step = steps("backingOff").first {
      let unknown = step["error"]?["outcome"]?.stringValue == "unknown" ? ", and it may have happened" : ""
      return
        "tries step \(step.text("id") ?? "?") again\(when(step.moment("retryAt")))\(words(step["error"]))\(unknown)"
    }
    let running = steps("running")
    if !running.isEmpty { return "is doing \(names(running))" }
    if let step = waiting.first {
      let end = step.moment("until").map { ", until \(Moments.full($0))" } ?? ""
      return "lets time pass at step \(step.text("id") ?? "?")\(end)"
    }
    return "is running"
  }

  private var overdue: OverdueSteps { OverdueSteps(saga: saga, now: now) }

  /// What else is worth knowing.
  private var asides: [String] {
    guard saga["endedAt"] == nil || saga["endedAt"]?.isNull == true else { return [] }
    var asides: [String] = []
    if !stuck.isEmpty {
      if let paused = present("paused") { asides.append("it is paused by \(paused.text("by") ?? "someone")") }
      if let rewind = present("rewind") { asides.append("it is being rewound to \(rewind.text("step") ?? "a step")") }
    }
    if let requested = present("turnBackRequested") {
      asides.append("it is to turn back once its pivot is decided\(words(requested))")
    }
    asides += overdue.sentences
    if overdue.isPastDeadline, let deadline = saga.moment("deadline") {
      asides.append("it is overdue since \(Moments.full(deadline))")
    }
    return asides
  }

  // MARK: What would help

  private var verbs: [String: [String]] {
    var verbs: [String: [String]] = [:]
    for allowed in saga["verbs"]?.arrayValue ?? [] {
      guard let verb = allowed["verb"]?.stringValue else { continue }
      verbs[verb] = (allowed["steps"]?.arrayValue ?? []).compactMap(\.stringValue)
    }
    return verbs
  }

  var commands: [Command] {
    let verbs = verbs
    var commands: [Command] = []
    func offer(_ says: String, _ verb: String, _ options: String = "") {
      guard verbs[verb] != nil else { return }
      commands.append(
        Command(says: says, line: "saga \(verb) \(id) \(options.isEmpty ? "" : options + " ")--reason '…'"))
    }
    for one in stuck { offerHelp(at: one, verbs, offer) }
    if present("paused") != nil { offer("have it go on", "resume") }
    for step in steps("waiting") where stuck.isEmpty {
      guard let name = step["waitingFor"]?.text("name") else { continue }
      commands.append(
        Command(says: "what it waits for has come", line: "saga signal \(id) \(Shell.quoted(name)) --body '{}'"))
      if let id = step.text("id"), verbs["skip"]?.contains(id) == true {
        offer("go on without it", "skip", "--step \(id)")
      }
    }
    if let due = verbs["run-now"], !due.isEmpty { offer("don't wait for the next attempt, or the delay", "run-now") }
    if overdue.isPastDeadline { offer("give it more time", "extend", "--by 2h") }
    if !stuck.isEmpty { offer("give it up as it stands", "abandon") }
    return commands
  }

  private func offerHelp(
    at one: JSON, _ verbs: [String: [String]], _ offer: (_ says: String, _ verb: String, _ options: String) -> Void
  ) {
    guard let step = one.text("step") else { return }
    let isUndo = one["phase"]?.stringValue == "undo"
    let helping = Set((one["verbs"]?.arrayValue ?? []).compactMap(\.stringValue))
    if helping.contains("retry") { offer("its cause is mended: try again", "retry", "--step \(step)") }
    if helping.contains("resolve") {
      if isUndo {
        offer("it has been undone by hand", "resolve", "--step \(step) --undone")
      } else {
        offer("you have looked, and it happened", "resolve", "--step \(step) --happened")
        if steps.first(where: { $0.text("id") == step })?["error"]?["outcome"]?.stringValue == "unknown" {
          offer("you have looked, and it didn't", "resolve", "--step \(step) --did-not-happen")
        }
      }
    }
    if helping.contains("skip") { offer("go on without it", "skip", "--step \(step)") }
    if helping.contains("rewind") { offer("undo it and what follows, and begin there again", "rewind", "--to \(step)") }
  }
}
