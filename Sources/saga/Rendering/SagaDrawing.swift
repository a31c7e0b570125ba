import JSON
import Runtime
import Values

/// `saga show`: a saga as the REST API answers it, drawn for a person in 80 columns.
struct SagaDrawing {
  let saga: JSON
  /// The moment the drawing is made: what is still going on lasts until now.
  let now: Timestamp
  let style: Style
  static let width = 80
  private static let mostOutputLines = 16

  func lines() -> [String] {
    header() + [""] + StepLines(saga: saga, now: now, style: style, width: Self.width).lines() + outcome()
      + NextSteps(saga: saga, style: style, width: Self.width).lines()
  }

  private var status: String { saga["status"]?.stringValue ?? "" }
  private var started: Timestamp { saga.moment("startedAt") ?? now }
  private var id: String { saga.text("id") ?? "" }

  private func header() -> [String] {
    let mark = Mark.ofSaga(status)
    let name = Layout.clip("\(saga.text("workflow") ?? "") v\(saga["version"]?.intValue ?? 0)", to: 62)
    let overdue = saga["overdue"]?.boolValue == true ? "  " + style.colour("overdue", .red) : ""
    var lines = [
      style.colour("\(mark.symbol) \(mark.word)", mark.colour) + "  " + style.bold(name) + overdue
        + (isPaused ? "  " + style.colour("‖ paused", .yellow) : "")
    ]
    lines.append("  " + id)
    var facts: [(String, String)] = []
    let by = saga.text("startedBy").map { " by \($0)" } ?? ""
    if let ended = saga.moment("endedAt") {
      facts.append(("started", Moments.full(started) + by))
      facts.append(("ended", "\(Moments.short(ended, besides: started)), took \(Moments.duration(ended - started))"))
    } else {
      facts.append(("started", "\(Moments.full(started))\(by), \(Moments.duration(now - started)) ago"))
      if let deadline = saga.moment("deadline") {
        let far =
          deadline >= now ? "in \(Moments.duration(deadline - now))" : "\(Moments.duration(now - deadline)) ago"
        // While the saga is paused its clock stands, and nobody knows when the moment comes.
        let when = isPaused ? "moves with the pause" : far
        facts.append(("deadline", "\(Moments.short(deadline, besides: started)), \(when)"))
      }
    }
    if saga["endedAt"] == nil || saga["endedAt"]?.isNull == true {
      for sentence in OverdueSteps(saga: saga, now: now).sentences { facts.append(("overdue", sentence)) }
    }
    let tags = (saga["tags"]?.arrayValue ?? []).compactMap(\.stringValue).map(Layout.printable)
    if !tags.isEmpty { facts.append(("tags", tags.joined(separator: ", "))) }
    if let paused = saga["paused"], !paused.isNull { facts += said("paused", paused, "by") }
    if let rewind = saga["rewind"], !rewind.isNull {
      facts += said("rewinding", rewind, "to \(rewind.text("step") ?? "a step"), by")
    }
    if let turnBack = saga["turnBack"], !turnBack.isNull { facts += self.turnBack(turnBack) }
    if let abandoned = saga["abandoned"], !abandoned.isNull { facts += self.abandoned(abandoned) }
    return lines + facts.flatMap { fact($0.0, $0.1) }
  }

  private var isPaused: Bool { saga["paused"].map { !$0.isNull } ?? false }

  /// Since when, by whom and why.
  private func said(_ name: String, _ act: JSON, _ by: String) -> [(String, String)] {
    let since = act.moment("since").map { "since \(Moments.short($0, besides: started)), " } ?? ""
    let facts = [(name, "\(since)\(by) \(act.text("by") ?? "someone")")]
    return facts + (act.text("reason").map { [("", "“\($0)”")] } ?? [])
  }

  private func turnBack(_ turnBack: JSON) -> [(String, String)] {
    let at = turnBack.moment("at").map { Moments.short($0, besides: started) + ", " } ?? ""
    let why: String
    switch turnBack["cause"]?.stringValue {
    case "stepFailed": why = "as \(turnBack.text("step") ?? "a step") failed"
    case "timeout": why = "as its time was over"
    case "cancelled": why = "cancelled by \(turnBack.text("by") ?? "someone")"
    case "compensate": why = "as \(turnBack.text("by") ?? "an operator") decided"
    default: why = "because of \(turnBack.text("cause") ?? "something unsaid")"
    }
    var facts = [("turned back", "\(at)\(why)")]
    if let reason = turnBack.text("reason") {
      facts.append(("", "“\(reason)”"))
    } else if let message = turnBack.text("message") {
      facts.append(("", message + (turnBack.text("code").map { " [\($0)]" } ?? "")))
    }
    return facts
  }

  private func abandoned(_ abandoned: JSON) -> [(String, String)] {
    let at = abandoned.moment("at").map { Moments.short($0, besides: started) + ", " } ?? ""
    let facts = [("abandoned", "\(at)by \(abandoned.text("by") ?? "someone")")]
    return facts + (abandoned.text("reason").map { [("", "“\($0)”")] } ?? [])
  }

