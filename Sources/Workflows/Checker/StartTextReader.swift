import JSON
import Values

/// Reads `title` and `labels` of a workflow, and records the values that their expressions read.
struct StartTextReader {
  private var actions: ActionReader
  private let report: Report

  var uses: [Use] { actions.uses }

  init(services: KnownServices, report: Report) {
    actions = ActionReader(role: .start, services: services, report: report)
    self.report = report
  }

  mutating func title(in reader: ObjectReader) -> TextTemplate? {
    guard let text = reader.text("title") else { return nil }
    return template(text, "\"title\"", at: reader.pointer(to: "title"))
  }

  mutating func labels(in reader: ObjectReader) -> [NamedText] {
    guard let json = reader.members["labels"] else { return [] }
    guard case .object(let members) = json else {
      reader.wrongType("labels", "an object of texts, as { \"patient\": \"${input.patientId}\" }", json)
      return []
    }
    let pointer = reader.pointer(to: "labels")
    if members.count > Label.most {
      report.rule(
        WorkflowErrorCode.badValue, "\"labels\" has \(members.count) members, and \(Label.most) are the most",
        at: pointer)
    }
    var labels: [NamedText] = []
    for (name, value) in members {
      let place = pointer.appending(name)
      if !NameRule.word.allows(name) {
        report.rule(WorkflowErrorCode.badName, "\"\(name)\" is not a \(NameRule.word.meaning)", at: place, .name)
      }
      guard case .string(let text) = value else {
        report.error(
          WorkflowErrorCode.wrongType, "\"labels\" holds texts, not \(ObjectReader.withArticle(value))", at: place)
        continue
      }
      if let template = template(text, "a label", at: place) { labels.append(NamedText(name: name, value: template)) }
    }
    return labels
  }

  /// Reads a text. A fixed text must be one that every saga can have.
  private mutating func template(_ text: String, _ what: String, at pointer: JSONPointer) -> TextTemplate? {
    guard let template = actions.text(text, at: pointer) else { return nil }
    if let fixed = template.fixedText, ShownLine.label(fixed) == nil {
      report.rule(
        WorkflowErrorCode.badValue, "\(what) has 1 to \(ShownLine.longest) visible characters", at: pointer)
    }
    return template
  }
}
