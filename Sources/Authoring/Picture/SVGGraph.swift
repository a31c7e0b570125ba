import Workflows

/// Draws a workflow as an SVG file: the picture that the console draws on a wide page (`console/graph.js`).
public enum SVGGraph {
  static let width = 188.0
  static let height = 46.0
  private static let along = width + 36
  private static let across = height + 18

  /// Returns the picture. It has its own colours, for a light and for a dark page.
  /// - Throws: `GraphTooLarge` when the arrows would have too many pieces.
  public static func text(of definition: WorkflowDefinition) throws(GraphTooLarge) -> String {
    let layout = try GraphLayout(dependencies: DrawnOrder.dependencies(of: definition))
    let most = max(1, layout.layers.map(\.count).max() ?? 0)
    let breadth = Double(most) * across
    var at: [Int: Point] = [:]
    for (depth, layer) in layout.layers.enumerated() {
      for (index, node) in layer.enumerated() {
        let side = (breadth - Double(layer.count) * across) / 2 + Double(index) * across + 9
        at[node] = Point(x: 8 + Double(depth) * along, y: side)
      }
    }
    let total = 16 + Double(layout.layers.count) * along - 36
    let title = escaped("\(definition.name) v\(definition.version)")
    var lines = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"graph\" viewBox=\"0 0 \(number(total)) \(number(breadth))\" "
        + "width=\"\(number(total))\" height=\"\(number(breadth))\" role=\"group\" aria-label=\"\(title)\">",
      "<title>\(title)</title>", "<style>\(style)</style>",
      "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" "
        + "orient=\"auto-start-reverse\"><path class=\"arrow\" d=\"M0 0.5L8 4L0 7.5z\"/></marker></defs>",
    ]
    for edge in layout.edges {
      lines.append("<path class=\"edge\" fill=\"none\" marker-end=\"url(#arrow)\" d=\"\(path(of: edge, at))\"/>")
    }
    for step in definition.steps { lines.append(box(of: step, at: at[step.index] ?? Point(x: 0, y: 0))) }
    return (lines + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  private struct Point {
    let x: Double
    let y: Double
  }

  /// Returns the line of an edge: from the right side of a box, through the middle of each bend, to the left side of the
  /// next box.
  private static func path(of edge: GraphLayout.Edge, _ at: [Int: Point]) -> String {
    let points = edge.path.enumerated().map { index, node -> Point in
      let corner = at[node] ?? Point(x: 0, y: 0)
      let right = index == 0 ? width : index == edge.path.count - 1 ? 0 : width / 2
      return Point(x: corner.x + right, y: corner.y + height / 2)
    }
    var text = ""
    for (from, to) in zip(points, points.dropFirst()) {
      let middle = number((from.x + to.x) / 2)
      text += "\(text.isEmpty ? "M" : "L")\(number(from.x)) \(number(from.y))"
      text += "C\(middle) \(number(from.y)) \(middle) \(number(to.y)) \(number(to.x)) \(number(to.y))"
    }
    return text
  }

  private static func box(of step: Step, at place: Point) -> String {
    let label = StepLabel(step)
    let title = label.id + (label.description.map { ": \($0)" } ?? "")
    var text =
      "<g class=\"node\(step.action.isGroup ? " is-group" : "")\(step.forEach == nil ? "" : " is-stack")\" transform=\"translate(\(number(place.x)) \(number(place.y)))\" role=\"img\" "
      + "data-key=\"node \(escaped(label.id))\" aria-label=\"\(escaped(label.spoken))\">"
    text += "<title>\(escaped(title))</title>"
    // The boxes behind the first one, from the last to the second.
    if step.forEach != nil {
      for offset in [6, 3] {
        text +=
          "<rect class=\"box\" width=\"188\" height=\"46\" rx=\"8\" transform=\"translate(\(offset) \(offset))\"/>"
      }
    }
    text += "<rect class=\"box\" width=\"188\" height=\"46\" rx=\"8\"/>"
    if label.isPivot { text += "<path class=\"pivot\" d=\"M3 4v38M185 4v38\"/>" }
    let name = TextWidth.fit(label.id, into: width - 12 - 8)
    let lines = label.repeats == nil ? (name: 20, kind: 36, signs: 26) : (name: 15, kind: 28, signs: 18)
    text +=
      "<text class=\"node-name\" x=\"12\" y=\"\(lines.name)\" font-size=\"\(name.size)px\">\(escaped(name.text))</text>"
    let room = 24 - 3 * label.signs.count
    text += "<text class=\"node-state\" x=\"12\" y=\"\(lines.kind)\">\(escaped(clip(label.kind, to: room)))</text>"
    if let repeats = label.repeats {
      text += "<text class=\"node-more\" x=\"12\" y=\"40\">\(escaped(clip(repeats, to: moreRoom)))</text>"
    }
    for (index, sign) in label.signs.enumerated() {
      let x = width - 6 - 16 * Double(label.signs.count - index)
      text +=
        "<path class=\"sign sign-\(sign.rawValue)\" d=\"\(shape(of: sign))\" transform=\"translate(\(number(x)) \(lines.signs))\"/>"
    }
    return text + "</g>"
  }

  /// A condition is an empty diamond. An undo is a triangle that points back. A turn is an hourglass.
  private static func shape(of sign: StepLabel.Sign) -> String {
    switch sign {
    case .when: "M6 1L11 6L6 11L1 6z"
    case .undo: "M10 1v10L2 6z"
    case .turn: "M2 1h8L2 11h8z"
    }
  }

  /// The most characters of the third line of a box.
  private static let moreRoom = 30

  private static func clip(_ text: String, to most: Int) -> String {
    text.utf16.count > most ? String(text.prefix(most - 1)) + "…" : text
  }

  /// Returns a number as JavaScript writes it: a whole one without a fraction.
  static func number(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
  }

  /// Returns text for an element or an attribute. A character that XML 1.0 does not allow becomes U+FFFD.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\t", "\n", "\r": result += "&#\(scalar.value);"
      case "\u{0}"..."\u{1F}", "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  private static let style = """
    .graph{font-family:system-ui,"Segoe UI","DejaVu Sans",sans-serif;--tone:#55606e;--soft:#edeff2;--text:#16202c;\
    --line:#8b95a3}@media (prefers-color-scheme:dark){.graph{--tone:#a3afbd;--soft:#27313d;--text:#e7ecf2;\
    --line:#66758a}}.box{fill:var(--soft);stroke:var(--tone);stroke-width:1.5}.pivot{stroke:var(--tone);\
    stroke-width:2}.node-name{font-weight:600;fill:var(--text)}.node-state{font-size:12px;fill:var(--tone)}\
    .node-more{font-size:11px;fill:var(--tone)}\
    .edge{stroke:var(--line);stroke-width:1.5}.arrow{fill:var(--line)}.sign-when{fill:none;stroke:var(--tone);\
    stroke-width:1.5}.sign-undo{fill:var(--tone)}.is-group .box{stroke-dasharray:6 3}
    """
}

/// The width of text in a box, without the fonts of a browser.
enum TextWidth {
  /// Returns a width that common fonts do not exceed: bold, in units of the font's size.
  static func width(of text: String) -> Double {
    text.unicodeScalars.reduce(0) { sum, scalar in
      switch scalar {
      case "i", "j", "l", "I", ".", ",", ":", ";", "'", "|", " ": sum + 0.36
      case "f", "r", "t", "1", "-", "(", ")", "/": sum + 0.46
      case "m", "w", "M", "W": sum + 0.98
      case "A"..."Z", "_": sum + 0.76
      case "a"..."z", "0"..."9": sum + 0.64
      default: sum + 1
      }
    }
  }

  /// Returns a name for a box: smaller when it is a little too long, cut at its end when it is much too long.
  static func fit(_ text: String, into room: Double) -> (text: String, size: String) {
    let size = max(11, min(13, room / max(0.1, width(of: text))))
    var shown = text
    while shown.count > 1, width(of: shown) * size > room + 0.1 {
      shown = String(shown.dropLast(shown.hasSuffix("…") ? 2 : 1)) + "…"
    }
    let tenths = Int((size * 10).rounded())
    return (shown, "\(tenths / 10).\(tenths % 10)")
  }
}
