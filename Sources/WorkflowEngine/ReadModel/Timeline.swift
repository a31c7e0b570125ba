import SagaCore
public import Values

/// A saga's spans, which have a beginning and an end, and its single events.
public struct Timeline: Sendable, Hashable {
  public typealias Kind = TimelineNote.SpanKind
  public struct Span: Sendable, Hashable {
    public let step: String
    public let phase: StepPhase
    public let kind: Kind
    public let attempt: Int?
    public let from: Timestamp
    /// The end; nil while the span is open.
    public internal(set) var to: Timestamp?
    /// `succeeded`, `failed`, `unknown`, `notMade`, `over` or `cut`.
    public internal(set) var outcome: String?
    public internal(set) var code: String?
  }
  public struct Mark: Sendable, Hashable {
    public let at: Timestamp
    public let what: String
    public let by: String?
    public let reason: String?
  }

  public private(set) var start: Timestamp?
  public private(set) var end: Timestamp?
  public private(set) var spans: [Span] = []
  public private(set) var marks: [Mark] = []
  /// The number of spans and single events of items that the timeline leaves out, because it has `mostOfItems` of each.
  public private(set) var leftOut = 0
  /// The open span of each step.
  private var open: [String: Int] = [:]

  private let showsItems: Bool
  private var spansOfItems = 0
  private var eventsOfItems = 0

  /// The most spans, and the most single events, of items. A step with `forEach` may have 100,000 items.
  public static let mostOfItems = 1_000

  /// - Parameter showsItems: whether each item of a step with `forEach` has spans of its own. If not, its step has one
  ///   span for the time in which its items are done, and one for the time in which they are undone. So it is with the
  ///   items behind the first `mostOfItems` spans.
  public init(showsItems: Bool = true) { self.showsItems = showsItems }

  /// Adds the next event.
  public mutating func note(_ event: SagaEvent) {
    if event.what is SagaStarted { start = event.at }
    if event.what is SagaReopened { end = nil }
    for note in event.what.timeline {
      switch note {
      case .begin(let step, let phase, let kind, let attempt):
        if let item = ItemID(step), !takesSpan() {
          close(step, event.at, "over")
          beginItems(of: item.step, phase, event.at)
        } else {
          begin(step, phase, kind, event.at, attempt: attempt)
        }
      case .close(let step, let outcome, let code): close(step, event.at, outcome, code)
      case .mark(let what, let by, let reason):
        if event.step.flatMap({ ItemID($0) }) == nil || takesMark() { mark(event.at, what, by: by, reason: reason) }
      case .finish(let what, let by, let reason): finish(event.at, what, by: by, reason: reason)
      }
    }
  }

  /// Counts a span of an item.
  /// - Returns: whether the span is shown.
  private mutating func takesSpan() -> Bool {
    guard showsItems else { return false }
    let isShown = spansOfItems < Self.mostOfItems
    if isShown { spansOfItems += 1 } else { leftOut += 1 }
    return isShown
  }

  /// Counts a mark of an item.
  /// - Returns: whether the mark is shown.
  private mutating func takesMark() -> Bool {
    let isShown = eventsOfItems < Self.mostOfItems
    if isShown { eventsOfItems += 1 } else { leftOut += 1 }
    return isShown
  }

  private mutating func begin(
    _ step: String, _ phase: StepPhase, _ kind: Kind, _ at: Timestamp, attempt: Int? = nil
  ) {
    close(step, at, "over")
    open[step] = spans.count
    spans.append(Span(step: step, phase: phase, kind: kind, attempt: attempt, from: at))
  }

  /// Begins the span of all items of a step, unless it is open. An event of the step ends it.
  private mutating func beginItems(of step: String, _ phase: StepPhase, _ at: Timestamp) {
    if let index = open[step], spans[index].phase == phase { return }
    begin(step, phase, .items, at)
  }

  private mutating func close(_ step: String, _ at: Timestamp, _ outcome: String, _ code: String? = nil) {
    guard let index = open.removeValue(forKey: step) else { return }
    spans[index].to = at
    spans[index].outcome = outcome
    spans[index].code = code
  }

  private mutating func mark(_ at: Timestamp, _ what: String, by: String? = nil, reason: String? = nil) {
    marks.append(Mark(at: at, what: what, by: by, reason: reason))
  }

  private mutating func finish(_ at: Timestamp, _ what: String, by: String? = nil, reason: String? = nil) {
    end = at
    for step in open.keys.sorted() { close(step, at, "cut") }
    mark(at, what, by: by, reason: reason)
  }
}
