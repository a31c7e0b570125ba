import JSON
import Values
import Workflows

// The operators' verbs. Each verb has a file with its conditions, its effects, its event, and its words.

/// A verb of an operator. `docs/operating.md` says when each helps. `Verbs` lists those that a saga takes in its state.
public enum OperatorVerb: Sendable, Hashable {
  /// Starts compensation: the requester's wish.
  case cancel
  /// Starts compensation: the operator's decision.
  case compensate
  /// Makes new attempts for a step on which the saga is stuck, or for all such steps. With `input`, that step is
  /// rendered with it instead of the saga's input, in a new round.
  case retry(step: String?, input: JSON? = nil)
  case resolve(step: String, Resolution)
  case abandon
  case pause
  case resume
  /// Continues without the step. Later steps read `output` as its output.
  case skip(step: String, output: JSON?)
  /// Makes a step's next attempt, its next look, or the end of its delay, due at once.
  case runNow(step: String?)
  /// Sets a later deadline for the saga, or a later end of a step's wait.
  case extend(step: String?, Extension)
  /// Undoes a step and all steps that come after it, and starts again at that step.
  case rewind(step: String)
  /// Moves the saga to another version of its workflow; below zero for a draft.
  case migrate(to: Int)

  /// The name of a verb in the API and in events.
  public enum Name: String, Sendable, Hashable, CaseIterable {
    case retry, resolve, skip
    case runNow = "run-now"
    case extend, rewind, pause, resume, migrate, compensate, cancel, abandon

    /// The rules of the verb.
    var rules: any VerbRules.Type {
      switch self {
      case .cancel: Cancel.self
      case .compensate: Compensate.self
      case .retry: Retry.self
      case .resolve: Resolve.self
      case .abandon: Abandon.self
      case .pause: Pause.self
      case .resume: Resume.self
      case .skip: Skip.self
      case .runNow: RunNow.self
      case .extend: Extend.self
      case .rewind: RewindTo.self
      case .migrate: Migrate.self
      }
    }
  }

  /// The verb with its rules.
  var rules: any VerbRules {
    switch self {
    case .cancel: Cancel()
    case .compensate: Compensate()
    case .retry(let step, let input): Retry(step: step, input: input)
    case .resolve(let step, let resolution): Resolve(step: step, resolution: resolution)
    case .abandon: Abandon()
    case .pause: Pause()
    case .resume: Resume()
    case .skip(let step, let output): Skip(step: step, output: output)
    case .runNow(let step): RunNow(step: step)
    case .extend(let step, let length): Extend(step: step, length: length)
    case .rewind(let step): RewindTo(step: step)
    case .migrate(let version): Migrate(version: version)
    }
  }

  public var name: Name { type(of: rules).name }

  /// The whole content of the verb, as an operation stores it and a saga digests it.
  public var json: JSON {
    var members: JSONObject = ["verb": .word(name)]
    rules.write(to: &members)
    return .object(members)
  }

  /// - Returns: nil for an unknown verb, and for a verb that lacks a required member.
  public init?(json: JSON) {
    guard let name = json["verb"]?.stringValue.flatMap(Name.init(rawValue:)), let verb = name.rules.read(json) else {
      return nil
    }
    self = verb
  }

  /// The digest of the whole verb: the first 16 hexadecimal digits of the SHA-256 of its canonical JSON.
  var digest: String { String(Digest.hex(json.bytes(.canonical)).prefix(16)) }
}

/// The rules of one verb.
protocol VerbRules: Sendable {
  static var name: OperatorVerb.Name { get }

  /// Reads the verb from the JSON that `write` made; nil when something is missing.
  static func read(_ json: JSON) -> OperatorVerb?
  func write(to members: inout JSONObject)

  /// Checks that the saga takes the verb in its state.
  /// - Throws: `Refusal` with the reason when it doesn't.
  func check(_ saga: Decider) throws(Refusal)

  /// Decides the events of the verb, which has been checked.
  func carryOut(_ act: OperatorAct, in saga: inout Decider)

  /// Returns what the verb can name in the saga's current state: its steps, and the saga itself.
  static func targets(in saga: Decider) -> VerbTargets
}

/// The possible targets of a verb: steps, by their ids, and the whole saga.
struct VerbTargets {
  var steps: [String] = []
  var saga = false
}

extension VerbRules {
  func write(to members: inout JSONObject) {}

  /// The steps for which one of these verbs is taken, and the items whose undo waits for an operator.
  static func steps(in saga: Decider, _ verbs: (String) -> [any VerbRules]) -> [String] {
    let items = saga.state.sets.blocked.items.map { saga.state.steps[$0].id }
    return (saga.state.steps.map(\.id) + items).filter { verbs($0).contains { saga.takes($0) } }
  }
}

extension Decider {
  func takes(_ verb: any VerbRules) -> Bool {
    do {
      try verb.check(self)
      return true
    } catch {
      return false
    }
  }
}

// MARK: Requests

