import JSON
import Runtime
import Values
import Wire

/// `saga show`: a saga drawn in 80 columns.
struct SagaDrawing {
  let saga: SagaResponse
  /// The time of the drawing. Unfinished steps last until then.
  let now: Timestamp
  let style: Style
  static let width = 80
  private static let mostOutputLines = 16

  func lines() -> [String] {
    header() + [""] + StepLines(saga: saga, now: now, style: style, width: Self.width).lines() + outcome()
      + NextSteps(saga: saga, style: style, width: Self.width).lines()
  }

  private var started: Timestamp { saga.startedAt }

  private func header() -> [String] {
    let mark = StatusLabel.ofSaga(saga.status)
    let name = Layout.clip("\(saga.workflow) v\(saga.version)", to: 62)
    let overdue = saga.overdue ? "  " + style.colour("overdue", .red) : ""
    var lines = [
      style.colour("\(mark.symbol) \(mark.word)", mark.colour) + "  " + style.bold(name) + overdue
        + (saga.paused != nil ? "  " + style.colour("‖ paused", .yellow) : "")
    ]
    lines.append("  " + saga.id)
    var facts: [(String, String)] = []
    let by = saga.startedBy.map { " by \($0)" } ?? ""
    if let ended = saga.endedAt {
      facts.append(("started", TimeText.full(started) + by))
      facts.append(("ended", "\(TimeText.short(ended, besides: started)), took \(TimeText.duration(ended - started))"))
    } else {
      facts.append(("started", "\(TimeText.full(started))\(by), \(TimeText.duration(now - started)) ago"))
      if let deadline = saga.deadline {
        let far =
          deadline >= now ? "in \(TimeText.duration(deadline - now))" : "\(TimeText.duration(now - deadline)) ago"
        // The deadline of a paused saga moves until the saga is resumed.
        let when = saga.paused != nil ? "moves with the pause" : far
        facts.append(("deadline", "\(TimeText.short(deadline, besides: started)), \(when)"))
      }
    }
    if saga.endedAt == nil {
      for sentence in OverdueSteps(saga: saga, now: now).sentences { facts.append(("overdue", sentence)) }
    }
    if !saga.tags.isEmpty { facts.append(("tags", saga.tags.joined(separator: ", "))) }
    if let paused = saga.paused {
      facts += said("paused", since: paused.since, "by \(paused.by)", reason: paused.reason)
    }
    if let rewind = saga.rewind {
      facts += said("rewinding", since: rewind.since, "to \(rewind.step), by \(rewind.by)", reason: rewind.reason)
    }
    if let turnBack = saga.turnBack { facts += self.turnBack(turnBack) }
    if let abandoned = saga.abandoned { facts += self.abandoned(abandoned) }
    return lines + facts.flatMap { fact($0.0, $0.1) }
  }

  private func said(_ name: String, since: Timestamp, _ what: String, reason: String) -> [(String, String)] {
    [(name, "since \(TimeText.short(since, besides: started)), \(what)"), ("", "“\(reason)”")]
  }

  private func turnBack(_ turnBack: SagaResponse.TurnBack) -> [(String, String)] {
    let why =
      switch turnBack.cause {
      case "stepFailed": "because \(turnBack.step ?? "a step") failed"
      case "timeout": "because its time was over"
      case "cancelled": "cancelled by \(turnBack.by ?? "someone")"
      case "compensate": "because \(turnBack.by ?? "an operator") decided it"
      default: "because of \(turnBack.cause)"
      }
    var facts = [("turned back", "\(TimeText.short(turnBack.at, besides: started)), \(why)")]
    if let reason = turnBack.reason {
      facts.append(("", "“\(reason)”"))
    } else {
      facts.append(("", "\(turnBack.message) [\(turnBack.code)]"))
    }
    return facts
  }

  private func abandoned(_ abandoned: SagaResponse.Abandoned) -> [(String, String)] {
    let at = TimeText.short(abandoned.at, besides: started)
    let facts = [("abandoned", "\(at), by \(abandoned.by ?? "someone")")]
    return facts + (abandoned.reason.map { [("", "“\($0)”")] } ?? [])
  }

  private func fact(_ name: String, _ value: String) -> [String] {
    Layout.wrap(value, width: Self.width - 15).enumerated().map { index, line in
      "  " + style.dim(Layout.pad(index == 0 ? name : "", to: 13)) + line
    }
  }

