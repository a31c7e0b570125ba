import JSON
import Values
import Wire

/// `saga list`: a line for each saga, and below it its title and labels, what it waits for, and the cause when it
/// compensates or is stuck.
struct SagaLines {
  let now: Timestamp
  let style: Style
  static let width = 80
  /// The number of characters of an id that are shown. Not fewer than tell the sagas of a page apart.
  private(set) var idWidth = 36
  private static let statusWidth = 14
  private static let ageWidth = 8

  /// Shortens the ids to what differs among these. Ids that were shown longer stay as long.
  /// - Parameter isFirst: whether no saga was shown before.
  mutating func fit(_ ids: [String], isFirst: Bool) {
    let width = ShortID.width(of: ids)
    idWidth = isFirst ? width : max(idWidth, width)
  }

  private var workflowWidth: Int { Self.width - idWidth - Self.statusWidth - Self.ageWidth - 4 }

  var heading: String {
    style.dim(
      "\(Layout.pad("ID", to: idWidth))  \(Layout.pad("STATUS", to: Self.statusWidth)) "
        + "\(Layout.pad("STARTED", to: Self.ageWidth)) WORKFLOW")
  }

  func lines(of saga: SagaSummary) -> [String] {
    let mark = Self.mark(of: saga)
    let status = style.colour(Layout.pad("\(mark.symbol) \(mark.word)", to: Self.statusWidth), mark.colour)
    let age = Layout.pad(Self.age(now - saga.startedAt), to: Self.ageWidth)
    let workflow = Layout.clip(saga.workflow, to: workflowWidth)
    let id = Layout.pad(String(saga.id.prefix(idWidth)), to: idWidth)
    var lines = ["\(id)  \(status) \(age) \(workflow)"]
    if let shown = title(of: saga) { lines.append("  " + shown) }
    if VersionName.isDraft(saga.version) {
      lines.append("  " + style.colour(VersionName.short(saga.version), .magenta))
    }
    if let flags = flags(of: saga, besides: mark.word) { lines.append("  " + flags) }
    let why = [saga.failedStep, saga.failureCode].compactMap { $0 }
    if !why.isEmpty { lines.append("  " + style.dim(Layout.clip(why.joined(separator: ": "), to: Self.width - 2))) }
    // What stops it now is not always what turned it back.
    if let cause = saga.causeCode, cause != saga.failureCode {
      let words = "turned back because of " + [saga.causeStep, cause].compactMap { $0 }.joined(separator: ": ")
      lines.append("  " + style.dim(Layout.clip(words, to: Self.width - 2)))
    }
    return lines
  }

  /// What a running saga does: it is paused, retries, or waits. Another status says enough.
  private static func mark(of saga: SagaSummary) -> StatusLabel {
    guard saga.status == "running" else { return .ofSaga(saga.status) }
    if saga.paused { return .ofSaga("paused") }
    if saga.retrying { return .retrying }
    return waits(of: saga).isEmpty || saga.waitingFor.contains("answer") ? .ofSaga("running") : .waiting
  }

  /// What a saga waits for besides a participant's answer.
  private static func waits(of saga: SagaSummary) -> [String] {
    saga.endedAt == nil ? saga.waitingFor.filter { $0 != "answer" } : []
  }

  /// What a saga waits for, in words, when it is not a signal's name.
  private static let kinds = [
    "delay": "a delay", "poll": "a poll", "turn": "its turn", "task": "a worker", "child": "a child saga",
  ]

  /// `overdue  ‖ paused  waits for approval`, without the word that the line of the saga has; nil when nothing is left.
  private func flags(of saga: SagaSummary, besides word: String) -> String? {
    var flags: [(text: String, colour: Style.Colour?)] = []
    if saga.overdue { flags.append(("overdue", .red)) }
    let labels = (saga.paused ? [StatusLabel.ofSaga("paused")] : []) + (saga.retrying ? [.retrying] : [])
    for label in labels where label.word != word { flags.append(("\(label.symbol) \(label.word)", label.colour)) }
    let waits = Self.waits(of: saga).map { Self.kinds[$0] ?? $0 }
    if !waits.isEmpty {
      let taken = flags.reduce(0) { $0 + $1.text.count + 2 }
      flags.append((Layout.clip("waits for \(waits.joined(separator: ", "))", to: Self.width - 2 - taken), nil))
    }
    return flags.isEmpty ? nil : flags.map { style.colour($0.text, $0.colour) }.joined(separator: "  ")
  }

  /// Returns the title, or the key of a saga without one, and the labels in one line; nil when there are none.
  private func title(of saga: SagaSummary) -> String? {
    let title = Layout.clip(Layout.printable(saga.title ?? saga.key ?? ""), to: Self.width - 2)
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

/// `saga events`: a line for each event, and one for each day.
struct EventLine {
  let style: Style
  /// The day of the last line.
  private var day: Substring = ""
  /// Members that the line shows in a place of their own, or not at all.
  private static let shownElsewhere: Set<String> = [
    "at", "step", "phase", "round", "attempt", "reason", "by", "commandId", "commandDigest",
  ]
  static let width = 80

  init(style: Style) { self.style = style }

  /// Returns the line of an event. On a new day a line with the day, in UTC, comes first.
  mutating func lines(of event: HistoryResponse.Event) -> [String] {
    let day = event.recordedAt.description.prefix(10)
    defer { self.day = day }
    return (day == self.day ? [] : [style.dim("\(day) UTC")]) + [text(of: event)]
  }

  private func text(of event: HistoryResponse.Event) -> String {
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
