/// Text in columns. Widths are counted in characters: the project prints no character wider than one column.
enum Layout {
  static func pad(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  static func padLeft(_ text: String, to width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }

  /// Cuts a text that is too long and shows that it was cut.
  static func clip(_ text: String, to width: Int) -> String {
    text.count <= width ? text : String(text.prefix(max(0, width - 1))) + "…"
  }

  /// Breaks lines at spaces. Breaks a word only if it is longer than a line. Keeps line breaks.
  static func wrap(_ text: String, width: Int) -> [String] {
    let width = max(8, width)
    return text.split(separator: "\n", omittingEmptySubsequences: false).flatMap { paragraph -> [String] in
      var lines: [String] = []
      var line = ""
      for word in paragraph.split(separator: " ") {
        var word = String(word)
        if !line.isEmpty, line.count + 1 + word.count <= width {
          line += " " + word
          continue
        }
        if !line.isEmpty { lines.append(line) }
        while word.count > width {
          lines.append(String(word.prefix(width)))
          word = String(word.dropFirst(width))
        }
        line = word
      }
      return lines + [line]
    }
  }

  /// Lines up cells; the last column is cut so that a line fits `width`.
  static func table(_ rows: [[String]], width: Int = 80, gap: Int = 2) -> [String] {
    guard let columns = rows.map(\.count).max() else { return [] }
    let widths = (0..<columns).map { column in
      rows.compactMap { $0.indices.contains(column) ? $0[column].count : nil }.max() ?? 0
    }
    return rows.map { row in
      let cells = row.enumerated().map {
        $0.offset == row.count - 1 ? $0.element : pad($0.element, to: widths[$0.offset])
      }
      let line = cells.joined(separator: String(repeating: " ", count: gap))
      return trimmingEnd(clip(line, to: width))
    }
  }

  static func trimmingEnd(_ line: String) -> String {
    var line = line
    while line.last == " " { line.removeLast() }
    return line
  }

  /// Replaces control characters, which would move the cursor or change colours, by a symbol.
  static func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      scalars.append(isControl(scalar) ? (scalar == "\n" ? " " : "\u{FFFD}") : scalar)
    }
    return String(scalars)
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
  }
}
