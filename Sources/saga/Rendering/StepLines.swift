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
  /// Whether each of many siblings gets its own line.
  var isUnfolded = false

  private static let stateWidth = 11
  private static let timeWidth = 7
  private static let mostNoteLines = 5
  private static let mostItemLines = 2

  func lines() -> [String] {
    let folds =
      isUnfolded ? saga.steps.map { SiblingFold(name: $0.id, steps: [$0]) } : SiblingFold.folding(saga.steps)
    let graph = graph(of: folds)
    let idWidth = min(max(8, folds.map(\.name.count).max() ?? 0), max(12, 28 - graph.width))
    return graph.rows.flatMap { row in
      let fold = folds[row.step]
      return fold.steps.count == 1
        ? lines(of: fold.steps[0], row: row, idWidth: idWidth) : lines(of: fold, row: row, idWidth: idWidth)
    }
  }

  /// The widest graph that leaves room for the words beside it.
  private static let widestGraph = 40

  private func graph(of folds: [SiblingFold]) -> StepGraph {
    var place: [String: String] = [:]
    for fold in folds { for step in fold.steps { place[step.id] = fold.name } }
    let nodes = folds.map { fold in
      var dependsOn: [String] = []
      var seen: Set<String> = []
      for step in fold.steps.flatMap(\.dependsOn).compactMap({ place[$0] }) where seen.insert(step).inserted {
        dependsOn.append(step)
      }
      return StepGraph.Node(
        id: fold.name, dependsOn: dependsOn, group: fold.steps.first?.group.flatMap { place[$0] })
    }
    let graph = StepGraph(steps: nodes)
    return graph.width > Self.widestGraph ? StepGraph(listing: folds.count) : graph
  }

  /// `▸  p1_*  96 steps  14.7s  90 ✓ 5 ▸ 1 ✗`, and below it those that have failed or are tried again.
  private func lines(of fold: SiblingFold, row: StepGraph.Row, idWidth: Int) -> [String] {
    var counts: [(mark: StatusLabel, count: Int)] = []
    for mark in fold.steps.map(words.mark) {
      if let index = counts.firstIndex(where: { $0.mark.symbol == mark.symbol }) {
        counts[index].count += 1
      } else {
        counts.append((mark, 1))
      }
    }
    func rank(_ symbol: String) -> Int { Self.order.firstIndex(of: symbol) ?? Self.order.count }
    counts.sort { rank($0.mark.symbol) < rank($1.mark.symbol) }
    let worst = Self.urgency.lazy.compactMap { symbol in counts.first { $0.mark.symbol == symbol }?.mark }.first
    let mark = worst ?? counts.first?.mark ?? .unknownOutcome
    let began = fold.steps.compactMap { $0.status == "skipped" ? nil : $0.startedAt }.min()
    let ends = fold.steps.compactMap(\.endedAt)
    let isOver = fold.steps.allSatisfy { $0.endedAt != nil || ["pending", "skipped"].contains($0.status) }
    let time = began.map { TimeText.duration((isOver ? ends.max() ?? now : now) - $0) } ?? ""
    let left = "  \(row.before)\(style.colour(mark.symbol, mark.colour))\(row.after)  "
    let name = Layout.pad(Layout.clip(fold.name, to: idWidth), to: idWidth)
    let state = Layout.pad("\(fold.steps.count) steps", to: Self.stateWidth)
    let facts = counts.map { style.colour("\($0.count) \($0.mark.symbol)", $0.mark.colour) }.joined(separator: " ")
    let below = "  " + row.below + "  "
    return [
      Layout.trimmingEnd("\(left)\(name)  \(state) \(Layout.padLeft(time, to: Self.timeWidth))  \(facts)")
    ] + troubled(fold, below: below)
  }

  /// The symbols in the order in which they are counted: what is done, what is under way, what went wrong.
  private static let order = ["✓", "▸", "↻", "◌", "✗", "?", "–", "↶", "↩", "!", "·"]
  /// The symbols in the order in which one of them is the symbol of all.
  private static let urgency = ["!", "?", "✗", "↶", "↻", "▸", "◌", "·", "✓"]
  private static let mostTroubled = 5

  private func troubled(_ fold: SiblingFold, below: String) -> [String] {
    let troubled = ["!", "?", "✗", "↻"].flatMap { symbol in
      fold.steps.filter { words.mark(of: $0).symbol == symbol }
    }
    var lines = troubled.prefix(Self.mostTroubled).flatMap { line(of: $0, named: $0.id, below: below) }
    if troubled.count > Self.mostTroubled {
      lines.append(below + "  " + style.dim("… \(troubled.count - Self.mostTroubled) more: saga show ID --all"))
    }
    return lines
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
    var lines = shown.flatMap { line(of: $0, named: ItemID($0.id)?.key ?? $0.id, below: below) }
    let all = step.items?.statuses.reduce(0) { FailedItems.statuses.contains($1.status) ? $0 + $1.count : $0 } ?? 0
    if all > shown.count {
      let status = step.items?.statuses.contains { $0.status == "failed" } == true ? "failed" : "undoFailed"
      let more = "… \(all - shown.count) more: saga items ID \(step.id) --status \(status)"
      lines += Layout.wrap(more, width: width - below.count - 2).map { below + "  " + style.dim($0) }
    }
    return lines
  }

  /// A step or an item with its first note, in two lines at most.
  private func line(of item: SagaResponse.Step, named key: String, below: String) -> [String] {
    let (mark, note) = (words.mark(of: item), words.notes(of: item).first?.text ?? "")
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

  private var words: StepWords {
    StepWords(
      start: saga.startedAt, now: now,
      onward: saga.status == "running" || (saga.turnBack == nil && saga.endedAt == nil))
  }
}
