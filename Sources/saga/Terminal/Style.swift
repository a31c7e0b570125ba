/// Colours text on a terminal, unless NO_COLOR is set (https://no-color.org).
struct Style: Sendable {
  let coloured: Bool
  static let plain = Style(coloured: false)

  enum Colour: Int, Sendable {
    case red = 31
    case green, yellow, blue, magenta, cyan
  }

  func bold(_ text: String) -> String { paint(text, "1") }
  func dim(_ text: String) -> String { paint(text, "2") }
  func colour(_ text: String, _ colour: Colour?) -> String { colour.map { paint(text, "\($0.rawValue)") } ?? text }

  private func paint(_ text: String, _ code: String) -> String {
    coloured && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }
}
