import JSON

/// A workflow as the simulation makes it up. The engine reads it as JSON; the rules read it from here, so that they share
/// nothing with the engine's checker.
struct WorkflowPlan: Sendable {
  let name: String
  var steps: [StepPlan]
  var timeoutMs: Int
  /// The turn that a saga holds from its start to its end.
  var concurrency: TurnPlan?
  var version = 1

  /// The first version, and the next one, to which operators move sagas.
  var versions: [WorkflowPlan] { [self, next] }

  /// The next version: it has a step more, which no other step waits for, and a longer timeout. The step comes first in
  /// the file, so every other step has another index.
  var next: WorkflowPlan {
    var plan = self
    plan.version = 2
    plan.timeoutMs += 60_000
    plan.steps.insert(.added, at: 0)
    return plan
  }

  /// The version before the next one.
  var first: WorkflowPlan {
    var plan = self
    plan.version = 1
    plan.timeoutMs -= 60_000
    plan.steps.removeAll { $0.id == StepPlan.added.id }
    return plan
  }

  /// Returns the step; of an item, the step that has it.
  func step(_ id: String) -> StepPlan? {
    let owner = ItemName(id)?.step ?? id
    return steps.first { $0.id == owner }
  }

  /// The members of a group, without those of groups inside it.
  func members(of id: String) -> [StepPlan] { steps.filter { $0.group == id } }

  /// The steps that must be over before a step starts. A member also starts after what its group follows.
  func conditions(of step: StepPlan) -> [String] {
    step.dependsOn + (step.group.flatMap(self.step).map(conditions) ?? [])
  }

  /// Returns all steps that end before a step ends because of the order. A group ends after its members.
  func ancestors(of id: String) -> Set<String> {
    func before(_ id: String) -> [String] {
      guard let step = step(id) else { return [] }
      return conditions(of: step) + members(of: id).map(\.id)
    }
    var found: Set<String> = []
    var open = before(id)
    while let next = open.popLast() {
      if found.insert(next).inserted { open += before(next) }
    }
    return found
  }

  /// Returns the steps that begin again with a step: those that depend on it, and the members of a group.
  func rewound(with id: String) -> Set<String> {
    members(of: id).reduce(Set([id] + dependents(of: id))) { $0.union(rewound(with: $1.id)) }
  }

  /// Returns all steps that depend on a step, directly or through others.
  func dependents(of id: String) -> [String] { steps.map(\.id).filter { ancestors(of: $0).contains(id) } }

  /// The workflow without some steps. What was ordered behind one of them is ordered behind what that one was behind.
  func without(_ removed: Set<String>) -> WorkflowPlan {
    var plan = self
    for id in removed.sorted() {
      guard let step = plan.step(id), plan.steps.count > 1 else { continue }
      plan.steps.removeAll { $0.id == id }
      for index in plan.steps.indices where plan.steps[index].group == id {
        plan.steps[index].group = step.group
        for other in step.dependsOn where !plan.steps[index].dependsOn.contains(other) {
          plan.steps[index].dependsOn.append(other)
        }
      }
      // A group has at least one member.
      if let group = step.group, plan.members(of: group).isEmpty { plan = plan.without([group]) }
      for index in plan.steps.indices {
        if let place = plan.steps[index].dependsOn.firstIndex(of: id) {
          plan.steps[index].dependsOn.remove(at: place)
          for other in step.dependsOn where !plan.steps[index].dependsOn.contains(other) {
            plan.steps[index].dependsOn.append(other)
          }
        }
        if case .succeeded(let other)? = plan.steps[index].when, other == id { plan.steps[index].when = nil }
        if plan.steps[index].reads == id { plan.steps[index].reads = nil }
      }
    }
    return plan
  }
}

/// A key, and how many of its turns may be held.
struct TurnPlan: Sendable {
  var key: String
  var limit: Int

