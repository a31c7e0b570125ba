import JSON
import Workflows

/// A finding of the checker as a compiler would show it: place, message, the source line, a caret under the place.
struct FindingText {
  let style: Style

  func lines(of finding: Finding, in source: [Substring]) -> [String] {
    let place = finding.place.map { ":\($0.line):\($0.column)" } ?? ""
    let error = finding.severity == .error
    let severity = style.colour(error ? "error" : "warning", error ? .red : .yellow)
    let near = finding.nearName.map { " (did you mean \"\(Layout.printable($0))\"?)" } ?? ""
    let head = style.bold("\(finding.file ?? "workflow")\(place):")
    var lines = ["\(head) \(severity): \(Layout.printable(finding.message))\(near) [\(finding.code)]"]
    if let place = finding.place, source.indices.contains(place.line - 1) {
      lines += Caret.lines(
        under: place.column - 1, of: String(source[place.line - 1]), number: place.line, style: style)
    }
    return lines
  }
}