/// The person, the reason and the way of a request. The audit shows them for every act.
public struct OperatorAct: Sendable, Hashable {
  public let by: String
  public let reason: String
  /// The way that the request came: `rest 10.0.0.7`, `cli 10.0.0.7`, `kafka saga.commands`. Older events lack it.
  public let from: String?
  /// The id of the request. The same request again is a repeat, and changes nothing.
  public let commandID: String?
  /// A digest of the request's content. A repeated key with other content is refused.
  public let commandDigest: String?

  public init(
    by: String, reason: String, from: String? = nil, commandID: String? = nil, commandDigest: String? = nil
  ) {
    self.by = by
    self.reason = reason
    self.from = from
    self.commandID = commandID
    self.commandDigest = commandDigest
  }

  init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      by: try data.string("by"), reason: try data.string("reason"), from: data.optionalString("from"),
      commandID: data.optionalString("commandId"), commandDigest: data.optionalString("commandDigest"))
  }

  func add(to data: inout JSONObject) {
    data["by"] = .string(by)
    data["reason"] = .string(reason)
    data["from"] = from.map(JSON.string)
    data["commandId"] = commandID.map(JSON.string)
    data["commandDigest"] = commandDigest.map(JSON.string)
  }
}

/// An operator's request to a saga: the verb, the person and the reason.
public struct OperatorRequest: Sendable, Hashable {
  public let verb: OperatorVerb
  public private(set) var act: OperatorAct
  /// The last event that the operator has seen. The request is refused when another operator has acted since.
  public let expectedVersion: Int?
  /// The version to which the verb `migrate` moves the saga. The engine finds it; nil for every other verb.
  public var target: MoveTarget?

  public init(_ verb: OperatorVerb, by act: OperatorAct, expectedVersion: Int? = nil) {
    self.verb = verb
    self.act = OperatorAct(
      by: act.by, reason: act.reason, from: act.from, commandID: act.commandID,
      commandDigest: act.commandID == nil ? nil : verb.digest)
    self.expectedVersion = expectedVersion
  }

  /// Replaces the digest of the content.
  package mutating func setDigest(_ digest: String) {
    act = OperatorAct(
      by: act.by, reason: act.reason, from: act.from, commandID: act.commandID, commandDigest: digest)
  }
}

/// A request that was carried out. A repeat of it is recognised by its id.
public struct KnownCommand: Sendable, Hashable {
  public let id: String
  public let verb: String
  /// The digest of the request's content. Requests of older versions have none.
  public let digest: String?
}

/// The last act of an operator.
public struct LastAct: Sendable, Hashable {
  public let verb: String
  public let step: String?
  public let by: String
  public let reason: String
  public let at: Timestamp
  /// The number of its event in the saga's history.
  public let version: Int
}

extension SagaState {
  /// Stores the last act, and the id by which a repeat of the request is recognised.
  mutating func note(_ verb: OperatorVerb.Name, _ act: OperatorAct, _ event: SagaEvent) {
    lastAct = LastAct(
      verb: verb.rawValue, step: event.step, by: act.by, reason: act.reason, at: event.at, version: version)
    guard let id = act.commandID, !commands.contains(where: { $0.id.hasSameScalars(as: id) }) else { return }
    commands.append(KnownCommand(id: id, verb: verb.rawValue, digest: act.commandDigest))
  }
}

extension Decider {
  mutating func take(_ request: OperatorRequest) throws(Refusal) {
    target = request.target
    do throws(Refusal) {
      // 1. A caller repeats a request when the first answer was lost, also when the saga has ended since.
      if try isRepeat(request) { return }
      // 2. When two operators act at once, the second is refused and sees the act of the first.
      try requireNoActs(since: request.expectedVersion)
      try requireOpen()
      try requireReason(request.act.reason)
      try request.verb.rules.check(self)
    } catch {
      throw error.allowing(Verbs.allowed(state, definition))
    }
    request.verb.rules.carryOut(request.act, in: &self)
  }

  /// Checks whether a saga takes a verb in its state. Changes nothing.
  /// - Parameter target: the version to which the verb `migrate` moves the saga.
  /// - Throws: `Refusal` with the verbs that it takes instead.
  package static func requireTaken(
    _ verb: OperatorVerb, by state: SagaState, _ definition: WorkflowDefinition, to target: MoveTarget? = nil,
    now: Timestamp
  ) throws(Refusal) {
    var decider = Decider(state, definition: definition, now: now)
    decider.target = target
    do throws(Refusal) {
      try requireSameSteps(state, definition)
      try decider.requireOpen()
      try verb.rules.check(decider)
    } catch {
      throw error.allowing(Verbs.allowed(state, definition))
    }
  }

  private func isRepeat(_ request: OperatorRequest) throws(Refusal) -> Bool {
    guard let id = request.act.commandID,
      let known = state.commands.first(where: { $0.id.hasSameScalars(as: id) })
    else { return false }
    let name = request.verb.name.rawValue
    guard known.verb == name, known.digest == nil || known.digest == request.act.commandDigest else {
      throw Refusal(
        EngineErrorCode.commandReused,
        "“\(id)” has named another request to this saga before (\(known.verb)); a new request needs a new name.")
    }
    return true
  }

