import JSON
import Values

/// `saga notices`: how each destination of notices stands, in 80 columns.
struct NoticeDrawing {
  let notices: JSON
  let style: Style
  private static let width = 80

  private var destinations: [JSON] { notices["destinations"]?.arrayValue ?? [] }

  /// Whether somebody isn't told what is to be told.
  var isAnyoneUntold: Bool { destinations.contains { ["failing", "gone"].contains($0.text("state") ?? "") } }

  func lines() -> [String] {
    guard !destinations.isEmpty else {
      return Layout.wrap(
        "Nobody is told of anything: stuck and overdue sagas are seen by who looks for them. `saga serve --webhook URL` "
          + "tells people where they are.", width: Self.width)
    }
    return destinations.enumerated().flatMap { index, one in (index == 0 ? [] : [""]) + lines(of: one) }
  }

  /// All of them in a line; nil when there are none.
  var summary: (text: String, mark: Mark)? {
    guard !destinations.isEmpty else { return nil }
    let untold = destinations.filter { ["failing", "gone"].contains($0.text("state") ?? "") }
    let waiting = destinations.reduce(0) { $0 + ($1["pending"]?.intValue ?? 0) }
    let waits = "\(FileReport.count(waiting, "notice")) \(waiting == 1 ? "waits" : "wait")"
    guard let first = untold.first else {
      let all = FileReport.count(destinations.count, "destination")
      return ("\(all), \(waiting == 0 ? "all told" : waits)", Self.mark(of: waiting == 0 ? "current" : "delivering"))
    }
    let names = untold.compactMap { $0.text("name") }.joined(separator: ", ")
    let mark = Self.mark(of: first.text("state"))
    return (Layout.clip("\(names) \(untold.count == 1 ? "is" : "are") not told, \(waits)", to: 65), mark)
  }

  private static func mark(of state: String?) -> Mark {
    switch state {
    case "current": Mark(symbol: "✓", word: "all told", colour: .green)
    case "delivering": Mark(symbol: "▸", word: "telling", colour: .yellow)
    case "failing": Mark(symbol: "!", word: "failing", colour: .red)
    case "gone": Mark(symbol: "✗", word: "gone", colour: .red)
    default: Mark(symbol: "?", word: state ?? "unknown", colour: nil)
    }
  }

  private func lines(of one: JSON) -> [String] {
    let mark = Self.mark(of: one.text("state"))
    let head = "\(mark.symbol) \(mark.word)"
    let problem =
      one["problem"].map { ": \($0.text("message") ?? "")\($0.text("code").map { " [\($0)]" } ?? "")" } ?? ""
    let wrapped = Layout.wrap("\(head), \(one.text("name") ?? "")\(problem)", width: Self.width - 2)
    var lines = wrapped.enumerated().map { index, line in
      index == 0 ? style.colour(head, mark.colour) + line.dropFirst(head.count) : "  " + line
    }
    lines += fact("where", "\(one.text("kind") ?? ""), \(one.text("target") ?? "")")
    lines += fact("of", (one["types"]?.arrayValue ?? []).compactMap(\.stringValue).joined(separator: ", "))
    let pending = one["pending"]?.intValue ?? 0
    if pending > 0 {
      let more = one["pendingIsMore"]?.boolValue == true ? " and more" : ""
      let since = one.moment("oldestPending").map { ", the oldest of \(Moments.full($0))" } ?? ""
      lines += fact("waiting", FileReport.count(pending, "notice") + more + since)
    }
    if let since = one.moment("failingSince") {
      let next = one.moment("nextTryAt").map { ", next try \(Moments.full($0))" } ?? ""
      lines += fact("since", Moments.full(since) + next)
    }
    let last = one.moment("lastDeliveredAt").map { ", the last \(Moments.full($0))" } ?? ""
    lines += fact("delivered", "\(one["delivered"]?.intValue ?? 0)\(last)")
    if let count = one["givenUp"]?.intValue, count > 0 { lines += fact("given up", "\(count) in all") }
    for letter in one["letters"]?.arrayValue ?? [] {
      let why = letter.text("code").map { " [\($0)]" } ?? ""
      let when = letter.moment("givenUpAt").map { Moments.full($0) } ?? ""
      lines += fact("", "\(when): \(letter.text("summary") ?? "")\(why)")
    }
    return lines
  }

  private func fact(_ name: String, _ value: String) -> [String] {
    Layout.wrap(value, width: Self.width - 15).enumerated().map { index, line in
      "  " + style.dim(Layout.pad(index == 0 ? name : "", to: 13)) + line
    }
  }

  /// What `saga notices resend` says.
  static func lines(ofResend answer: JSON, _ style: Style) -> [String] {
    let delivered = answer["delivered"]?.arrayValue?.count ?? 0
    let failed = answer["failed"]?.arrayValue ?? []
    let left = answer["left"]?.intValue ?? 0
    if delivered == 0, failed.isEmpty, left == 0 { return ["Nothing was given up."] }
    var lines: [String] = []
    if delivered > 0 {
      let mark = style.colour("✓ delivered", .green)
      lines.append("\(mark) \(FileReport.count(delivered, "notice")) in \(answer["tookSeconds"]?.doubleValue ?? 0) s")
    }
    for one in failed {
      let code = one["problem"]?.text("code").map { " [\($0)]" } ?? ""
      let text = "! \(one.text("id") ?? ""): \(one["problem"]?.text("message") ?? "")\(code)"
      lines += Layout.wrap(text, width: Self.width - 2).enumerated().map { index, line in
        style.colour((index == 0 ? "" : "  ") + line, .red)
      }
    }
    if left > 0 { lines.append("\(FileReport.count(left, "notice")) \(left == 1 ? "is" : "are") still given up.") }
    return lines
  }
}