  private func fact(_ name: String, _ value: String) -> [String] {
    Layout.wrap(value, width: Self.width - 15).enumerated().map { index, line in
      "  " + style.dim(Layout.pad(index == 0 ? name : "", to: 13)) + line
    }
  }

  private func outcome() -> [String] { output() + outputErrors() }

  /// The members of the output that could not be made.
  private func outputErrors() -> [String] {
    guard let errors = saga["outputErrors"]?.arrayValue, !errors.isEmpty else { return [] }
    let lines = errors.prefix(Self.mostOutputLines).flatMap { error in
      let path = error.text("path") ?? ""
      let expression = error.text("expression").map { " from ${\($0)}" } ?? ""
      let what =
        "\(path.isEmpty ? "the whole output" : path)\(expression): \(error.text("message") ?? "") [\(error.text("code") ?? "")]"
      return Layout.wrap(what, width: Self.width - 6)
    }
    let left = errors.count - Self.mostOutputLines
    let more = left > 0 ? [style.dim("    … and \(left) more (all of them: --json)")] : []
    return ["", "  " + style.dim("not in the output, and null there")] + lines.map { "    " + $0 } + more
  }

  private func output() -> [String] {
    guard status == "completed", let output = saga["output"], !output.isNull else { return [] }
    let lines = output.text(.pretty).split(separator: "\n").map {
      Layout.clip(Layout.printable(String($0)), to: Self.width - 4)
    }
    let more = lines.count > Self.mostOutputLines ? [style.dim("    … (all of it: --json)")] : []
    return ["", "  " + style.dim("output")] + lines.prefix(Self.mostOutputLines).map { "    " + $0 } + more
  }
}

/// What an operator can do next: for a stuck saga, lines to be copied.
struct NextSteps {
  let saga: JSON
  let style: Style
  let width: Int

  func lines() -> [String] {
    let stuck = saga["stuck"]?.arrayValue ?? []
    if !stuck.isEmpty { return self.stuck(stuck) }
    return waiting()
  }

  private var id: String { saga.text("id") ?? "ID" }

  private func stuck(_ stuck: [JSON]) -> [String] {
    let started = saga.moment("startedAt") ?? Timestamp(milliseconds: 0)
    var lines = ["", style.bold("It waits for you")]
    for one in stuck {
      let step = one.text("step") ?? "?"
      let undo = one["phase"]?.stringValue == "undo"
      let since = one.moment("since").map { ", stuck since \(Moments.short($0, besides: started))" } ?? ""
      lines.append(style.colour("  ! ", .red) + (undo ? "the undo of \(step)" : step) + since)
      let verbs = (one["verbs"]?.arrayValue ?? []).compactMap(\.stringValue)
      for verb in verbs where verb != "abandon" { lines += offers(verb, step: step, undo: undo) }
    }
    if stuck.contains(where: { ($0["verbs"]?.arrayValue ?? []).contains("abandon") }) {
      lines.append("  or, when nothing else is left:")
      lines += offer("give the saga up as it stands", "abandon", "")
    }
    return lines
  }

  private func offers(_ verb: String, step: String, undo: Bool) -> [String] {
    switch verb {
    case "retry":
      return offer(undo ? "try the undo again, once its cause is mended" : "try it again", "retry", "--step \(step)")
    case "resolve":
      if undo { return offer("it has been undone by hand", "resolve", "--step \(step) --undone") }
      // Of a step that was cleanly refused it is known that it didn't happen.
      let happened = offer("you have looked, and it happened", "resolve", "--step \(step) --happened")
      guard isUnknown(step) else { return happened }
      return happened + offer("you have looked, and it didn't", "resolve", "--step \(step) --did-not-happen")
    case "skip": return offer("go on without it", "skip", "--step \(step)")
    case "rewind": return offer("undo it and what follows, and begin there again", "rewind", "--to \(step)")
    default: return offer(verb, verb, "--step \(step)")
    }
  }

  private func isUnknown(_ step: String) -> Bool {
    let found = saga["steps"]?.arrayValue?.first { $0.text("id") == step }
    return found?["error"]?["outcome"]?.stringValue == "unknown"
  }

  private func waiting() -> [String] {
    let names = (saga["steps"]?.arrayValue ?? []).compactMap { step -> String? in
      guard step["status"]?.stringValue == "waiting", step["waitingFor"]?["kind"]?.stringValue == "signal" else {
        return nil
      }
      return step["waitingFor"]?.text("name")
    }
    guard !names.isEmpty else { return [] }
    return ["", style.bold("It waits for a signal")]
      + names.map { "  saga signal \(id) \(Shell.quoted($0)) --body '{}'" }
  }

  private func offer(_ says: String, _ verb: String, _ options: String) -> [String] {
    let line = "saga \(verb) \(id)"
    return [
      "    " + style.dim("# \(says)"), "    \(line) \\", "      \(options.isEmpty ? "" : options + " ")--reason '…'",
    ]
  }
}

/// Words as a shell takes them.
enum Shell {
  static func quoted(_ word: String) -> String {
    let plain = word.unicodeScalars.allSatisfy {
      $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "-._/:=@".unicodeScalars.contains($0))
    }
    if plain && !word.isEmpty { return word }
    return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}