  private func requireNoActs(since version: Int?) throws(Refusal) {
    guard let version else { return }
    guard version <= state.version else {
      throw Refusal(
        EngineErrorCode.sagaChanged, "The saga has \(state.version) events, and none with the number \(version).")
    }
    guard let last = state.lastAct, last.version > version else { return }
    let what = last.step.map { " of step \($0)" } ?? ""
    throw Refusal(
      EngineErrorCode.sagaChanged,
      "\(last.by) acted on the saga since you looked: \(last.verb)\(what) at \(last.at) (event \(last.version)), "
        + "because “\(last.reason)”. Look again, then decide.")
  }

  private func requireReason(_ reason: String) throws(Refusal) {
    guard reason.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
      throw Refusal(EngineErrorCode.sagaReasonMissing, "Say why: the reason is kept for the auditor.")
    }
  }

  private func requireOpen() throws(Refusal) {
    if state.end != nil {
      throw Refusal(EngineErrorCode.sagaEnded, "The saga is \(state.status.rawValue): it has ended and can't change.")
    }
  }

  // MARK: Shared by several verbs

  /// Checks that the saga goes forward. The start of compensation is final: after it, verbs for going forward are
  /// refused.
  func requireGoingForward() throws(Refusal) {
    if state.turnBack != nil || state.requestedTurnBack != nil {
      throw Refusal(EngineErrorCode.sagaTurningBack, "The saga is turning back already.")
    }
  }

  func requireNoRewind() throws(Refusal) {
    guard let rewind = state.rewind else { return }
    throw Refusal(
      EngineErrorCode.sagaRewinding,
      "The saga is being rewound to step \(rewind.step); wait until that is done, or turn the saga back.")
  }

  /// Returns the index of a step.
  func knownStep(_ id: String) throws(Refusal) -> Int {
    guard let step = state.index(of: id) else {
      if let item = ItemID(id), let owner = state.index(of: item.step), hasItems(owner) {
        throw Refusal(
          EngineErrorCode.stepUnknown, "Step \(item.step) has no item “\(item.key)” that has begun.")
      }
      let ids = state.steps.map(\.id).joined(separator: ", ")
      throw Refusal(EngineErrorCode.stepUnknown, "The saga has no step “\(id)”. Its steps are \(ids).")
    }
    return step
  }
}

// MARK: What is offered

/// A verb that a saga takes in its state.
public struct AllowedVerb: Sendable, Hashable {
  public let verb: OperatorVerb.Name
  /// The steps that the verb can name. Empty for a verb on the whole saga. (`extend` is for both.)
  public let steps: [String]
}

/// The verbs that an operator can use on a saga.
public enum Verbs {
  /// Returns the verbs that the saga takes in its state. The first ones help a stuck saga.
  public static func allowed(_ state: SagaState, _ definition: WorkflowDefinition) -> [AllowedVerb] {
    guard state.end == nil, state.steps.count == definition.steps.count else { return [] }
    let decider = Decider(state, definition: definition, now: state.startedAt)
    return OperatorVerb.Name.allCases.compactMap { name in
      let targets = name.rules.targets(in: decider)
      return targets.steps.isEmpty && !targets.saga ? nil : AllowedVerb(verb: name, steps: targets.steps)
    }
  }

  /// Returns those of the allowed verbs that help at the step on which the saga is stuck.
  public static func helping(
    _ blocker: Blocker, among allowed: [AllowedVerb], in state: SagaState, by definition: WorkflowDefinition
  ) -> [OperatorVerb.Name] {
    let decider = Decider(state, definition: definition, now: state.startedAt)
    return allowed.filter { allowed in
      switch allowed.verb {
      case .retry, .resolve, .skip, .rewind: allowed.steps.contains(blocker.step)
      case .abandon: true
      // It helps at a step whose `onFailure` is `stuck`. While a pivot is undecided, the request only waits for it.
      case .compensate: blocker.phase == .forward && !decider.isPivotUndecided
      case .runNow, .extend, .pause, .resume, .migrate, .cancel: false
      }
    }.map(\.verb)
  }
}

// MARK: Commands

extension SagaCommand {
  /// Returns the command. `commandID` is the id of the message that contained it: the same message again is a repeat.
  public static func cancel(by: String, reason: String, commandID: String? = nil) -> SagaCommand {
    .operate(OperatorRequest(.cancel, by: OperatorAct(by: by, reason: reason, commandID: commandID)))
  }

  public static func retry(step: String?, by: String, reason: String) -> SagaCommand {
    .operate(OperatorRequest(.retry(step: step), by: OperatorAct(by: by, reason: reason)))
  }

  public static func resolve(step: String, _ resolution: Resolution, by: String, reason: String) -> SagaCommand {
    .operate(OperatorRequest(.resolve(step: step, resolution), by: OperatorAct(by: by, reason: reason)))
  }

  public static func abandon(by: String, reason: String) -> SagaCommand {
    .operate(OperatorRequest(.abandon, by: OperatorAct(by: by, reason: reason)))
  }
}
