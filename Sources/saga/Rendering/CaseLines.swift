import JSON
import Rehearsal
import SagaCore
import Values

/// Draws the result of a case.
struct CaseLines {
  let style: Style

  /// The most lines of a failed case's history.
  private static let mostLines = 60

  func lines(of result: CaseResult) -> [String] {
    let mark = result.isPassed ? style.colour("✓", .green) : style.colour("✗", .red)
    let time = result.run.map { StoryLines.time($0.duration) } ?? ""
    let name = Layout.wrap(Layout.printable(result.test.name), width: 64)
    var lines = name.enumerated().map { index, text in
      index == 0
        ? "  \(mark) " + Layout.pad(text, to: 66) + style.dim(Layout.padLeft(time, to: 8)) : "    \(text)"
    }
    if !result.isPassed { lines += details(of: result).map { "      " + $0 } }
    return lines.map(Layout.trimmingEnd)
  }

  private func details(of result: CaseResult) -> [String] {
    var lines = ["line \(result.test.line) of the file"]
    for difference in result.differences { lines += self.lines(of: difference) }
    if let run = result.run {
      lines.append("what happened:")
      lines += StoryLines(style: style, indent: 0, width: 74).lines(of: RunStory(run), most: Self.mostLines)
    }
    return lines
  }

  private func lines(of difference: Difference) -> [String] {
    func wrapped(_ head: String, _ text: String) -> [String] {
      Layout.wrap(Layout.printable(text), width: 74 - head.count).enumerated().map { index, line in
        (index == 0 ? head : String(repeating: " ", count: head.count)) + line
      }
    }
    var lines = [style.bold(Layout.printable(difference.what))]
    if let expected = difference.expected { lines += wrapped("  expected  ", expected) }
    lines += wrapped("  seen      ", difference.seen)
    // A line that begins with blanks is text to copy.
    for detail in difference.details {
      lines += detail.hasPrefix(" ") ? ["  \(detail)"] : wrapped("  ", detail)
    }
    return lines
  }
}

/// Draws the paths that no case reaches.
struct CoverageLines {
  let style: Style

  func lines(of coverage: Coverage, workflow: String) -> [String] {
    let missed = coverage.missed
    let reached = coverage.points.count - missed.count
    var lines = [style.bold("coverage of \(workflow): \(reached) of \(coverage.points.count) paths")]
    for kind in Coverage.Kind.allCases {
      let count = coverage.count(kind)
      let text = count.all == 0 ? "none" : "\(count.reached) of \(count.all)"
      lines.append("  \(Layout.pad(kind.rawValue, to: 10))  \(text)")
    }
    if !missed.isEmpty {
      lines.append("  no case reaches:")
      lines += missed.map { "    " + $0.words }
    }
    return lines
  }
}
