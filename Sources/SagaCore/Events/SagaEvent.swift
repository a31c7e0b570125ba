import JSON
import Values

/// A record of something that happened to a saga. A stored event never changes; a saga's state is the fold of its
/// events.
public struct SagaEvent: Sendable {
  /// When it was decided.
  public let at: Timestamp
  public let what: any SagaEventContent

  public init(at: Timestamp, _ what: any SagaEventContent) {
    self.at = at
    self.what = what
  }

  /// The kinds of events, each in the file of its story. A new kind needs a struct, a line here, a JSON Schema in
  /// `docs/schema/events/`, and a stored example in `Tests/WorkflowEngine/Fixtures/events/`. The tests report what is
  /// missing.
  public static let kinds: [any SagaEventContent.Type] = [
    SagaStarted.self, StepSkipped.self, WaitStarted.self, WaitReminded.self, GroupOpened.self, ItemsOpened.self,
    ItemsUndone.self, PollStarted.self,
    PollAnswered.self, TurnAsked.self, TurnTaken.self, TurnReleased.self, ChildStarted.self,
    AttemptStarted.self, AttemptFailed.self, AttemptNotMade.self, TaskTaken.self,
    StepProgressed.self, AnswerIgnored.self,
    StepSucceeded.self, StepFailed.self,
    SignalReceived.self, SignalRefused.self, KeptSignalTaken.self, KeptSignalRefused.self,
    TurnBackRequested.self, TurnBackLapsed.self, TurnedBack.self,
    UndoSucceeded.self, UndoFailed.self,
    OperatorRetried.self, OperatorResolved.self, OperatorSkipped.self, OperatorRanNow.self, OperatorExtended.self,
    RewindStarted.self, RewindFinished.self, SagaPaused.self, SagaResumed.self,
    SagaMoved.self,
    StepOverdue.self, SagaOverdue.self, SagaCompleted.self, SagaCompensated.self, SagaAbandoned.self,
    SagaReopened.self, SagaForgotten.self,
  ]

  private static let kindsByName = Dictionary(uniqueKeysWithValues: kinds.map { ($0.typeName, $0) })

  /// The kind that has this name in the store; nil for a name that this version doesn't know.
  public static func kind(named name: String) -> (any SagaEventContent.Type)? { kindsByName[name] }

  /// The names of the kinds that are a person's acts.
  package static let typesOfActs = Set(kinds.filter { $0.audited(.object([:])) != nil }.map { $0.typeName })

  /// The event's name in the store.
  public var typeName: String { type(of: what).typeName }

  /// The step that the event is about; nil for an event of the whole saga, or of several steps.
  public var step: String? { what.stepID }

  /// Whether the saga has ended with this event.
  public var isEnd: Bool { what is SagaCompleted || what is SagaCompensated || what is SagaAbandoned }

  /// The person and the verb that caused the event; nil for an event that a person did not cause.
  public var operated: (verb: OperatorVerb.Name, act: OperatorAct)? { what.operated }
}

/// The content of one kind of event: its stored shape, and what it changes.
public protocol SagaEventContent: Sendable, Hashable {
  /// The kind's name in the store. It never changes, and another kind never gets it.
  static var typeName: String { get }

  /// Reads the event's data in the shape of `SagaEvent.schema`.
  /// - Throws: `UnreadableEvent` that names the member which is missing or of another type.
  static func read(_ data: EventReader) throws(UnreadableEvent) -> Self

  /// Writes the event's data. The caller has written `at`.
  func write(to data: inout JSONObject)

  /// Changes a saga's state by the event. The same state and event always give the same state.
  /// - Throws: `HistoryError` when the event can't follow this state.
  func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError)

  /// The step that the event is about; nil for an event of the whole saga, or of several steps.
  var stepID: String? { get }

  /// The person and the verb that caused the event; nil for an event that a person did not cause.
  var operated: (verb: OperatorVerb.Name, act: OperatorAct)? { get }

  /// What the event adds to a saga's timeline.
  var timeline: [TimelineNote] { get }

  /// Returns the event's form in the list of acts. It is read from the stored data, so that an event that can't be
  /// decoded is listed too. Nil for a kind that is not a person's act.
  static func audited(_ data: JSON) -> AuditedAct?
}

extension SagaEventContent {
  public var stepID: String? { nil }
  public var operated: (verb: OperatorVerb.Name, act: OperatorAct)? { nil }
  public var timeline: [TimelineNote] { [] }
  public static func audited(_ data: JSON) -> AuditedAct? { nil }

  fileprivate func equals(_ other: any SagaEventContent) -> Bool { (other as? Self).map { $0 == self } ?? false }
}

extension SagaEvent: Hashable {
  public static func == (left: SagaEvent, right: SagaEvent) -> Bool {
    left.at == right.at && left.what.equals(right.what)
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(at)
    hasher.combine(typeName)
    what.hash(into: &hasher)
  }
}

/// What an event adds to a timeline.
public enum TimelineNote: Sendable, Hashable {
  /// What a span is. `items`: the items of a step with `forEach` are done, or undone.
  public enum SpanKind: String, Sendable, Hashable, CaseIterable {
    case attempt, wait, delay, poll, backoff, group, items, turn
  }

  /// A span of the step begins. If the step has an open span, it ends.
  case begin(step: String, StepPhase, SpanKind, attempt: Int? = nil)
  /// The step's open span ends: `succeeded`, `failed`, `unknown`, `notMade` or `over`.
  case close(step: String, outcome: String, code: String? = nil)
  /// Something that happened at one time.
  case mark(String, by: String? = nil, reason: String? = nil)
  /// The saga ends: every open span is cut off.
  case finish(String, by: String? = nil, reason: String? = nil)

  static func mark(_ what: String, _ act: OperatorAct) -> TimelineNote {
    .mark(what, by: act.by, reason: act.reason)
  }
}

/// How the list of acts shows an event.
public struct AuditedAct: Sendable {
  public enum Kind: Sendable, Hashable { case start, signal, verb }

  public let kind: Kind
  /// The verb's name in the API.
  public let verb: String
  /// The object with the person, the reason, and the way that the request came.
  public let act: JSON
  /// The content of the request.
  public let content: [(name: String, value: JSON?)]

  init(_ kind: Kind, _ verb: String, act: JSON, content: [(name: String, value: JSON?)] = []) {
    self.kind = kind
    self.verb = verb
    self.act = act
    self.content = content
  }

  /// Returns the form of an operator's verb. `shows` names the members of the event with the content of the request.
  static func verb(_ name: OperatorVerb.Name, _ data: JSON, shows: String...) -> AuditedAct {
    AuditedAct(
      .verb, name.rawValue, act: data,
      content: shows.map { ($0, data[$0]) } + [("key", data["commandId"] ?? data["commandID"])])
  }
}
