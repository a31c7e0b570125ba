import JSON
import Values
import Workflows

// Migrate: the saga moves to another version of its workflow. The steps that it has begun keep their state; everything
// that it has not begun comes from the other version. `MoveRule` says whether its history fits that version.

/// A version of a workflow to which a saga may move.
public struct MoveTarget: Sendable, Hashable {
  public let definition: WorkflowDefinition
  /// SHA-256 of the definition, in hexadecimal.
  public let digest: String

  public init(definition: WorkflowDefinition, digest: String) {
    self.definition = definition
    self.digest = digest
  }

  fileprivate var place: SagaDefinition {
    SagaDefinition(
      workflow: definition.name, version: definition.version, digest: digest, steps: definition.steps.map(\.id))
  }
}

struct Migrate: VerbRules {
  static let name = OperatorVerb.Name.migrate
  let version: Int

  static func read(_ json: JSON) -> OperatorVerb? { json["to"]?.intValue.map { .migrate(to: $0) } }

  func write(to members: inout JSONObject) { members["to"] = .int(version) }

  func check(_ saga: Decider) throws(Refusal) {
    guard let target = saga.target, target.definition.version == version else {
      throw refuse("there is no such version here")
    }
    guard saga.state.definition.version != version else {
      throw Refusal(EngineErrorCode.sagaAlreadyOnVersion, "The saga is on \(VersionName.long(version)) already.")
    }
    try saga.requireNoRewind()
    let rule = MoveRule(from: saga.definition, to: target.definition)
    guard rule.isSameWorkflow else { throw refuse("a saga stays in its workflow") }
    let (begun, over) = (saga.state.steps.filter(\.hasBegun), saga.state.steps.filter(\.isPassed))
    if let obstacle = rule.obstacle(begun: Set(begun.map(\.id)), over: Set(over.map(\.id))) {
      throw refuse("it has begun step \(obstacle.step), and there: \(obstacle.reason)")
    }
    try checkInput(of: saga, target.definition)
    // The items are computed again from the document, which has the version.
    var moved = saga.state
    do {
      try moved.move(to: target.place)
    } catch {
      throw refuse(error.message)
    }
    guard moved.hasSameItems(by: target.definition) else {
      throw refuse("the items of a step that it has begun would be other ones")
    }
  }

  private func checkInput(of saga: Decider, _ target: WorkflowDefinition) throws(Refusal) {
    guard target.inputSchema?.source != saga.definition.inputSchema?.source,
      let refusal = target.refusal(ofInput: saga.state.start.input)
    else { return }
    throw Refusal(
      EngineErrorCode.sagaNotMovable, "The saga can't move to \(VersionName.long(version)): \(refusal.message)",
      violations: refusal.violations, moreViolations: refusal.moreViolations)
  }

  private func refuse(_ why: String) -> Refusal {
    Refusal(EngineErrorCode.sagaNotMovable, "The saga can't move to \(VersionName.long(version)): \(why).")
  }

  func carryOut(_ act: OperatorAct, in saga: inout Decider) {
    guard let target = saga.target else { return }
    let before = saga.state.definition
    // A longer timeout gives the saga more time. A shorter one doesn't take time from a saga that runs.
    let more = target.definition.timeout - saga.definition.timeout
    saga.emit(
      SagaMoved(
        from: before.version, to: target.place,
        deadline: more > .zero ? saga.state.deadline + more : nil, act: act))
    saga.follow(target.definition)
  }

  /// A saga doesn't know which versions there are, so its list of verbs doesn't have this one.
  static func targets(in saga: Decider) -> VerbTargets { VerbTargets() }
}

extension SagaState {
  /// Returns whether the steps with open items find the same items again.
  fileprivate func hasSameItems(by definition: WorkflowDefinition) -> Bool {
    let known = steps.owners
    guard !known.isEmpty else { return true }
    var state = self
    for step in known { state.steps.change(step) { $0.values = nil } }
    state.loadItems(by: definition)
    // An owner whose values were not known before has lost its items anyway.
    return known.allSatisfy { steps.items(of: $0)?.values == nil || state.steps.items(of: $0)?.values != nil }
  }
}

/// The saga follows another version of its workflow.
public struct SagaMoved: SagaEventContent {
  public static let typeName = "sagaMoved"
  /// The version that the saga followed before; below zero for a draft.
  public let from: Int
  /// The definition that it follows from now on.
  public let to: SagaDefinition
  /// The saga's deadline from now on; nil when the move doesn't change it.
  public let deadline: Timestamp?
  public let act: OperatorAct
  public var operated: (verb: OperatorVerb.Name, act: OperatorAct)? { (.migrate, act) }

  public init(from: Int, to: SagaDefinition, deadline: Timestamp? = nil, act: OperatorAct) {
    self.from = from
    self.to = to
    self.deadline = deadline
    self.act = act
  }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      from: try data.int("fromVersion"),
      to: SagaDefinition(
        workflow: try data.string("workflow"), version: try data.int("toVersion"),
        digest: try data.string("definition"),
        steps: try data.strings("steps")),
      deadline: try data.optionalTimestamp("deadline"), act: try OperatorAct(data))
  }

  public func write(to data: inout JSONObject) {
    data["fromVersion"] = .int(from)
    data["toVersion"] = .int(to.version)
    data["workflow"] = .string(to.workflow)
    data["definition"] = .string(to.digest)
    data["steps"] = .strings(to.steps)
    data["deadline"] = deadline.map(JSON.timestamp)
    act.add(to: &data)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    guard saga.definition.version == from, saga.definition.workflow == to.workflow else {
      throw HistoryError("Only a saga on \(VersionName.long(from)) of “\(to.workflow)” moves from there.")
    }
    guard saga.rewind == nil else { throw HistoryError("A saga that is being rewound can't move.") }
    try saga.move(to: to)
    guard let deadline else { return }
    saga.deadline = deadline
    if deadline > saga.pausedAt ?? at { saga.overdueSince = nil }
  }

  public var timeline: [TimelineNote] {
    [.mark("moved from \(VersionName.long(from)) to \(VersionName.long(to.version))", act)]
  }

  public static func audited(_ data: JSON) -> AuditedAct? {
    .verb(.migrate, data, shows: "fromVersion", "toVersion", "definition", "deadline")
  }
}
