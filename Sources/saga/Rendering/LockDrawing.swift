import Values
import Wire

/// `saga locks`: the holders and the waiters of each key, in 80 columns.
struct LockDrawing {
  let turns: TurnsResponse
  /// The key that was asked for; nil for all keys.
  let key: String?
  let now: Timestamp
  let style: Style
  private static let width = 80
  private static let titleWidth = 28

  func lines() -> [String] {
    guard !turns.keys.isEmpty else {
      return [key.map { "Nothing holds a turn of \(Layout.printable($0)), and nothing waits." } ?? "No turn is held."]
    }
    var lines = turns.keys.enumerated().flatMap { index, one in (index == 0 ? [] : [""]) + self.lines(of: one) }
    if let next = turns.next { lines.append(style.dim("More: --cursor \(next)")) }
    return lines
  }

  private func lines(of one: TurnsResponse.Key) -> [String] {
    let counts = "  \(one.held) held, \(FileReport.count(one.waiting, "waiter"))"
    var lines = [style.bold(Layout.clip(Layout.printable(one.key), to: Self.width - counts.count)) + counts]
    for claim in one.holders {
      let since = claim.takenAt.map { "for \(TimeText.duration(now - $0))" } ?? "its turn has come"
      lines.append(line("▸", .green, claim, since))
    }
    lines += more(one.held - one.holders.count)
    for (index, claim) in one.waiters.enumerated() {
      let wait = "waits \(TimeText.duration(now - claim.askedAt))\(claim.paused ? ", paused" : "")"
      lines.append(line("\(index + 1)", nil, claim, wait))
    }
    lines += more(one.waiting - one.waiters.count)
    return lines
  }

  private func more(_ count: Int) -> [String] { count > 0 ? ["    " + style.dim("and \(count) more")] : [] }

  /// `▸ 019c8a5e-7b1c-7d2e-8f3a-0123456789ab load, for 2m 05s`
  private func line(_ mark: String, _ colour: Style.Colour?, _ claim: TurnsResponse.Claim, _ time: String) -> String {
    let room = Self.width - 3 - mark.count - time.count - 2
    return "  \(style.colour(mark, colour)) \(Layout.clip(words(of: claim), to: room)), \(time)"
  }

  private func words(of claim: TurnsResponse.Claim) -> String {
    let undo = claim.phase == "undo" ? "undo of " : ""
    let what = "\(undo)\(claim.step ?? claim.workflow)"
    guard let title = claim.title else { return "\(claim.saga) \(what)" }
    // People know the title; the id is cut to what tells it from the others here.
    return "\(Layout.clip(Layout.printable(title), to: Self.titleWidth)) \(claim.saga.prefix(idWidth)) \(what)"
  }

  private var idWidth: Int { ShortID.width(of: turns.keys.flatMap { $0.holders + $0.waiters }.map(\.saga)) }
}