  private func outcome() -> [String] { output() + outputErrors() }

  /// The members of the output that could not be computed.
  private func outputErrors() -> [String] {
    let errors = saga.outputErrors
    guard !errors.isEmpty else { return [] }
    let lines = errors.prefix(Self.mostOutputLines).flatMap { error in
      let expression = error.expression.map { " from ${\($0)}" } ?? ""
      let what =
        "\(error.path.isEmpty ? "the whole output" : error.path)\(expression): \(error.message) [\(error.code)]"
      return Layout.wrap(what, width: Self.width - 6)
    }
    let left = errors.count - Self.mostOutputLines
    let more = left > 0 ? [style.dim("    … and \(left) more (all of them: --json)")] : []
    return ["", "  " + style.dim("not in the output, and null there")] + lines.map { "    " + $0 } + more
  }

  private func output() -> [String] {
    guard saga.status == "completed", let output = saga.output, !output.isNull else { return [] }
    let lines = output.text(.pretty).split(separator: "\n").map {
      Layout.clip(Layout.printable(String($0)), to: Self.width - 4)
    }
    let more = lines.count > Self.mostOutputLines ? [style.dim("    … (all of it: --json)")] : []
    return ["", "  " + style.dim("output")] + lines.prefix(Self.mostOutputLines).map { "    " + $0 } + more
  }
}

/// What an operator can do next: commands to copy.
struct NextSteps {
  let saga: SagaResponse
  let style: Style
  let width: Int

  func lines() -> [String] { saga.stuck.isEmpty ? waiting() : stuck() }

  private func stuck() -> [String] {
    var lines = ["", style.bold("It waits for you")]
    for one in saga.stuck {
      let undo = one.phase == "undo"
      let since = ", stuck since \(TimeText.short(one.since, besides: saga.startedAt))"
      lines.append(style.colour("  ! ", .red) + (undo ? "the undo of \(one.step)" : one.step) + since)
      for verb in one.verbs where verb != "abandon" { lines += offers(verb, step: one.step, undo: undo) }
    }
    if saga.stuck.contains(where: { $0.verbs.contains("abandon") }) {
      lines.append("  or, when nothing else is left:")
      lines += offer("give the saga up as it is", "abandon", "")
    }
    return lines
  }

  private func offers(_ verb: String, step: String, undo: Bool) -> [String] {
    switch verb {
    case "retry":
      return offer(undo ? "the cause is fixed: undo it again" : "try it again", "retry", "--step \(step)")
    case "resolve":
      if undo { return offer("it was undone by hand", "resolve", "--step \(step) --undone") }
      // A step that failed cleanly certainly had no effect.
      let happened = offer("you have checked: it happened", "resolve", "--step \(step) --happened")
      guard saga.isUnknown(step) else { return happened }
      return happened + offer("you have checked: it did not happen", "resolve", "--step \(step) --did-not-happen")
    case "skip": return offer("go on without it", "skip", "--step \(step)")
    case "rewind": return offer("undo it and what follows, then start again there", "rewind", "--to \(step)")
    default: return offer(verb, verb, "--step \(step)")
    }
  }

  private func waiting() -> [String] {
    let names = saga.steps.compactMap { step in
      step.status == "waiting" && step.waitingFor?.kind == "signal" ? step.waitingFor?.name : nil
    }
    guard !names.isEmpty else { return [] }
    return ["", style.bold("It waits for a signal")]
      + names.map { "  saga signal \(saga.id) \(Shell.quoted($0)) --body '{}'" }
  }

  private func offer(_ says: String, _ verb: String, _ options: String) -> [String] {
    let line = "saga \(verb) \(saga.id)"
    return [
      "    " + style.dim("# \(says)"), "    \(line) \\", "      \(options.isEmpty ? "" : options + " ")--reason '…'",
    ]
  }
}

extension SagaResponse {
  func step(_ id: String) -> Step? { steps.first { $0.id == id } }

  /// Whether the outcome of a step is unknown.
  func isUnknown(_ step: String) -> Bool { self.step(step)?.error?.outcome == "unknown" }
}

/// Quotes words for a shell.
enum Shell {
  static func quoted(_ word: String) -> String {
    let plain = word.unicodeScalars.allSatisfy {
      $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "-._/:=@".unicodeScalars.contains($0))
    }
    if plain && !word.isEmpty { return word }
    return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}