  fileprivate var json: JSON { ["key": .string(key), "limit": .int(limit)] }
}

/// The name of one item, `STEP[KEY]`, as events and calls have it.
struct ItemName: Hashable {
  let step: String
  let key: String

  /// Nil for the id of a step.
  init?(_ id: String) {
    guard id.hasSuffix("]"), let open = id.firstIndex(of: "[") else { return nil }
    step = String(id[..<open])
    key = String(id[id.index(after: open)...].dropLast())
  }

  /// Returns the part of an idempotency key that names a step or an item.
  static func path(of id: String) -> String {
    guard let item = ItemName(id) else { return id }
    return "\(item.step)/" + item.key.split(separator: "/", omittingEmptySubsequences: false).joined(separator: "%2F")
  }
}

struct StepPlan: Sendable {
  enum Kind: Sendable {
    case http, kafka
    case signal(name: String, accepts: Bool)
    case delay(ms: Int)
    case fail
    /// Starts a saga of the scenario's child workflow.
    case child
    /// Its members name it as their group.
    case group
  }
  /// What the saga does when the step has failed for good.
  enum AfterFailure: Sendable { case compensates, goesOn, isStuck }
  enum When: Sendable {
    /// A flag of the input, by its number.
    case flag(Int)
    /// Another step has succeeded.
    case succeeded(String)
  }
  enum Compensation: Sendable {
    case unspecified, none
    case undo(Undo)
  }
  struct Undo: Sendable {
    /// What undoes the step.
    enum Way: Sendable {
      /// A call like that of the step.
      case call
      /// A person who sends the signal `binned`.
      case signal(accepts: Bool)
      /// A saga of the scenario's child workflow. `isLimited`: the wait for its end has a timeout.
      case child(isLimited: Bool)
    }
    static let signalName = "binned"

    var way = Way.call
    /// The outcomes of a round after which the step is undone; nil: as the language has it.
    var appliesTo: [String]?
    /// Whether compensation continues when the undo failed for good.
    var isCourtesy: Bool
    var maxAttempts: Int?
    var timeoutMs: Int

    func applies(to outcome: String) -> Bool { (appliesTo ?? ["succeeded", "unknown"]).contains(outcome) }

    /// The signal that confirms the undo; nil for every other undo.
    var signal: (name: String, accepts: Bool)? {
      if case .signal(let accepts) = way { (Self.signalName, accepts) } else { nil }
    }

    var isChild: Bool { if case .child = way { true } else { false } }
    var isCall: Bool { if case .call = way { true } else { false } }
  }
  /// How a step does its items.
  struct ForEach: Sendable {
    enum Tolerance: Sendable {
      case count(Int)
      case percent(Int)
    }
    /// Nil: as the language has it.
    var maxParallel: Int?
    var tolerated: Tolerance?
    /// The items have keys of their own, and not their numbers.
    var hasKeys: Bool

    /// The number of items that may be under way.
    var parallel: Int { maxParallel ?? 10 }

    /// Returns the number of items that may fail.
    func tolerated(of count: Int) -> Int {
      switch tolerated {
      case .count(let most)?: most
      case .percent(let percent)?: count * percent / 100
      case nil: 0
      }
    }

