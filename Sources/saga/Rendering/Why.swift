import Values
import Wire

/// The engine's explanation of a saga, the member `why`, for a terminal: its sentence with its times, and the commands
/// that help.
struct Why {
  let saga: SagaResponse
  let now: Timestamp

  /// A command to copy, and its purpose.
  struct Command: Equatable {
    let purpose: String
    let line: String
  }

  /// `The saga is stuck because …`
  var sentence: String { saga.why.sentence }

  /// `2026-03-01 08:15:44 UTC (1s ago)`: the time at which this began.
  var since: String? { saga.why.since.map { "\(TimeText.full($0)) (\(TimeText.duration(now - $0)) ago)" } }

  /// `2026-03-01 08:15:48 UTC (in 3.1s)`: the time at which this ends by itself.
  var until: String? {
    saga.why.until.map { "\(TimeText.full($0)) (\($0 > now ? "in \(TimeText.duration($0 - now))" : "now"))" }
  }

  /// The sentence, and the times below it.
  var paragraph: String {
    ([sentence] + [since.map { "Since \($0)." }, until.map { "Until \($0)." }].compactMap { $0 })
      .joined(separator: "\n")
  }

  /// The commands that help, the nearest first.
  var commands: [Command] {
    saga.why.next.map { Command(purpose: $0.purpose, line: $0.command) }
  }

  /// The most commands that are shown without --all: each of 96 stuck wells has some of its own.
  static let mostCommands = 10

  /// Says how many commands are not shown; empty when all are.
  func more(than most: Int) -> [String] {
    commands.count > most ? ["… and \(commands.count - most) more commands: saga why \(saga.id) --all"] : []
  }

  /// The commands in lines of this width, if their words allow it: a long command continues on a second line.
  /// - Parameter most: the most commands that are shown.
  func lines(style: Style, width: Int, most: Int) -> [String] {
    let lines = commands.prefix(most).flatMap { command -> [String] in
      let words = command.line.split(separator: " ", maxSplits: 3)
      let isLong = command.line.count + 4 > width && words.count == 4
      let lines =
        isLong ? [words.prefix(3).joined(separator: " ") + " \\", "  " + words[3]] : [command.line]
      return ["  " + style.dim("# \(command.purpose)")] + lines.map { "  " + $0 }
    }
    return lines + more(than: most).map { "  " + style.dim($0) }
  }
}
