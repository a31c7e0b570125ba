import JSON
import Rehearsal
import SagaCore
import Values

/// Draws what happened in a run in virtual time: a line for each event, with its time from the start.
struct StoryLines {
  let style: Style
  /// Whether to show what each call sends, and what each step gives.
  var isDetailed = false
  var indent = 0
  var width = 80

  /// - Parameter most: the most lines of the story that are drawn; the middle of a longer one is left out.
  func lines(of story: RunStory, most: Int = .max) -> [String] {
    let all = story.lines
    let idWidth = min(20, all.compactMap { $0.step?.count }.max() ?? 0)
    guard all.count > most else { return all.flatMap { lines(of: $0, idWidth: idWidth) } }
    let tail = most * 2 / 3
    let head = most - tail
    let note = String(repeating: " ", count: indent) + style.dim("… \(all.count - most) more …")
    return all.prefix(head).flatMap { lines(of: $0, idWidth: idWidth) } + [note]
      + all.suffix(tail).flatMap { lines(of: $0, idWidth: idWidth) }
  }

  private func lines(of line: RunStory.Line, idWidth: Int) -> [String] {
    let time = Layout.padLeft(Self.time(line.at), to: 8)
    let step = Layout.pad(Layout.clip(line.step ?? "", to: idWidth), to: idWidth)
    let margin = String(repeating: " ", count: indent)
    let left = "\(margin)\(time)  \(step)  "
    let (first, rest) = wrapped(Layout.printable(line.text), column: left.count)
    let colour = colour(of: line.kind)
    var lines = ["\(margin)\(style.dim(time))  \(step)  " + style.colour(first, colour)]
    lines += rest.map { $0.indent + style.colour($0.text, colour) }
    if isDetailed {
      let inner = margin + String(repeating: " ", count: 12)
      lines += details(of: line).flatMap {
        Layout.wrap(Layout.printable(Self.shortened($0)), width: width - inner.count)
      }
      .map { inner + style.dim($0) }
    }
    return lines.map(Layout.trimmingEnd)
  }

  /// Wraps a text that begins at a column. A word that is too long for the column, as a path, begins further left.
  private func wrapped(
    _ text: String, column: Int
  ) -> (first: String, rest: [(indent: String, text: String)]) {
    let room = max(20, width - column)
    let blank = String(repeating: " ", count: column)
    let words = text.split(separator: " ")
    guard let long = words.firstIndex(where: { $0.count > room }) else {
      let lines = Layout.wrap(text, width: room)
      return (lines.first ?? "", lines.dropFirst().map { (blank, $0) })
    }
    let before = Layout.wrap(words[..<long].joined(separator: " "), width: room)
    let inner = String(repeating: " ", count: indent + 12)
    let after = Layout.wrap(words[long...].joined(separator: " "), width: width - inner.count)
    return (before.first ?? "", before.dropFirst().map { (blank, $0) } + after.map { (inner, $0) })
  }

  private func details(of line: RunStory.Line) -> [String] {
    var details: [String] = []
    if let call = line.call {
      switch call.action {
      case .http(let http):
        details += fields("query", http.query) + fields("header", http.headers)
        if let body = http.body { details.append("body \(Self.spaced(body))") }
      case .kafka(let kafka):
        details += fields("header", kafka.headers)
        if let body = kafka.body { details.append("body \(Self.spaced(body))") }
      case .task(let task): details.append("input \(Self.spaced(task.input))")
      case .workflow(let workflow):
        if let key = workflow.key { details.append("start key \(key)") }
        if !workflow.turnsBack { details.append("input \(Self.spaced(workflow.input))") }
      }
      details.append("key \(call.idempotencyKey)")
      if line.isMadeUp { details.append("answer made up") }
    }
    if let output = line.output, !output.isNull { details.append("output \(Self.spaced(output))") }
    return details
  }

  /// Writes JSON with blanks, so that it can be wrapped.
  static func spaced(_ json: JSON) -> String {
    switch json {
    case .null, .bool, .number, .string: json.text()
    case .array(let values): "[" + values.map(spaced).joined(separator: ", ") + "]"
    case .object(let members):
      "{" + members.map { "\(JSON.string($0.name).text()): \(spaced($0.value))" }.joined(separator: ", ") + "}"
    }
  }

  private func fields(_ name: String, _ fields: [RenderedField]) -> [String] {
    fields.map { "\(name) \($0.name): \($0.value)" }
  }

  /// The most characters of a body that are drawn.
  private static let longest = 2_000

  private static func shortened(_ text: String) -> String {
    text.count <= longest ? text : "\(text.prefix(longest))…"
  }

  private func colour(of kind: RunStory.Kind) -> Style.Colour? {
    switch kind {
    case .succeeds: .green
    case .fails: .red
    case .undoes: .yellow
    case .signal, .person: .magenta
    case .engine: .cyan
    case .begins, .sends, .waits, .ends: nil
    }
  }

  static func time(_ duration: Duration) -> String { duration == .zero ? "0s" : TimeText.duration(duration) }
}
