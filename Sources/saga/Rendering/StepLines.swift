import JSON
import Values

/// The steps of a saga: a line each with its mark, state, time and attempts, and beneath it its error, and what its
/// participant says of it.
struct StepLines {
  let saga: JSON
  let now: Timestamp
  let style: Style
  let width: Int

  private static let stateWidth = 11
  private static let timeWidth = 7
  private static let mostNoteLines = 5

  func lines() -> [String] {
    let steps = saga["steps"]?.arrayValue ?? []
    let ids = steps.map { $0.text("id") ?? "" }
    let graph = StepGraph(
      dependencies: steps.map { step in
        (step["dependsOn"]?.arrayValue ?? []).compactMap(\.stringValue).compactMap { ids.firstIndex(of: $0) }
      })
    let idWidth = min(max(8, ids.map(\.count).max() ?? 0), max(12, 28 - graph.width))
    return graph.rows.flatMap { row in lines(of: steps[row.step], row: row, idWidth: idWidth) }
  }

  private func lines(of step: JSON, row: StepGraph.Row, idWidth: Int) -> [String] {
    let mark = mark(of: step)
    let id = Layout.clip(step.text("id") ?? "", to: idWidth)
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

  /// A saga that has turned back, or ended, starts no step that it hasn't reached.
  private var onward: Bool { saga["status"]?.stringValue == "running" || (saga["turnBack"] == nil && !ended) }
  private var ended: Bool { saga["endedAt"]?.stringValue != nil }
  private var started: Timestamp { saga.moment("startedAt") ?? now }

  private func mark(of step: JSON) -> Mark {
    let status = step["status"]?.stringValue ?? ""
    // "failed" would say that it hasn't happened.
    if status == "failed", step["error"]?["outcome"] == "unknown" { return .unknownOutcome }
    return Mark.ofStep(status, onward: onward)
  }

  private func time(of step: JSON) -> String {
    guard let began = step.moment("startedAt") else { return "" }
    let status = step["status"]?.stringValue
    if status == "skipped" { return "" }
    if let end = step.moment("endedAt") { return Moments.duration(end - began) }
    return ["running", "backingOff", "waiting"].contains(status) ? Moments.duration(now - began) : ""
  }

  private func facts(of step: JSON) -> [String] {
    var facts: [String] = []
    let attempt = step["attempt"]?.intValue ?? 0
    let most = step["maxAttempts"]?.intValue
    switch step["status"]?.stringValue {
    case "running":
      if attempt > 0, most ?? 2 > 1 { facts.append("try \(attempt)\(most.map { " of \($0)" } ?? "")") }
    case "backingOff":
      facts.append("tried \(attempt)\(most.map { " of \($0)" } ?? "")")
      if let next = step.moment("retryAt") { facts.append("again " + when(next)) }
    case "waiting":
      switch (step["waitingFor"]?["kind"]?.stringValue, step["waitingFor"]?.text("name")) {
      case ("signal", let name): facts.append("for signal \(name ?? "")")
      default: break
      }
      if let until = step.moment("until") { facts.append("until \(Moments.short(until, besides: started))") }
    default:
      if attempt > 1 { facts.append("\(attempt) tries") }
    }
    if let round = step["round"]?.intValue, round > 1 { facts.append("round \(round)") }
    if step["pivot"]?.boolValue == true { facts.append("pivot") }
    if let undo = step["undo"], !undo.isNull { facts += self.facts(ofUndo: undo) }
    return facts
  }

  private func facts(ofUndo undo: JSON) -> [String] {
    let attempt = undo["attempt"]?.intValue ?? 0
    let most = undo["maxAttempts"]?.intValue.map { " of \($0)" } ?? ""
    switch undo["status"]?.stringValue {
    case "running": return attempt > 1 ? ["undo try \(attempt)\(most)"] : []
    case "backingOff":
      return ["undo tried \(attempt)\(most)"] + (undo.moment("retryAt").map { ["again " + when($0)] } ?? [])
    case "undone":
      if undo["how"]?.stringValue == "undone" { return ["by hand"] }
      var facts: [String] = []
      if let began = undo.moment("startedAt"), let end = undo.moment("endedAt") {
        let tries = attempt > 1 ? " in \(attempt) tries" : ""
        facts.append("undo took \(Moments.duration(end - began))\(tries)")
      }
      if undo["how"]?.stringValue == "alreadyGone" { facts.append("nothing was left") }
      return facts
    case "failed": return attempt > 1 ? ["\(attempt) tries to undo"] : []
    default: return []
    }
  }

  /// `at 08:15:37, in 4.2s`
  private func when(_ moment: Timestamp) -> String {
    moment > now ? "in \(Moments.duration(moment - now))" : "now"
  }

  private func notes(of step: JSON) -> [(text: String, colour: Style.Colour?)] {
    var notes: [(String, Style.Colour?)] = []
    if let error = step["error"], !error.isNull, step["status"]?.stringValue != "succeeded" {
      let unknown = error["outcome"]?.stringValue == "unknown" ? "; it may have happened" : ""
      notes.append((line(error) + unknown, .red))
    }
    if let error = step["outputError"], !error.isNull { notes.append(("no output: " + line(error), .yellow)) }
    if let undo = step["undo"], let error = undo["error"], !error.isNull, undo["status"]?.stringValue != "undone" {
      notes.append(("undo: " + line(error), .red))
    }
    for (what, progress) in [("", step["progress"]), ("undo: ", step["undo"]?["progress"])] {
      if let said = progress.flatMap(self.progress) { notes.append((what + said, nil)) }
    }
    return notes
  }

  /// `40%, thawing the plate (12s ago)`
  private func progress(_ progress: JSON) -> String? {
    let age = progress.moment("at").map { " (\(Moments.duration(now - $0)) ago)" } ?? ""
    return ProgressText.of(progress).map { $0 + age }
  }

  private func line(_ error: JSON) -> String {
    "\(error.text("message") ?? "")\(error.text("code").map { " [\($0)]" } ?? "")"
  }
}

/// How far a step has come, in its participant's words: `40%, thawing the plate`.
enum ProgressText {
  static func of(_ progress: JSON) -> String? {
    guard let message = progress.text("message") else { return nil }
    let fraction = progress["fraction"]?.doubleValue.map { "\(Int((min(max($0, 0), 1) * 100).rounded()))%" }
    return [fraction, message.isEmpty ? nil : message].compactMap { $0 }.joined(separator: ", ")
  }
}
