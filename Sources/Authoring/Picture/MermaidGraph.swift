import Workflows

/// Draws a workflow as a Mermaid flowchart. Mermaid makes the layout itself, so every workflow can be drawn.
public enum MermaidGraph {
  /// Returns the flowchart as text. Each step has one line, in the order of the file, and so has each arrow.
  public static func text(of definition: WorkflowDefinition) -> String {
    var lines = [
      "---", "title: \"\(escaped(definition.name)) v\(definition.version)\"", "---", "flowchart LR",
    ]
    for step in definition.steps { lines.append("  s\(step.index)\(shape(of: step, around: label(of: step)))") }
    for (step, before) in DrawnOrder.dependencies(of: definition).enumerated() {
      for from in before { lines.append("  s\(from) --> s\(step)") }
    }
    lines.append("  classDef pivot stroke-width:4px")
    if !definition.pivots.isEmpty {
      lines.append("  class \(definition.pivots.map { "s\($0)" }.joined(separator: ",")) pivot")
    }
    let groups = definition.steps.filter(\.action.isGroup)
    if !groups.isEmpty {
      lines.append("  classDef group stroke-dasharray:6 3")
      lines.append("  class \(groups.map { "s\($0.index)" }.joined(separator: ",")) group")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func label(of step: Step) -> String {
    let label = StepLabel(step)
    let signs = (label.isPivot ? ["pivot"] : []) + label.signs.map { word(of: $0, label) }
    return [label.id, label.kind, label.repeatsInWords ?? "", signs.joined(separator: " · ")].filter { !$0.isEmpty }
      .map(escaped)
      .joined(separator: "<br/>")
  }

  private static func word(of sign: StepLabel.Sign, _ label: StepLabel) -> String {
    guard sign == .undo, let undoneBy = label.undoneBy else { return sign.rawValue }
    return "undo by \(undoneBy)"
  }

  /// A call, a child or a group is a rectangle, a task is a parallelogram, a wait for a signal has round ends, a delay
  /// has round corners, a failure has double sides. A step with `forEach` is a stack of rectangles, whatever it does.
  private static func shape(of step: Step, around label: String) -> String {
    if step.forEach != nil { return "@{ shape: processes, label: \"\(label)\" }" }
    return switch step.action {
    case .http, .kafka, .workflow, .group: "[\"\(label)\"]"
    case .task: "[/\"\(label)\"/]"
    case .signal: "([\"\(label)\"])"
    case .delay: "(\"\(label)\")"
    case .fail: "[[\"\(label)\"]]"
    }
  }

  /// Returns a text in which only ASCII letters, digits and a few harmless signs are written as they are. Every other
  /// character is a numeric entity, so no text can end its label, or begin a comment, a directive or an element.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", " ", "-", ".", "_", "·": result.unicodeScalars.append(scalar)
      default: result += "#\(scalar.value);"
      }
    }
    return result
  }
}
