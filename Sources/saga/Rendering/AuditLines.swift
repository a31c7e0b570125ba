import JSON
import Values
import Wire

/// `saga audit`: two or three lines for each act of a person.
struct AuditLines {
  let style: Style
  static let width = 80

  var heading: String {
    style.dim("\(Layout.pad("WHEN", to: 23)) \(Layout.pad("WHO", to: 16)) \(Layout.pad("WHAT", to: 12)) WORKFLOW")
  }

  func lines(of act: AuditResponse.Act) -> [String] {
    let when = TimeText.full(act.at)
    let who = Layout.pad(Layout.clip(act.by, to: 16), to: 16)
    let what = Layout.pad(Layout.clip(act.verb, to: 12), to: 12)
    let about = Layout.clip(act.workflow ?? "", to: Self.width - 54)
    var lines = [Layout.trimmingEnd("\(when) \(style.bold(who)) \(what) \(about)")]
    // The id is never cut, because users copy it.
    if let saga = act.saga {
      let change = change(of: act)
      if change.count + saga.count + 4 <= Self.width {
        lines.append(Layout.trimmingEnd("  \(saga)  \(change)"))
      } else {
        lines += ["  " + saga, "  " + Layout.clip(change, to: Self.width - 2)]
      }
    }
    if let operation = act.operation { lines.append("  operation \(operation)") }
    lines += content(of: act)
    let why = [act.reason.map { "“\($0)”" }, act.from.map { "from \($0)" }].compactMap { $0 }
    if !why.isEmpty {
      lines += Layout.wrap(why.joined(separator: ", "), width: Self.width - 2).map { "  " + $0 }
    }
    return lines
  }

  /// The members of the request, a few words each. Long values are cut; `--json` has them whole.
  private func content(of act: AuditResponse.Act) -> [String] {
    guard let content = act.content?.objectValue else { return [] }
    let words = content.filter { $0.name != "workflow" }.map { name, value in
      let text = Layout.printable(value.stringValue ?? value.text())
      return "\(name) \(text.count > Self.longestValue ? text.prefix(Self.longestValue) + "…" : text)"
    }
    return Layout.wrap(words.joined(separator: ", "), width: Self.width - 2).map { "  " + $0 }
  }

  private static let longestValue = 200

  private func change(of act: AuditResponse.Act) -> String {
    let before = act.before.map { $0.text(withStep: act.step != nil) }
    let after = act.after.map { $0.text(withStep: act.step != nil) }
    if let before, let after { return "\(act.step.map { $0 + "  " } ?? "")\(before) → \(after)" }
    if let after { return "\(act.step.map { $0 + "  " } ?? "")→ \(after)" }
    return act.step ?? ""
  }
}

extension AuditResponse.Standing {
  fileprivate func text(withStep: Bool) -> String {
    guard withStep, let step else { return saga }
    return "\(saga)/\(step)"
  }
}

/// `saga audit --csv`: RFC 4180.
enum AuditCSV {
  static let columns = [
    "at", "actor", "kind", "verb", "saga", "version", "workflow", "step", "reason", "from", "sagaBefore", "stepBefore",
    "sagaAfter", "stepAfter", "operation", "content",
  ]

  static var heading: String { line(columns) }

  static func line(of act: AuditResponse.Act) -> String {
    line([
      act.at.description, act.by, act.kind, act.verb, act.saga ?? "", act.version.map(String.init) ?? "",
      act.workflow ?? "", act.step ?? "", act.reason ?? "", act.from ?? "", act.before?.saga ?? "",
      act.before?.step ?? "", act.after?.saga ?? "", act.after?.step ?? "", act.operation ?? "",
      act.content.map { $0.text() } ?? "",
    ])
  }

  private static func line(_ cells: [String]) -> String { cells.map(quoted).joined(separator: ",") + "\r\n" }

  private static func quoted(_ text: String) -> String {
    let needsQuotes = text.unicodeScalars.contains { [",", "\"", "\r", "\n"].contains($0) }
    guard needsQuotes else { return text }
    return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
  }
}

/// `saga audit verify`: the result of the walk along the chains.
struct AuditReportLines {
  let report: AuditReportResponse
  let style: Style

  func lines() -> [String] {
    let events = FileReport.count(report.events, "event")
    let shards = report.shards.count
    let broken = report.broken
    var lines = [
      broken.isEmpty
        ? style.colour("intact", .green) + ": every link of \(events) holds"
        : style.colour("broken", .red)
          + ": \(FileReport.count(broken.count, "shard")) of \(shards) \(broken.count == 1 ? "was" : "were") changed"
    ]
    for link in broken { lines += Self.lines(of: link) }
    if !broken.isEmpty { lines.append("Verified up to there: \(events).") }
    lines.append("Store \(report.store), \(FileReport.count(shards, "shard")).")
    if report.unchained > 0 {
      let older = FileReport.count(report.unchained, "event")
      lines += Layout.wrap(
        "\(older) \(report.unchained == 1 ? "is" : "are") older than the chains. Only the hashes of the streams protect "
          + "\(report.unchained == 1 ? "it" : "them").", width: 80)
    }
    if let time = report.comparedWith {
      lines.append("Compared with the signed head of \(time).")
    } else {
      lines += [
        "Compared with no head. Only an earlier signed head shows whether the last events",
        "were cut off, or all events were hashed again (`saga audit head`).",
      ]
    }
    return lines
  }

  private static func lines(of link: AuditReportResponse.BrokenLink) -> [String] {
    var lines = ["  \(link.kind) at shard \(link.shard), position \(link.position)"]
    if let stream = link.stream {
      lines.append("    stream \(stream)\(link.version.map { ", version \($0)" } ?? "")")
    }
    lines += Layout.wrap(link.why, width: 76).map { "    " + $0 }
    return lines
  }
}
