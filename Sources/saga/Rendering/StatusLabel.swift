/// A status on the terminal: a symbol, a word and a colour.
struct StatusLabel: Sendable {
  let symbol: String
  let word: String
  let colour: Style.Colour?

  /// Returns the label of a saga's status. An unknown status is shown as it is.
  static func ofSaga(_ status: String) -> StatusLabel {
    switch status {
    case "running": StatusLabel(symbol: "▸", word: "running", colour: .cyan)
    case "paused": StatusLabel(symbol: "‖", word: "paused", colour: .yellow)
    case "compensating": StatusLabel(symbol: "↶", word: "compensating", colour: .yellow)
    case "stuck": StatusLabel(symbol: "!", word: "stuck", colour: .red)
    case "completed": StatusLabel(symbol: "✓", word: "completed", colour: .green)
    case "compensated": StatusLabel(symbol: "↩", word: "compensated", colour: .magenta)
    case "abandoned": StatusLabel(symbol: "×", word: "abandoned", colour: .red)
    default: StatusLabel(symbol: "?", word: Layout.printable(status), colour: nil)
    }
  }

  /// A running saga whose last attempt of a step failed, and that tries again.
  static let retrying = StatusLabel(symbol: "↻", word: "retrying", colour: .yellow)
  /// A running saga that waits for a signal, a time, a turn, a worker or a child, and for nothing else.
  static let waiting = StatusLabel(symbol: "◌", word: "waiting", colour: .cyan)

  /// The label of a failed step that may have had an effect.
  static let unknownOutcome = StatusLabel(symbol: "?", word: "unknown", colour: .red)

  /// Returns the label of a step's status.
  /// - Parameter onward: whether the saga still goes forward. If not, it never reaches a pending step.
  static func ofStep(_ status: String, onward: Bool) -> StatusLabel {
    switch status {
    case "pending": StatusLabel(symbol: "·", word: onward ? "pending" : "not reached", colour: nil)
    case "running": StatusLabel(symbol: "▸", word: "running", colour: .cyan)
    case "backingOff": StatusLabel(symbol: "↻", word: "backing off", colour: .yellow)
    case "waiting": StatusLabel(symbol: "◌", word: "waiting", colour: .cyan)
    case "succeeded": StatusLabel(symbol: "✓", word: "succeeded", colour: .green)
    case "failed": StatusLabel(symbol: "✗", word: "failed", colour: .red)
    case "skipped": StatusLabel(symbol: "–", word: "skipped", colour: nil)
    case "undoing": StatusLabel(symbol: "↶", word: "undoing", colour: .yellow)
    case "undone": StatusLabel(symbol: "↩", word: "undone", colour: .magenta)
    case "undoFailed": StatusLabel(symbol: "!", word: "undo failed", colour: .red)
    default: StatusLabel(symbol: "?", word: Layout.printable(status), colour: nil)
    }
  }
}
