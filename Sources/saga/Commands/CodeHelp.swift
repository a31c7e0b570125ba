import Assets
import Server

/// The page of an error code on the terminal: what `saga help CODE` prints.
enum CodeHelp {
  private static let folder = "docs/errors/"

  static let codes: [String] = Assets.paths.filter { $0.hasPrefix(folder) }.map {
    String($0.dropFirst(folder.count).dropLast(".md".count))
  }

  /// Returns the page of a code, wrapped at 80 columns; nil for an unknown code.
  static func text(_ code: String, style: Style) -> String? {
    guard let page = Assets.text("\(folder)\(code).md") else { return nil }
    var lines: [String] = []
    for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("#") {
        lines.append(style.bold(String(line.drop { $0 == "#" || $0 == " " })))
      } else if line.hasPrefix("- ") {
        lines += Layout.wrap(withoutLinks(line.dropFirst(2)), width: Help.width - 2).enumerated().map {
          ($0.offset == 0 ? "- " : "  ") + $0.element
        }
      } else {
        lines += Layout.wrap(withoutLinks(line), width: Help.width)
      }
    }
    while lines.last?.isEmpty == true { lines.removeLast() }
    if let status = ErrorStatus.text(of: code) { lines += ["", style.bold("HTTP status"), "", status] }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Shows a link as its label; a terminal has nothing to click.
  private static func withoutLinks(_ line: Substring) -> String {
    String(line).replacing(/\[([^\]]*)\]\([^)]*\)/) { String($0.1) }
  }
}
