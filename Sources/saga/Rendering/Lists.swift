import JSON
import Runtime
import Values

/// `saga list`: a line a saga, and beneath it why, where it turned back or is stuck.
struct SagaLines {
  let now: Timestamp
  let style: Style
  static let width = 80
  private static let workflowWidth = 18

  var heading: String {
    style.dim("\(Layout.pad("ID", to: 36))  \(Layout.pad("STATUS", to: 14)) \(Layout.pad("WORKFLOW", to: 18)) STARTED")
  }

  func lines(of saga: JSON) -> [String] {
    let mark = Mark.ofSaga(saga["status"]?.stringValue ?? "")
    let status = style.colour(Layout.pad("\(mark.symbol) \(mark.word)", to: 14), mark.colour)
    let workflow = Layout.pad(Layout.clip(saga.text("workflow") ?? "", to: Self.workflowWidth), to: Self.workflowWidth)
    let age = saga.moment("startedAt").map { Self.age(now - $0) } ?? ""
    var lines = ["\(Layout.pad(saga.text("id") ?? "", to: 36))  \(status) \(workflow) \(age)"]
    if saga["overdue"]?.boolValue == true { lines.append("  " + style.colour("overdue", .red)) }
    let why = [saga.text("failedStep"), saga.text("failureCode")].compactMap { $0 }
    if !why.isEmpty { lines.append("  " + style.dim(Layout.clip(why.joined(separator: ": "), to: Self.width - 2))) }
    return lines
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

/// `saga events`: a line an event.
struct EventLine {
  let style: Style
  /// The moment stands at the line's start, the others before the rest.
  private static let shownElsewhere: Set<String> = [
    "at", "step", "phase", "round", "attempt", "reason", "by", "commandId", "commandDigest",
  ]
  static let width = 80

  func text(of event: JSON) -> String {
    let version = Layout.padLeft("\(event["version"]?.intValue ?? 0)", to: 4)
    let clock = event.text("recordedAt").map { String($0.dropFirst(11).prefix(12)) } ?? ""
    let type = event.text("type") ?? "?"
    let room = Self.width - 4 - 2 - 12 - 2 - max(22, type.count) - 1
    let facts = Layout.clip(facts(of: event), to: max(8, room))
    let line = "\(version)  \(style.dim(clock))  \(style.bold(Layout.pad(type, to: 22))) \(facts)"
    return Layout.trimmingEnd(line)
  }

  private func facts(of event: JSON) -> String {
    var facts: [String] = []
    let by = event["meta"]?.text("by") ?? event["data"]?.text("by")
    if let reason = event["meta"]?.text("reason") ?? event["data"]?.text("reason") {
      facts.append("\(by.map { "\($0): " } ?? "")“\(reason)”")
    } else if let by {
      facts.append("by \(by)")
    }
    facts.insert(contentsOf: place(of: event["data"] ?? .null), at: 0)
    facts += Self.words(of: event.text("type"), event["data"] ?? .null)
    return Layout.printable(facts.joined(separator: " "))
  }

  /// What the event says, in words where it has few, else member by member.
  private static func words(of type: String?, _ data: JSON) -> [String] {
    switch type {
    case "stepProgressed": return ProgressText.of(data).map { [$0] } ?? []
    case "answerIgnored": return ["why", "outcome", "code", "answer"].compactMap { data[$0]?.stringValue }
    default:
      return (data.objectValue ?? [:]).filter { !shownElsewhere.contains($0.name) }.compactMap { name, value in
        switch value {
        case .string(let text): "\(name)=\(text)"
        case .number, .bool: "\(name)=\(value.text())"
        case .object: value.text("code").map { "\(name)=\($0)" }
        case .array(let elements) where name == "steps":
          "steps=" + elements.compactMap(\.stringValue).joined(separator: ",")
        case .null, .array: nil
        }
      }
    }
  }

  /// Which step, which of its ways, which try: what is as usual is left out.
  private func place(of data: JSON) -> [String] {
    var place = data.text("step").map { [$0] } ?? []
    if data["phase"] == "undo" { place.append("undo") }
    if let round = data["round"]?.intValue, round > 1 { place.append("round \(round)") }
    if let attempt = data["attempt"]?.intValue { place.append("try \(attempt)") }
    return place
  }
}
