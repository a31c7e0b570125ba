import JSON
import Runtime
import Values

/// `saga show`: a saga as the REST API answers it, drawn for a person in 80 columns.
struct SagaDrawing {
  let saga: JSON
  /// The time of the drawing: what is under way lasts until now.
  let now: Timestamp
  let style: Style
  static let width = 80
  private static let mostOutputLines = 16

  func lines() -> [String] {
    header() + [""] + StepLines(saga: saga, now: now, style: style, width: Self.width).lines() + outcome()
      + nextSteps()
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
        // A pause stops the saga's clock, so the time of the deadline is not known.
        let when = isPaused ? "moves with the pause" : far
        facts.append(("deadline", "\(Moments.short(deadline, besides: started)), \(when)"))
      }
    }
    let tags = (saga["tags"]?.arrayValue ?? []).compactMap(\.stringValue).map(Layout.printable)
    if !tags.isEmpty { facts.append(("tags", tags.joined(separator: ", "))) }
    // The steps and the output below say this of a completed saga.
    if status != "completed" { facts.append(("why", why.sentence)) }
    if saga.moment("endedAt") == nil {
      facts += [("since", why.since), ("until", why.until)].compactMap { name, time in time.map { (name, $0) } }
    }
    return lines + facts.flatMap { fact($0.0, $0.1) }
  }

  private var isPaused: Bool { saga["paused"].map { !$0.isNull } ?? false }

  private var why: Why { Why(saga: saga, now: now) }

  private func nextSteps() -> [String] {
    let lines = why.lines(style: style, width: Self.width)
    return lines.isEmpty ? [] : ["", style.bold("What to do next")] + lines
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
