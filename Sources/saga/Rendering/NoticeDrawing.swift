import Wire

/// `saga notices`: the state of each destination of notices in 80 columns.
struct NoticeDrawing {
  let destinations: [NoticesResponse.Destination]
  let style: Style
  private static let width = 80

  private var failing: [NoticesResponse.Destination] { destinations.filter { ["failing", "gone"].contains($0.state) } }
  /// Whether a destination doesn't get its notices.
  var isAnyFailing: Bool { !failing.isEmpty }

  func lines() -> [String] {
    guard !destinations.isEmpty else {
      return Layout.wrap(
        "The engine sends no notices: a person sees a stuck or overdue saga only by looking for it. "
          + "`saga serve --webhook URL` sends notices.", width: Self.width)
    }
    return destinations.enumerated().flatMap { index, one in (index == 0 ? [] : [""]) + lines(of: one) }
  }

  /// All destinations in one line; nil when there are none.
  var summary: (text: String, mark: StatusLabel)? {
    guard !destinations.isEmpty else { return nil }
    let waiting = destinations.reduce(0) { $0 + $1.pending }
    let waits = "\(FileReport.count(waiting, "notice")) \(waiting == 1 ? "waits" : "wait")"
    guard let first = failing.first else {
      let all = FileReport.count(destinations.count, "destination")
      let state = waiting == 0 ? "current" : "delivering"
      return ("\(all), \(waiting == 0 ? "all delivered" : waits)", Self.mark(of: state))
    }
    let names = failing.map(\.name).joined(separator: ", ")
    let text = "\(names) \(failing.count == 1 ? "gets" : "get") no notices, \(waits)"
    return (Layout.clip(text, to: 65), Self.mark(of: first.state))
  }

  private static func mark(of state: String) -> StatusLabel {
    switch state {
    case "current": StatusLabel(symbol: "✓", word: "all delivered", colour: .green)
    case "delivering": StatusLabel(symbol: "▸", word: "delivering", colour: .yellow)
    case "failing": StatusLabel(symbol: "!", word: "failing", colour: .red)
    case "gone": StatusLabel(symbol: "✗", word: "gone", colour: .red)
    default: StatusLabel(symbol: "?", word: state, colour: nil)
    }
  }

  private func lines(of one: NoticesResponse.Destination) -> [String] {
    let mark = Self.mark(of: one.state)
    let head = "\(mark.symbol) \(mark.word)"
    let problem = one.problem.map { ": \($0.message) [\($0.code)]" } ?? ""
    let wrapped = Layout.wrap("\(head), \(one.name)\(problem)", width: Self.width - 2)
    var lines = wrapped.enumerated().map { index, line in
      index == 0 ? style.colour(head, mark.colour) + line.dropFirst(head.count) : "  " + line
    }
    lines += fact("where", "\(one.kind), \(one.target)")
    lines += fact("types", one.types.joined(separator: ", "))
    if one.pending > 0 {
      let more = one.pendingIsMore ? " and more" : ""
      let oldest = one.oldestPending.map { ", the oldest of \(TimeText.full($0))" } ?? ""
      lines += fact("waiting", FileReport.count(one.pending, "notice") + more + oldest)
    }
    if let since = one.failingSince {
      let next = one.nextTryAt.map { ", next try \(TimeText.full($0))" } ?? ""
      lines += fact("since", TimeText.full(since) + next)
    }
    let last = one.lastDeliveredAt.map { ", the last \(TimeText.full($0))" } ?? ""
    lines += fact("delivered", "\(one.delivered)\(last)")
    if one.givenUp > 0 { lines += fact("given up", "\(one.givenUp) in all") }
    for dead in one.letters { lines += fact("", "\(TimeText.full(dead.givenUpAt)): \(dead.summary) [\(dead.code)]") }
    return lines
  }

  private func fact(_ name: String, _ value: String) -> [String] {
    Layout.wrap(value, width: Self.width - 15).enumerated().map { index, line in
      "  " + style.dim(Layout.pad(index == 0 ? name : "", to: 13)) + line
    }
  }

  /// Returns the output of `saga notices resend`.
  static func lines(of resend: NoticeResendResponse, _ style: Style) -> [String] {
    let (delivered, left) = (resend.delivered.count, resend.left)
    if delivered == 0, resend.failed.isEmpty, left == 0 { return ["No notices were given up."] }
    var lines: [String] = []
    if delivered > 0 {
      let mark = style.colour("✓ delivered", .green)
      lines.append("\(mark) \(FileReport.count(delivered, "notice")) in \(resend.tookSeconds / .seconds(1)) s")
    }
    for one in resend.failed {
      let text = "! \(one.id): \(one.problem.message) [\(one.problem.code)]"
      lines += Layout.wrap(text, width: Self.width - 2).enumerated().map { index, line in
        style.colour((index == 0 ? "" : "  ") + line, .red)
      }
    }
    if left > 0 { lines.append("\(FileReport.count(left, "notice")) \(left == 1 ? "is" : "are") still given up.") }
    return lines
  }
}
