import JSON
import Values
import Wire

/// `saga show`: a saga drawn in 80 columns.
struct SagaDrawing {
  let saga: SagaResponse
  /// The time of the drawing. Unfinished steps last until then.
  let now: Timestamp
  let style: Style
  /// Some failed items, by the ids of their steps.
  var failedItems: [String: [SagaResponse.Step]] = [:]
  /// Whether each of many siblings gets its own line, and every command is shown.
  var isUnfolded = false
  /// The event after which the saga was so; nil for the present.
  var pastEvent: Int?
  static let width = 80
  private static let mostOutputLines = 16

  func lines() -> [String] {
    let steps = StepLines(
      saga: saga, now: now, style: style, width: Self.width, failedItems: failedItems,
      isUnfolded: isUnfolded)
    return header() + [""] + steps.lines() + outcome() + nextSteps()
  }

  private var started: Timestamp { saga.startedAt }

  private func header() -> [String] {
    let mark = StatusLabel.ofSaga(saga.status)
    let workflow = "\(saga.workflow) \(VersionName.short(saga.version))"
    let status = "\(mark.symbol) \(mark.word)"
    let overdue = saga.overdue ? "overdue" : ""
    let paused = saga.paused != nil ? "‖ paused" : ""
    let flags = [style.colour(overdue, .red), style.colour(paused, .yellow)].filter { !$0.isEmpty }
    let taken = [status, overdue, paused].reduce(0) { $0 + ($1.isEmpty ? 0 : $1.count + 2) }
    let name = Layout.clip(saga.title ?? workflow, to: Self.width - taken)
    var lines = [([style.colour(status, mark.colour), style.bold(name)] + flags).joined(separator: "  ")]
    if saga.title != nil { lines.append("  " + Layout.clip(workflow, to: Self.width - 2)) }
    lines.append("  " + saga.id)
    if let pastEvent { lines.append("  " + style.colour("as it was after event \(pastEvent)", .yellow)) }
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
        let isQueued = saga.turn.map { $0.takenAt == nil } ?? false
        let when = isQueued ? "moves until its turn comes" : saga.paused != nil ? "moves with the pause" : far
        facts.append(("deadline", "\(TimeText.short(deadline, besides: started)), \(when)"))
      }
    }
    if let forgotten = saga.forgotten {
      let by = forgotten.by.map { " by \($0)" } ?? ""
      facts.append(("forgotten", "\(TimeText.short(forgotten.at, besides: started))\(by): \(forgotten.reason ?? "")"))
    }
    if let parent = saga.parent {
      let what = parent.phase == "undo" ? "the undo of step" : "step"
      facts.append(("child of", "\(parent.id), \(what) \(parent.step)"))
    }
    if let key = saga.key { facts.append(("key", Layout.printable(key))) }
    if !saga.labels.isEmpty { facts.append(("labels", LabelText.all(saga.labels))) }
    if !saga.tags.isEmpty { facts.append(("tags", saga.tags.joined(separator: ", "))) }
    // The steps and the output below say this of a completed saga.
    if saga.status != "completed" { facts.append(("why", why.sentence)) }
    if saga.endedAt == nil {
      facts += [("since", why.since), ("until", why.until)].compactMap { name, time in time.map { (name, $0) } }
    }
    return lines + facts.flatMap { fact($0.0, $0.1) }
  }

  private var why: Why { Why(saga: saga, now: now) }

  private func nextSteps() -> [String] {
    // What could be done then is not what can be done now.
    if pastEvent != nil { return [] }
    let lines = why.lines(style: style, width: Self.width, most: isUnfolded ? .max : Why.mostCommands)
    return lines.isEmpty ? [] : ["", style.bold("What to do next")] + lines
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