    /// Returns the key of the item with this number. Some keys have a slash, which idempotency keys escape.
    func key(of number: Int) -> String {
      if !hasKeys { return "\(number)" }
      return number % 2 == 0 ? "K\(number)" : "P/\(number)"
    }
  }
  /// How an HTTP step polls, and what its participant does meanwhile.
  struct Poll: Sendable {
    var everyMs: Int
    /// The method may change something, so that the history has each look as an attempt.
    var isRecorded: Bool
    /// How long after the first look the participant is ready.
    var readyAfterMs: Int
    /// `done` or `failed`.
    var end: String
  }
  let id: String
  var kind: Kind
  /// The step does its action for each item of a list in the input, `items.ID`.
  var forEach: ForEach?
  var poll: Poll?
  var dependsOn: [String]
  var when: When?
  var isPivot: Bool
  var afterFailure: AfterFailure
  /// Of one attempt, of the wait for a signal, or of a poll; nil: as the language has it.
  var timeoutMs: Int?
  var maxAttempts: Int
  var firstPauseMs: Int
  var jitter: Double
  var nonRetryable: [String]
  var expectedMs: Int?
  /// Of a wait for a signal: when people are reminded, and how often again.
  var remind: (afterMs: Int, everyMs: Int?)?
  var compensation: Compensation
  /// The service keeps tombstones: an undo that comes first makes the late command refuse.
  var keepsTombstones: Bool
  /// A step whose output the call contains.
  var reads: String?
  /// The group that has the step.
  var group: String?
  /// The turn that the step takes before it begins.
  var concurrency: TurnPlan?

  /// The step that the next version of a workflow has besides.
  static let added = StepPlan(
    id: "added", kind: .delay(ms: 50), poll: nil, dependsOn: [], when: nil, isPivot: false, afterFailure: .compensates,
    timeoutMs: nil, maxAttempts: 1, firstPauseMs: 0, jitter: 0, nonRetryable: [], expectedMs: nil, remind: nil,
    compensation: .unspecified, keepsTombstones: false, reads: nil, group: nil)

  var isGroup: Bool { if case .group = kind { true } else { false } }

  var isAttempted: Bool {
    switch kind {
    case .http, .kafka: true
    case .signal, .delay, .fail, .child, .group: false
    }
  }

  var isChild: Bool { if case .child = kind { true } else { false } }

  /// Whether an attempt may change something at its participant.
  var mayChange: Bool { isAttempted && poll?.isRecorded ?? true }

  var undo: Undo? { if case .undo(let undo) = compensation { undo } else { nil } }

  var service: String { keepsTombstones ? "careful" : "plain" }
}

// MARK: As the engine reads it

extension WorkflowPlan {
  var content: [UInt8] {
    var file: JSONObject = [
      "name": .string(name), "version": .int(version), "timeout": .string("\(timeoutMs)ms"),
      "steps": list(of: nil),
    ]
    file["concurrency"] = concurrency?.json
    return JSON.object(file).bytes()
  }

  private func list(of group: String?) -> JSON {
    .array(
      steps.filter { $0.group == group }.map { step in
        guard step.isGroup, case .object(var members) = step.json else { return step.json }
        members["steps"] = list(of: step.id)
        return .object(members)
      })
  }
}

