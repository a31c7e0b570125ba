import JSON
import Values
import Wire

/// `saga ops show`: an operation, its progress and its results.
struct OperationLines {
  let operation: OperationResponse
  let now: Timestamp
  let style: Style
  private static let barWidth = 24

  private var mark: StatusLabel {
    switch operation.status {
    case "waiting": StatusLabel(symbol: "◌", word: "waits for a second person", colour: .yellow)
    case "running": StatusLabel(symbol: "▸", word: "running", colour: .cyan)
    case "finished": StatusLabel(symbol: "✓", word: "finished", colour: .green)
    case "stopped": StatusLabel(symbol: "×", word: "stopped", colour: .red)
    case "declined": StatusLabel(symbol: "–", word: "declined", colour: .magenta)
    default: StatusLabel(symbol: "?", word: operation.status, colour: nil)
    }
  }

  private var what: String {
    func member(_ name: String) -> String? { operation.request[name]?.stringValue.map(Layout.printable) }
    let step = member("step").map { " of \($0)" } ?? ""
    let outcome = member("resolution").map { " as \($0)" } ?? ""
    let to = operation.request["to"]?.intValue.map { " to \(VersionName.long($0))" } ?? ""
    return "\(operation.verb)\(step)\(outcome)\(to) on \(FileReport.count(operation.sagas, "saga"))"
  }

  /// Two lines, for a list.
  var short: [String] {
    [
      "\(operation.id)  \(style.colour("\(mark.symbol) \(mark.word)", mark.colour))  "
        + SagaLines.age(now - operation.startedAt),
      Layout.clip("  \(what): \(counts); \(operation.by): “\(operation.reason)”", to: 80),
    ]
  }

  private var counts: String { "\(operation.done) done, \(operation.refused) refused, \(operation.left) left" }

  /// The progress as a bar.
  var progress: String {
    let filled = (operation.done + operation.refused) * Self.barWidth / max(1, operation.sagas)
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: Self.barWidth - filled)
    return "  \(style.colour(bar, mark.colour))  \(counts)"
  }

  var lines: [String] {
    var lines = [
      "\(style.bold(operation.id))  \(style.colour("\(mark.symbol) \(mark.word)", mark.colour))",
      "  \(what), \(pace)", progress,
    ]
    lines += fact("filter", operation.filter.map(Self.words))
    lines += fact("refused", Self.text(of: operation.refusals))
    lines += fact("they are", operation.standing.map(Self.text))
    lines += said("asked", operation.by, operation.reason, from: operation.from, at: operation.startedAt)
    let decisions = [
      ("approved", operation.approved), ("declined", operation.declined), ("stopped", operation.stopped),
    ]
    for case (let word, let decision?) in decisions {
      lines += said(word, decision.by, decision.reason ?? "", from: decision.from, at: decision.at)
    }
    if operation.status == "waiting" {
      lines += [
        "A second person decides with", "  saga ops approve \(operation.id) --reason WHY",
        "  saga ops decline \(operation.id) --reason WHY",
      ]
    }
    return lines
  }

  private var pace: String {
    let ramp = operation.rampSeconds / .seconds(1)
    let rise = ramp > 0 ? ", reached within \(Int(ramp.rounded(.up))) s" : ""
    return "\(operation.rate.text) a second\(rise)"
  }

  private func fact(_ name: String, _ text: String?) -> [String] {
    guard let text, !text.isEmpty else { return [] }
    return ["  \(Layout.pad(name, to: 9)) \(Layout.clip(text, to: 68))"]
  }

  private func said(_ word: String, _ by: String, _ reason: String, from: String?, at: Timestamp) -> [String] {
    let from = from.map { " (\($0))" } ?? ""
    let wrapped = Layout.wrap("by \(by)\(from) \(SagaLines.age(now - at)): “\(reason)”", width: 68)
    return wrapped.enumerated().map { "  \(Layout.pad($0.offset == 0 ? word : "", to: 9)) \($0.element)" }
  }

  private static func text(of counts: Counts) -> String {
    counts.all.map { "\($0.name) \($0.count)" }.joined(separator: ", ")
  }

  private static func words(_ filter: JSON) -> String {
    (filter.objectValue ?? [:]).map {
      "\(Layout.printable($0.name))=\(Layout.printable($0.value.stringValue ?? $0.value.text()))"
    }
    .joined(separator: " ")
  }
}

/// `saga ops preview`: the sagas, which of them refuse the verb and why, and the command to run the operation.
struct OperationPreviewLines {
  let preview: OperationPreviewResponse
  /// The words of the command line, for the command to run.
  let words: [String]
  let style: Style
  private static let shown = 50

  var lines: [String] {
    let (verb, items) = (preview.verb, preview.items)
    guard !items.isEmpty else { return ["No saga matches."] }
    var lines = [
      "\(FileReport.count(items.count, "saga")): \(preview.takes) accept \(verb), \(preview.refuses) refuse it. "
        + "Nothing was done."
    ]
    lines.append(
      style.dim(
        "\(Layout.pad("ID", to: 36))  \(Layout.pad("STATUS", to: 14)) \(Layout.pad("WORKFLOW", to: 18)) REFUSES"))
    // Refusals come first: the user has to see them.
    let ordered = items.filter { !$0.takes } + items.filter(\.takes)
    for item in ordered.prefix(Self.shown) { lines += self.lines(of: item) }
    if ordered.count > Self.shown {
      lines.append(style.dim("… and \(ordered.count - Self.shown) more (all of them: --json)"))
    }
    if preview.needsApproval { lines.append("A second person has to approve the operation before it starts.") }
    if preview.takes > 0 {
      lines += ["To run exactly this:", "  saga ops run \(words.joined(separator: " ")) \\"]
      let selection = words.contains("--saga") ? "" : "--selection \(preview.selection) "
      lines.append("    \(selection)--reason WHY")
    }
    return lines
  }

  private func lines(of item: OperationPreviewResponse.Item) -> [String] {
    let mark = StatusLabel.ofSaga(item.status ?? "?")
    let status = style.colour(Layout.pad("\(mark.symbol) \(mark.word)", to: 14), mark.colour)
    let workflow = Layout.pad(Layout.clip(item.workflow ?? "", to: 18), to: 18)
    let line = "\(item.saga)  \(status) \(workflow) \(item.code ?? "")"
    let name = (item.title ?? item.key).map { ["  " + style.bold(Layout.clip(Layout.printable($0), to: 78))] } ?? []
    guard let message = item.message else { return [Layout.trimmingEnd(line)] + name }
    return [line] + name + ["  " + style.dim(Layout.clip(message, to: 78))]
  }
}
