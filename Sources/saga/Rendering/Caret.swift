/// A line of text with a caret under one place of it.
enum Caret {
  /// - Parameter offset: in Unicode scalars from the line's start.
  static func lines(under offset: Int, of line: String, number: Int?, style: Style, width: Int = 80) -> [String] {
    let margin = number.map { Layout.padLeft("\($0)", to: 5) + " | " } ?? "  "
    let blank = number == nil ? margin : "      | "
    let room = width - margin.count
    // A long line is shown around the place.
    let from = offset + 8 < room ? 0 : offset - room / 2
    let scalars = Array(line.unicodeScalars.dropFirst(max(0, from)).prefix(room))
    let shown = visible(scalars[...])
    let before = visible(scalars.prefix(max(0, offset - max(0, from))))
    return [
      style.dim(margin) + shown,
      style.dim(blank) + String(repeating: " ", count: before.count) + style.colour("^", .green),
    ]
  }

  private static func visible(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars.map { $0 == "\t" ? " " : $0 })
    return Layout.printable(String(view))
  }
}