extension StepPlan {
  fileprivate var json: JSON {
    var members: JSONObject = ["id": .string(id), "dependsOn": .array(dependsOn.map(JSON.string))]
    switch when {
    case .flag(let number)?: members["when"] = .string("$.input.flags.f\(number) == true")
    case .succeeded(let step)?: members["when"] = .string("$.steps.\(step).status == 'succeeded'")
    case nil: break
    }
    switch kind {
    case .http, .kafka: members[isKafka ? "kafka" : "http"] = call(isUndo: false)
    case .signal(let name, let accepts):
      var signal: JSONObject = ["name": .string(name)]
      if accepts { signal["accept"] = "$.signal.ok == true" }
      members["signal"] = .object(signal)
    case .delay(let ms): members["delay"] = ["for": .string("\(ms)ms")]
    case .group: break
    case .child:
      members["workflow"] = [
        "name": .string(Scenario.childName), "input": ["value": "${input.value}", "flags": "${input.flags}"],
      ]
    case .fail: members["fail"] = ["code": "ON_PURPOSE", "message": "step ${steps.\(id).key}"]
    }
    members["concurrency"] = concurrency?.json
    if let forEach {
      var each: JSONObject = ["items": .string("${input.items.\(id)[*]}")]
      if forEach.hasKeys { each["key"] = "${item.key}" }
      each["maxParallel"] = forEach.maxParallel.map { .int($0) }
      switch forEach.tolerated {
      case .count(let most)?: each["toleratedFailures"] = .int(most)
      case .percent(let percent)?: each["toleratedFailures"] = .string("\(percent)%")
      case nil: break
      }
      members["forEach"] = .object(each)
    }
    if let poll {
      members["poll"] = [
        "every": .string("\(poll.everyMs)ms"), "until": "$.answer.body.state == 'done'",
        "failWhen": "$.answer.body.state == 'failed'",
      ]
    }
    if isPivot { members["pivot"] = true }
    switch afterFailure {
    case .compensates: break
    case .goesOn: members["onFailure"] = "continue"
    case .isStuck: members["onFailure"] = "stuck"
    }
    if let timeoutMs { members["timeout"] = .string("\(timeoutMs)ms") }
    if let remind {
      var reminders: JSONObject = ["after": .string("\(remind.afterMs)ms")]
      reminders["every"] = remind.everyMs.map { .string("\($0)ms") }
      members["remind"] = .object(reminders)
    }
    if let expectedMs { members["expected"] = .string("\(expectedMs)ms") }
    guard isAttempted else { return .object(members) }
    var retry: JSONObject = [
      "maxAttempts": .int(maxAttempts), "initialInterval": .string("\(firstPauseMs)ms"), "maxInterval": "1m",
      "jitter": .number(JSONNumber(jitter)),
    ]
    if !nonRetryable.isEmpty { retry["nonRetryable"] = .array(nonRetryable.map(JSON.string)) }
    members["retry"] = .object(retry)
    switch compensation {
    case .unspecified: break
    case .none: members["compensation"] = "none"
    case .undo(let undo):
      var compensation: JSONObject = [:]
      var timeoutMs: Int? = undo.timeoutMs
      switch undo.way {
      case .call: compensation[isKafka ? "kafka" : "http"] = call(isUndo: true)
      case .signal(let accepts):
        var signal: JSONObject = ["name": .string(Undo.signalName)]
        if accepts { signal["accept"] = "$.signal.ok == true" }
        compensation["signal"] = .object(signal)
      case .child(let isLimited):
        compensation["workflow"] = [
          "name": .string(Scenario.childName), "input": ["value": "${input.value}", "flags": "${input.flags}"],
        ]
        if !isLimited { timeoutMs = nil }
      }
      compensation["timeout"] = timeoutMs.map { .string("\($0)ms") }
      if let appliesTo = undo.appliesTo { compensation["appliesTo"] = .array(appliesTo.map(JSON.string)) }
      if undo.isCourtesy { compensation["onFailure"] = "continue" }
      if let most = undo.maxAttempts, undo.signal == nil {
        compensation["retry"] = ["maxAttempts": .int(most), "initialInterval": .string("\(firstPauseMs)ms")]
      }
      members["compensation"] = .object(compensation)
    }
    return .object(members)
  }

  private var isKafka: Bool { if case .kafka = kind { true } else { false } }

  private func call(isUndo: Bool) -> JSON {
    var body: JSONObject = ["value": "${input.value}"]
    if forEach != nil {
      body["number"] = "${index}"
      body["item"] = "${item.value}"
    }
    if let reads, !isUndo { body["read"] = .string("${steps.\(reads).output.n}") }
    if isKafka {
      body["id"] = .string("${steps.\(id).uuid}")
      return [
        "service": .string(service), "command": isUndo ? "delete" : "create", "body": .object(body),
      ]
    }
    let method = isUndo ? "DELETE" : poll.map { $0.isRecorded ? "POST" : "GET" } ?? "PUT"
    var call: JSONObject = [
      "service": .string(service), "method": .string(method), "path": .string("/things/${steps.\(id).uuid}"),
    ]
    if !isUndo, method != "GET" { call["body"] = .object(body) }
    return .object(call)
  }
}
