import JSON
import SagaCore
import Values
import Wire

/// `saga items`: a line for each item of a step, and below it the error, or what it answered.
struct ItemLines {
  let now: Timestamp
  let style: Style

  static let width = 80
  private static let keyWidth = 28
  private static let stateWidth = 11
  private static let timeWidth = 7
  private static let mostNoteLines = 3
  private static let indent = "    "

  var heading: String {
    let names = [
      Layout.pad("  KEY", to: 2 + Self.keyWidth),
      Layout.pad("STATUS", to: Self.stateWidth) + " "
        + Layout.padLeft("TIME", to: Self.timeWidth), "ATTEMPTS",
    ]
    return style.dim(names.joined(separator: "  "))
  }

  func lines(of item: SagaResponse.Step) -> [String] {
    let words = StepWords(start: now, now: now, onward: true)
    let mark = words.mark(of: item)
    let key = ItemID(item.id)?.key ?? item.id
    // A long key has a line of its own, because people copy it.
    let isLong = key.count > Self.keyWidth
    let keyLines = isLong ? Layout.wrap(key, width: Self.width - 2).enumerated().map { ($0 == 0 ? "" : "  ") + $1 } : []
    let state = style.colour(Layout.pad(mark.word, to: Self.stateWidth), mark.colour)
    let time = Layout.padLeft(words.time(of: item), to: Self.timeWidth)
    let column = 2 + Self.keyWidth + 2 + Self.stateWidth + 1 + Self.timeWidth + 2
    let facts = Layout.wrap(words.facts(of: item).joined(separator: ", "), width: Self.width - column)
    let symbol = style.colour(mark.symbol, mark.colour)
    let shown = Layout.pad(isLong ? "" : key, to: Self.keyWidth)
    var lines: [String] = []
    if let first = keyLines.first { lines = ["\(symbol) \(first)"] + keyLines.dropFirst() }
    lines.append(
      Layout.trimmingEnd("\(isLong ? " " : symbol) \(shown)  \(state) \(time)  \(facts.first ?? "")"))
    lines += facts.dropFirst().map { String(repeating: " ", count: column) + $0 }
    for note in words.notes(of: item) {
      let wrapped = Layout.wrap(note.text, width: Self.width - Self.indent.count)
      lines += wrapped.prefix(Self.mostNoteLines).map { Self.indent + style.colour($0, note.colour) }
      if wrapped.count > Self.mostNoteLines { lines.append(Self.indent + style.dim("… (all of it: --json)")) }
    }
    if let output = item.output, !output.isNull {
      let text = Layout.clip(Layout.printable(output.text()), to: Self.width - Self.indent.count)
      lines.append(Self.indent + style.dim(text))
    }
    return lines
  }
}
