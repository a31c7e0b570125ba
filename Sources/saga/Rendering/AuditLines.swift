import JSON

/// `saga audit`: two or three lines for each thing that somebody did.
struct AuditLines {
  let style: Style
  static let width = 80

  var heading: String {
    style.dim("\(Layout.pad("WHEN", to: 20)) \(Layout.pad("WHO", to: 16)) \(Layout.pad("WHAT", to: 12)) WORKFLOW")
  }

  func lines(of act: JSON) -> [String] {
    let when = Layout.pad(Self.moment(act.text("at") ?? ""), to: 20)
    let who = Layout.pad(Layout.clip(Layout.printable(act.text("actor") ?? ""), to: 16), to: 16)
    let what = Layout.pad(Layout.clip(Layout.printable(act.text("verb") ?? "?"), to: 12), to: 12)
    // An id is told whole, on a line of its own: it is what one copies.
    let saga = act.text("saga")
    let about = Layout.clip(act.text("workflow") ?? "", to: Self.width - 51)
    var lines = ["\(when) \(style.bold(who)) \(what) \(about)"]
    lines[0] = Layout.trimmingEnd(lines[0])
    if let saga {
      let change = change(of: act)
      if change.count + saga.count + 4 <= Self.width {
        lines.append(Layout.trimmingEnd("  \(saga)  \(change)"))
      } else {
        lines += ["  " + saga, "  " + Layout.clip(change, to: Self.width - 2)]
      }
    }
    if let operation = act.text("operation") { lines.append("  operation \(operation)") }
    lines += content(of: act)
    var why: [String] = []
    if let reason = act.text("reason") { why.append("“\(reason)”") }
    if let from = act.text("from") { why.append("from \(from)") }
    if !why.isEmpty {
      lines += Layout.wrap(Layout.printable(why.joined(separator: ", ")), width: Self.width - 2).map { "  " + $0 }
    }
    return lines
  }

  /// What was asked for: a value a word, and long ones cut. `--json` has them whole.
  private func content(of act: JSON) -> [String] {
    guard let content = act["content"]?.objectValue else { return [] }
    let words = content.filter { !Self.isShownElsewhere($0.name) }.map { name, value in
      let text = Layout.printable(value.stringValue ?? value.text())
      return "\(name) \(text.count > Self.longestValue ? text.prefix(Self.longestValue) + "…" : text)"
    }
    return Layout.wrap(words.joined(separator: ", "), width: Self.width - 2).map { "  " + $0 }
  }

  private static let longestValue = 200

  private static func isShownElsewhere(_ name: String) -> Bool { name == "workflow" }

  private func change(of act: JSON) -> String {
    let step = act.text("step")
    let before = Self.standing(act["before"], step != nil)
    let after = Self.standing(act["after"], step != nil)
    if let before, let after { return "\(step.map { $0 + "  " } ?? "")\(before) → \(after)" }
    if let after { return "\(step.map { $0 + "  " } ?? "")→ \(after)" }
    return step ?? ""
  }

  private static func standing(_ standing: JSON?, _ hasStep: Bool) -> String? {
    guard let saga = standing?.text("saga") else { return nil }
    guard hasStep, let step = standing?.text("step") else { return saga }
    return "\(saga)/\(step)"
  }

  /// `2026-03-01T08:15:45.000Z` to the second.
  private static func moment(_ text: String) -> String {
    text.count == 24 ? text.prefix(10) + " " + text.dropFirst(11).prefix(8) + "Z" : text
  }
}

/// `saga audit --csv`: RFC 4180.
enum AuditCSV {
  static let columns = [
    "at", "actor", "kind", "verb", "saga", "version", "workflow", "step", "reason", "from", "sagaBefore", "stepBefore",
    "sagaAfter", "stepAfter", "operation", "content",
  ]

  static var heading: String { line(columns) }

  static func line(of act: JSON) -> String {
    line(
      columns.map { column in
        switch column {
        case "version": act["version"]?.intValue.map(String.init) ?? ""
        case "content": act["content"].map { $0.text() } ?? ""
        case "sagaBefore": act["before"]?["saga"]?.stringValue ?? ""
        case "stepBefore": act["before"]?["step"]?.stringValue ?? ""
        case "sagaAfter": act["after"]?["saga"]?.stringValue ?? ""
        case "stepAfter": act["after"]?["step"]?.stringValue ?? ""
        default: act[column]?.stringValue ?? ""
        }
      })
  }

  private static func line(_ cells: [String]) -> String { cells.map(quoted).joined(separator: ",") + "\r\n" }

  private static func quoted(_ text: String) -> String {
    let needsQuotes = text.unicodeScalars.contains { [",", "\"", "\r", "\n"].contains($0) }
    guard needsQuotes else { return text }
    return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
  }
}

/// `saga audit verify`: what was walked, and what was found.
struct AuditReportLines {
  let report: JSON
  let style: Style

  func lines() -> [String] {
    let events = report["events"]?.intValue ?? 0
    let shards = report["shards"]?.arrayValue?.count ?? 0
    var lines: [String] = []
    let broken = report["broken"]?.arrayValue ?? []
    lines.append(
      broken.isEmpty
        ? style.colour("intact", .green) + ": every link of \(FileReport.count(events, "event")) holds"
        : style.colour("broken", .red)
          + ": \(FileReport.count(broken.count, "shard")) of \(shards) not as it was written")
    for link in broken { lines += Self.lines(of: link) }
    if !broken.isEmpty { lines.append("Walked as far as it holds: \(FileReport.count(events, "event")).") }
    lines.append("Store \(report.text("store") ?? "?"), \(FileReport.count(shards, "shard")).")
    if let unchained = report["unchained"]?.intValue, unchained > 0 {
      lines.append(
        "\(FileReport.count(unchained, "event")) stored before there were chains: their streams' hashes alone vouch.")
    }
    if let moment = report.text("comparedWith") {
      lines.append("Compared with the signed head of \(moment).")
    } else {
      lines += [
        "Compared with no head: that the last events weren't cut off, or everything",
        "hashed anew, only an earlier signed head can tell (`saga audit head`).",
      ]
    }
    return lines
  }

  private static func lines(of link: JSON) -> [String] {
    let place = "shard \(link["shard"]?.intValue ?? 0), position \(link["position"]?.intValue ?? 0)"
    var lines = ["  \(link.text("kind") ?? "?") at \(place)"]
    if let stream = link.text("stream") {
      lines.append("    stream \(stream)\(link["version"]?.intValue.map { ", version \($0)" } ?? "")")
    }
    lines += Layout.wrap(link.text("why") ?? "", width: 76).map { "    " + $0 }
    return lines
  }
}
