import JSON
import Values
import Wire

/// `saga list`: a line for each saga, and below it its title and labels, and the cause when it compensates or is stuck.
struct SagaLines {
  let now: Timestamp
  let style: Style
  static let width = 80
  private static let workflowWidth = 18

  var heading: String {
    style.dim("\(Layout.pad("ID", to: 36))  \(Layout.pad("STATUS", to: 14)) \(Layout.pad("WORKFLOW", to: 18)) STARTED")
  }

  func lines(of saga: SagaSummary) -> [String] {
    let mark = StatusLabel.ofSaga(saga.status)
    let status = style.colour(Layout.pad("\(mark.symbol) \(mark.word)", to: 14), mark.colour)
    let workflow = Layout.pad(Layout.clip(saga.workflow, to: Self.workflowWidth), to: Self.workflowWidth)
    var lines = ["\(Layout.pad(saga.id, to: 36))  \(status) \(workflow) \(Self.age(now - saga.startedAt))"]
    if let shown = title(of: saga) { lines.append("  " + shown) }
    if VersionName.isDraft(saga.version) {
      lines.append("  " + style.colour(VersionName.short(saga.version), .magenta))
    }
    if saga.overdue { lines.append("  " + style.colour("overdue", .red)) }
    let why = [saga.failedStep, saga.failureCode].compactMap { $0 }
    if !why.isEmpty { lines.append("  " + style.dim(Layout.clip(why.joined(separator: ": "), to: Self.width - 2))) }
    // What stops it now is not always what turned it back.
    if let cause = saga.causeCode, cause != saga.failureCode {
      let words = "turned back because of " + [saga.causeStep, cause].compactMap { $0 }.joined(separator: ": ")
      lines.append("  " + style.dim(Layout.clip(words, to: Self.width - 2)))
    }
    return lines
  }

  /// Returns the title and the labels in one line; nil when there are none.
  private func title(of saga: SagaSummary) -> String? {
    let title = Layout.clip(saga.title ?? "", to: Self.width - 2)
    let room = Self.width - 2 - title.count - (title.isEmpty ? 0 : 2)
    let labels = LabelText.all(saga.labels)
    // A label of a few characters would be cut to nothing useful.
    let shown = labels.isEmpty || room < 8 ? "" : style.dim(Layout.clip(labels, to: room))
    let parts = [style.bold(title), shown].filter { !$0.isEmpty }
    return parts.isEmpty ? nil : parts.joined(separator: "  ")
  }

  /// One unit is enough in a list: `2m ago`.
  static func age(_ duration: Duration) -> String {
    let seconds = max(0, duration.components.seconds)
    if seconds < 60 { return "\(seconds)s ago" }
    if seconds < 3_600 { return "\(seconds / 60)m ago" }
    if seconds < 86_400 { return "\(seconds / 3_600)h ago" }
    return "\(seconds / 86_400)d ago"
  }
}

/// The labels of a saga as `saga list --label` takes them.
enum LabelText {
  static func all(_ labels: [Label]) -> String { labels.map { "\($0.name)=\($0.value)" }.joined(separator: ", ") }
}

/// `saga events`: a line for each event.
struct EventLine {
  let style: Style
  /// Members that the line shows in a place of their own, or not at all.
  private static let shownElsewhere: Set<String> = [
    "at", "step", "phase", "round", "attempt", "reason", "by", "commandId", "commandDigest",
  ]
  static let width = 80

  func text(of event: HistoryResponse.Event) -> String {
    let version = Layout.padLeft("\(event.version)", to: 4)
    let clock = String(event.recordedAt.description.dropFirst(11).prefix(12))
    let room = Self.width - 4 - 2 - 12 - 2 - max(22, event.type.count) - 1
    let facts = Layout.clip(facts(of: event), to: max(8, room))
    let line = "\(version)  \(style.dim(clock))  \(style.bold(Layout.pad(event.type, to: 22))) \(facts)"
    return Layout.trimmingEnd(line)
  }

  private func facts(of event: HistoryResponse.Event) -> String {
    var facts: [String] = place(of: event.data)
    func said(_ name: String) -> String? { event.meta?[name]?.stringValue ?? event.data[name]?.stringValue }
    let by = said("by")
    if let reason = said("reason") {
      facts.append("\(by.map { "\($0): " } ?? "")“\(reason)”")
    } else if let by {
      facts.append("by \(by)")
    }
    facts += Self.words(of: event.type, event.data)
    return Layout.printable(facts.joined(separator: " "))
  }

  /// The content of the event: in words for a few types, member by member for the others. Each type has a shape of its
  /// own, as docs/schema/events says, so the members are looked up by name.
  private static func words(of type: String, _ data: JSON) -> [String] {
    switch type {
    case "stepProgressed":
      let message = data["message"]?.stringValue ?? ""
      return [ProgressText.of(message: message, fraction: data["fraction"]?.doubleValue)]
    case "itemsOpened": return data["count"]?.intValue.map { [FileReport.count($0, "item")] } ?? []
    case "itemsUndone": return ["all items are undone"]
    case "answerIgnored": return ["why", "outcome", "code", "answer"].compactMap { data[$0]?.stringValue }
    default:
      return (data.objectValue ?? [:]).filter { !shownElsewhere.contains($0.name) }.compactMap { name, value in
        switch value {
        case .string(let text): "\(name)=\(text)"
        case .number, .bool: "\(name)=\(value.text())"
        case .object: value["code"]?.stringValue.map { "\(name)=\($0)" }
        case .array(let elements) where name == "steps":
          "steps=" + elements.compactMap(\.stringValue).joined(separator: ",")
        case .null, .array: nil
        }
      }
    }
  }

  /// The step, phase, round and attempt of the event. The usual values are left out.
  private func place(of data: JSON) -> [String] {
    var place = data["step"]?.stringValue.map { [$0] } ?? []
    if data["phase"] == "undo" { place.append("undo") }
    if let round = data["round"]?.intValue, round > 1 { place.append("round \(round)") }
    if let attempt = data["attempt"]?.intValue { place.append("try \(attempt)") }
    return place
  }
}
