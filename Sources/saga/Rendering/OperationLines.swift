import JSON
import Values

extension JSON {
  /// A verb that takes two people is answered with the operation that waits, not with the saga.
  var isOperation: Bool { self["verb"] != nil && self["left"] != nil && self["needsApproval"] != nil }
}

/// `saga ops show`: what an operation is, how far it is, and what came of it.
struct OperationLines {
  let operation: JSON
  let now: Timestamp
  let style: Style
  private static let barWidth = 24

  private func count(_ name: String) -> Int { operation[name]?.intValue ?? 0 }
  private var status: String { operation.text("status") ?? "?" }

  private var mark: Mark {
    switch status {
    case "waiting": Mark(symbol: "◌", word: "waits for a second person", colour: .yellow)
    case "running": Mark(symbol: "▸", word: "running", colour: .cyan)
    case "finished": Mark(symbol: "✓", word: "finished", colour: .green)
    case "stopped": Mark(symbol: "×", word: "stopped", colour: .red)
    case "declined": Mark(symbol: "–", word: "declined", colour: .magenta)
    default: Mark(symbol: "?", word: status, colour: nil)
    }
  }

  private var what: String {
    let request = operation["request"]
    let step = request?.text("step").map { " of \($0)" } ?? ""
    let outcome = request?.text("resolution").map { " as \($0)" } ?? ""
    let sagas = count("sagas")
    return "\(operation.text("verb") ?? "?")\(step)\(outcome) on \(sagas) saga\(sagas == 1 ? "" : "s")"
  }

  /// Two lines, for a list.
  var short: [String] {
    let age = operation.moment("startedAt").map { SagaLines.age(now - $0) } ?? ""
    return [
      "\(operation.text("id") ?? "")  \(style.colour("\(mark.symbol) \(mark.word)", mark.colour))  \(age)",
      Layout.clip("  \(what): \(counts); \(operation.text("by") ?? ""): “\(operation.text("reason") ?? "")”", to: 80),
    ]
  }

  private var counts: String { "\(count("done")) done, \(count("refused")) refused, \(count("left")) left" }

  /// How far it is.
  var progress: String {
    let all = max(1, count("sagas"))
    let filled = (count("done") + count("refused")) * Self.barWidth / all
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: Self.barWidth - filled)
    return "  \(style.colour(bar, mark.colour))  \(counts)"
  }

  var lines: [String] {
    var lines = [
      "\(style.bold(operation.text("id") ?? ""))  \(style.colour("\(mark.symbol) \(mark.word)", mark.colour))",
      "  \(what), \(pace)", progress,
    ]
    lines += fact("filter", operation["filter"].map(Self.words))
    lines += fact("refused", Self.counts(operation["refusals"]))
    lines += fact("they are", Self.counts(operation["standing"]))
    lines += said("asked", operation, at: "startedAt")
    for word in ["approved", "declined", "stopped"] {
      if let decision = operation[word] { lines += said(word, decision, at: "at") }
    }
    if status == "waiting" {
      let id = operation.text("id") ?? ""
      lines += [
        "Another person agrees, or not, with", "  saga ops approve \(id) --reason WHY",
        "  saga ops decline \(id) --reason WHY",
      ]
    }
    return lines
  }

  private var pace: String {
    let rate = JSON.number(operation["rate"]?.numberValue ?? JSONNumber(0)).text()
    let ramp = operation["rampSeconds"]?.doubleValue ?? 0
    return "\(rate) a second" + (ramp > 0 ? ", reached within \(Int(ramp.rounded(.up))) s" : "")
  }

  private func fact(_ name: String, _ text: String?) -> [String] {
    guard let text, !text.isEmpty else { return [] }
    return ["  \(Layout.pad(name, to: 9)) \(Layout.clip(text, to: 68))"]
  }

  private func said(_ word: String, _ decision: JSON, at moment: String) -> [String] {
    let age = decision.moment(moment).map { SagaLines.age(now - $0) } ?? ""
    let from = decision.text("from").map { " (\($0))" } ?? ""
    let text = "by \(decision.text("by") ?? "?")\(from) \(age): “\(decision.text("reason") ?? "")”"
    let wrapped = Layout.wrap(text, width: 68)
    return wrapped.enumerated().map { "  \(Layout.pad($0.offset == 0 ? word : "", to: 9)) \($0.element)" }
  }

  private static func counts(_ counts: JSON?) -> String {
    (counts?.objectValue ?? [:]).map { "\(Layout.printable($0.name)) \($0.value.intValue ?? 0)" }.joined(
      separator: ", ")
  }

  private static func words(_ filter: JSON) -> String {
    (filter.objectValue ?? [:]).map {
      "\(Layout.printable($0.name))=\(Layout.printable($0.value.stringValue ?? $0.value.text()))"
    }
    .joined(separator: " ")
  }
}

/// `saga ops preview`: which sagas, which refuse and why, and the command that does just that.
struct OperationPreviewLines {
  let preview: JSON
  /// What was typed, to be typed again.
  let words: [String]
  let style: Style
  private static let shown = 50

  var lines: [String] {
    let items = preview["items"]?.arrayValue ?? []
    let verb = preview.text("verb") ?? "?"
    guard !items.isEmpty else { return ["No saga is found: there is nothing to \(verb)."] }
    let (takes, refuses) = (preview["takes"]?.intValue ?? 0, preview["refuses"]?.intValue ?? 0)
    var lines = ["\(items.count) found: \(takes) take \(verb), \(refuses) refuse it. Nothing has been done."]
    lines.append(
      style.dim(
        "\(Layout.pad("ID", to: 36))  \(Layout.pad("STATUS", to: 14)) \(Layout.pad("WORKFLOW", to: 18)) REFUSES"))
    // What is refused is what one has to see.
    let ordered = items.filter { $0["takes"] == false } + items.filter { $0["takes"] != false }
    for item in ordered.prefix(Self.shown) { lines += self.lines(of: item) }
    if ordered.count > Self.shown {
      lines.append(style.dim("… and \(ordered.count - Self.shown) more; --json has all"))
    }
    if preview["needsApproval"] == true { lines.append("It takes two people: it waits until another has agreed.") }
    if takes > 0 {
      lines += ["To do exactly this:", "  saga ops run \(words.joined(separator: " ")) \\"]
      let selection = words.contains("--saga") ? "" : "--selection \(preview.text("selection") ?? "") "
      lines.append("    \(selection)--reason WHY")
    }
    return lines
  }

  private func lines(of item: JSON) -> [String] {
    let mark = Mark.ofSaga(item.text("status") ?? "?")
    let status = style.colour(Layout.pad("\(mark.symbol) \(mark.word)", to: 14), mark.colour)
    let workflow = Layout.pad(Layout.clip(item.text("workflow") ?? "", to: 18), to: 18)
    let line = "\(item.text("saga") ?? "")  \(status) \(workflow) \(item.text("code") ?? "")"
    guard let message = item.text("message") else { return [Layout.trimmingEnd(line)] }
    return [line, "  " + style.dim(Layout.clip(message, to: 78))]
  }
}
