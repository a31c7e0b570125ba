import Values
import Wire

/// `saga incidents`: each incident with its number of sagas, in 80 columns.
struct IncidentDrawing {
  let page: IncidentsResponse
  /// Whether only some incidents were asked for.
  let isFiltered: Bool
  /// Whether it is the first page.
  let isFirst: Bool
  let style: Style
  private static let width = 80
  private static let indent = String(repeating: " ", count: 8)

  func lines() -> [String] {
    var lines = isFirst ? summary : []
    for incident in page.incidents { lines += (lines.isEmpty ? [] : [""]) + self.lines(of: incident) }
    if let next = page.next { lines.append(style.dim("More: --cursor \(next)")) }
    return lines
  }

  private var summary: [String] {
    let retrying = page.sagas["retrying"]
    if page.needsPerson == 0, retrying == 0 {
      // While events are missing, that is not known.
      if page.lists.lagEvents > 0 { return [] }
      return [isFiltered ? "No such incident." : "No saga is stuck, held back, overdue, paused, or being tried again."]
    }
    let more = page.atLeast ? "at least " : ""
    var words: [String] = []
    if page.needsPerson > 0 {
      words.append(
        "\(more)\(FileReport.count(page.needsPerson, "saga")) \(page.needsPerson == 1 ? "needs" : "need") a person")
    }
    if retrying > 0 {
      words.append("\(more)\(FileReport.count(retrying, "saga")) \(retrying == 1 ? "is" : "are") being tried again")
    }
    let sentence = words.joined(separator: "; ")
    return [style.bold(sentence.prefix(1).uppercased() + sentence.dropFirst() + ".")]
  }

  private func lines(of incident: IncidentsResponse.Incident) -> [String] {
    let count = Layout.padLeft("\(incident.sagas)", to: 6)
    let time = "for \(TimeText.duration(page.at - incident.since))"
    let kind = Layout.pad(incident.kind, to: 8)
    let room = Self.width - count.count - 2 - kind.count - 2 - 2 - time.count
    let what = Layout.pad(Layout.clip(Self.what(incident), to: room), to: room)
    var lines = ["\(style.bold(count))  \(style.colour(kind, Self.colour(incident.kind)))  \(what)  \(style.dim(time))"]
    var names = incident.samples.map { Layout.printable($0.title ?? $0.key ?? Self.short($0.id, incident.sagas)) }
    if names.count < incident.sagas { names.append("and \(incident.sagas - names.count) more") }
    let sagas = incident.samples.isEmpty ? "" : ": " + names.joined(separator: ", ")
    let workflow = Layout.printable(incident.workflow)
    lines.append(Layout.clip(Self.indent + workflow + sagas, to: Self.width))
    if incident.outcome != nil, let first = incident.samples.first {
      // What is done depends on what a person finds, in each saga.
      lines.append(Self.indent + "It may have happened. Look at the participant first.")
      lines.append(Self.indent + style.dim("saga why \(Layout.printable(first.id))"))
    } else if let verb = incident.verbs.first {
      lines.append(Self.indent + style.dim("saga ops preview \(verb) --incident \(incident.id)"))
    } else if let code = incident.code {
      // No verb reaches these sagas: the page of the code says what does.
      lines.append(Self.indent + style.dim("saga help \(Layout.printable(code))"))
    }
    return lines
  }

  /// An id among others is cut to its two ends.
  private static func short(_ id: String, _ sagas: Int) -> String {
    sagas == 1 || id.count < 16 ? id : "\(id.prefix(8))…\(id.suffix(6))"
  }

  /// `undo of allocateStorage · FREEZER_LOCKED`
  static func what(_ incident: IncidentsResponse.Incident) -> String {
    let step = incident.step.map { (incident.phase == "undo" ? "undo of " : "") + $0 }
    let parts = [step, incident.code].compactMap { $0 }
    return Layout.printable(parts.isEmpty ? "the saga as a whole" : parts.joined(separator: " · "))
  }

  private static func colour(_ kind: String) -> Style.Colour? {
    switch kind {
    case "stuck", "held": .red
    case "overdue": .yellow
    case "retrying": .cyan
    default: nil
    }
  }
}
