import SagaCore
import Values
import Wire

/// The steps of a saga: a line each with status, time and attempts, and below it the error and the progress message.
struct StepLines {
  let saga: SagaResponse
  let now: Timestamp
  let style: Style
  let width: Int
  /// Some items that have failed, or whose undo has failed, by the ids of their steps.
  var failedItems: [String: [SagaResponse.Step]] = [:]

  private static let stateWidth = 11
  private static let timeWidth = 7
  private static let mostNoteLines = 5
  private static let mostItemLines = 2

  func lines() -> [String] {
    let steps = saga.steps
    let graph = StepGraph(steps: steps.map { StepGraph.Node(id: $0.id, dependsOn: $0.dependsOn, group: $0.group) })
    let idWidth = min(max(8, steps.map(\.id.count).max() ?? 0), max(12, 28 - graph.width))
    return graph.rows.flatMap { row in lines(of: steps[row.step], row: row, idWidth: idWidth) }
  }

  private func lines(of step: SagaResponse.Step, row: StepGraph.Row, idWidth: Int) -> [String] {
    let mark = words.mark(of: step)
    let id = Layout.clip(step.id, to: idWidth)
    let left = "  \(row.before)\(style.colour(mark.symbol, mark.colour))\(row.after)  "
    let leftWidth = 2 + row.before.count + 1 + row.after.count + 2
    let state = style.colour(Layout.pad(mark.word, to: Self.stateWidth), mark.colour)
    let time = Layout.padLeft(words.time(of: step), to: Self.timeWidth)
    let factsColumn = leftWidth + idWidth + 2 + Self.stateWidth + 1 + Self.timeWidth + 2
    let facts = Layout.wrap(words.facts(of: step).joined(separator: ", "), width: max(16, width - factsColumn))
    let below = "  " + row.below + "  "
    let padding = String(repeating: " ", count: factsColumn - below.count)
    var lines = [
      Layout.trimmingEnd("\(left)\(Layout.pad(id, to: idWidth))  \(state) \(time)  \(facts.first ?? "")")
    ]
    lines += facts.dropFirst().map { below + padding + $0 }
    for note in words.notes(of: step) {
      let wrapped = Layout.wrap(note.text, width: width - below.count - 2)
      lines += wrapped.prefix(Self.mostNoteLines).map { below + "  " + style.colour($0, note.colour) }
      if wrapped.count > Self.mostNoteLines { lines.append(below + "  " + style.dim("… (all of it: --json)")) }
    }
    return lines + failedItemLines(of: step, below: below)
  }

  /// `✗ LIB-7: index CGTA is not in the sample sheet [http.422]`
  private func failedItemLines(of step: SagaResponse.Step, below: String) -> [String] {
    guard let shown = failedItems[step.id], !shown.isEmpty else { return [] }
    var lines = shown.flatMap { item -> [String] in
      let (mark, note) = (words.mark(of: item), words.notes(of: item).first?.text ?? "")
      let key = ItemID(item.id)?.key ?? item.id
      let text = Layout.wrap(
        "\(mark.symbol) \(key)" + (note.isEmpty ? "" : ": \(note)"), width: width - below.count - 2)
      let kept = text.prefix(Self.mostItemLines)
      let cut = kept.count < text.count
      return kept.enumerated().map { index, line in
        let isLast = cut && index == kept.count - 1
        return below + "  "
          + style.colour(isLast ? Layout.clip(line + " …", to: width - below.count - 2) : line, mark.colour)
      }
    }
    let all = step.items?.statuses.reduce(0) { FailedItems.statuses.contains($1.status) ? $0 + $1.count : $0 } ?? 0
    if all > shown.count {
      let status = step.items?.statuses.contains { $0.status == "failed" } == true ? "failed" : "undoFailed"
      let more = "… \(all - shown.count) more: saga items ID \(step.id) --status \(status)"
      lines += Layout.wrap(more, width: width - below.count - 2).map { below + "  " + style.dim($0) }
    }
    return lines
  }

  private var words: StepWords {
    StepWords(
      start: saga.startedAt, now: now,
      onward: saga.status == "running" || (saga.turnBack == nil && saga.endedAt == nil))
  }
}
