import Authoring
import Foundation
import Values
import Workflows

let graphCommand = CommandSpec(
  "graph", summary: "draw a workflow as Mermaid or SVG",
  about: [
    "Draws the steps of a workflow with their order, as the console does. A box shows what the step calls. Two lines at "
      + "its sides show a pivot, a diamond a condition, and a triangle that points back a compensation. "
      + "A dashed box is a group; its members follow it. A stack of boxes is a step with forEach: for each of what it is "
      + "done, and how many at once.",
    "Mermaid is text that GitHub, GitLab and many wikis draw. SVG is a picture for a browser or a document. A file with "
      + "errors is not drawn; the errors are printed as `saga check` prints them.",
  ],
  operands: [OperandSpec("FILE", help: "a workflow; - reads standard input")],
  options: [
    OptionSpec("format", value: "FORMAT", words: ["mermaid", "svg"], help: "mermaid (the default) or svg"),
    OptionSpec("output", value: "OUT", help: "write this file; else standard output. An old file is replaced"),
  ],
  examples: [
    .init(says: "A flowchart for a README", line: "saga graph workflows/sample-processing.json"),
    .init(
      says: "A picture for a document",
      line: "saga graph workflows/my.json --format svg --output my.svg"),
  ]
) { invocation in
  let format = try invocation.pictureFormat()
  guard let definition = try invocation.definition(of: try invocation.required(0)) else { return .failure }
  let text: String
  switch format {
  case .mermaid: text = MermaidGraph.text(of: definition)
  case .svg: text = try SVGGraph.text(of: definition)
  }
  guard let file = invocation.arguments.value("output") else {
    invocation.terminal.write(text)
    return .success
  }
  try ReplacedFile.write(Array(text.utf8), to: file)
  invocation.terminal.line(
    "\(file): \(FileReport.count(definition.steps.count, "step")) of \(definition.name) v\(definition.version)")
  return .success
}

private enum PictureFormat: String, CaseIterable {
  case mermaid, svg
}

extension Invocation {
  fileprivate func pictureFormat() throws(UsageError) -> PictureFormat {
    guard let text = arguments.value("format") else { return .mermaid }
    if let format = PictureFormat(rawValue: text) { return format }
    let near = NearNames.nearest(to: text, among: PictureFormat.allCases.map(\.rawValue), completes: true)
    throw usage("--format is mermaid or svg, not \"\(text)\"" + (near.map { "; did you mean \($0)?" } ?? ""))
  }

  /// Reads a workflow file. Prints its errors when it has some.
  /// - Returns: nil when the file has errors.
  func definition(of file: String) throws -> WorkflowDefinition? {
    let bytes = try bytes(of: file)
    let report = FileReport(file == "-" ? "<stdin>" : file, bytes: bytes, services: nil)
    if let definition = report.result.definition { return definition }
    terminal.complain(report.text(terminal.errorStyle, graph: false))
    terminal.complain("\(report.file): \(FileReport.count(report.result.errors.count, "error"))\n")
    return nil
  }
}

/// Writes a file whole: a reader sees the old content or the new one.
enum ReplacedFile {
  static func write(_ bytes: [UInt8], to path: String) throws(CLIError) {
    do {
      try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      let cocoa = error as NSError
      let why = (cocoa.userInfo[NSUnderlyingErrorKey] as? NSError)?.localizedDescription ?? cocoa.localizedDescription
      throw CLIError(CLIErrorCode.fileUnwritable, "can't write \(path): \(why)")
    }
  }
}
