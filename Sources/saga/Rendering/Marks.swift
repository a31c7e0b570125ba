/// How a status looks: a mark, a word and a colour. The words are those of the REST API, written for people.
struct Mark: Sendable {
  let symbol: String
  let word: String
  let colour: Style.Colour?

  /// For a saga's status; one that is not known is shown as it is.
  static func ofSaga(_ status: String) -> Mark {
    switch status {
    case "running": Mark(symbol: "▸", word: "running", colour: .cyan)
    case "paused": Mark(symbol: "‖", word: "paused", colour: .yellow)
    case "compensating": Mark(symbol: "↶", word: "compensating", colour: .yellow)
    case "stuck": Mark(symbol: "!", word: "stuck", colour: .red)
    case "completed": Mark(symbol: "✓", word: "completed", colour: .green)
    case "compensated": Mark(symbol: "↩", word: "compensated", colour: .magenta)
    case "abandoned": Mark(symbol: "×", word: "abandoned", colour: .red)
    default: Mark(symbol: "?", word: Layout.printable(status), colour: nil)
    }
  }

  /// For a step that got no answer it could trust: it may have happened.
  static let unknownOutcome = Mark(symbol: "?", word: "unknown", colour: .red)

  /// For a step's status.
  /// - Parameter onward: false once the saga goes no further forward: what is pending then is never reached.
  static func ofStep(_ status: String, onward: Bool) -> Mark {
    switch status {
    case "pending": Mark(symbol: "·", word: onward ? "pending" : "not reached", colour: nil)
    case "running": Mark(symbol: "▸", word: "running", colour: .cyan)
    case "backingOff": Mark(symbol: "↻", word: "backing off", colour: .yellow)
    case "waiting": Mark(symbol: "◌", word: "waiting", colour: .cyan)
    case "succeeded": Mark(symbol: "✓", word: "succeeded", colour: .green)
    case "failed": Mark(symbol: "✗", word: "failed", colour: .red)
    case "skipped": Mark(symbol: "–", word: "skipped", colour: nil)
    case "undoing": Mark(symbol: "↶", word: "undoing", colour: .yellow)
    case "undone": Mark(symbol: "↩", word: "undone", colour: .magenta)
    case "undoFailed": Mark(symbol: "!", word: "undo failed", colour: .red)
    default: Mark(symbol: "?", word: Layout.printable(status), colour: nil)
    }
  }
}
