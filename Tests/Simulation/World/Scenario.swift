import Values

/// The decisions that a seed makes beforehand: workflows, sagas, people, outages and crashes. Dice make the remaining
/// decisions during the run. Each dice is named after its decision.
struct Scenario: Sendable {
  let seed: UInt64
  var workflows: [WorkflowPlan]
  var sagas: [SagaPlan]
  var signals: [SignalPlan]
  var acts: [ActPlan]
  var outages: [Outage]
  var stops: [Stop]
  /// How often a participant does something else than answer well, in percent.
  var participantTrouble: Int
  /// How often an append is slow, loses its answer, is refused or meets another writer, in percent.
  var storeTrouble: Int
  /// How often a little time passes between two jobs, in percent.
  var creep: Int
  /// When all troubles end.
  var healedAt: Duration

  static let childName = "child"

  /// The workflow of all children. Its undos are courtesies, so a child always ends by itself.
  let child = WorkflowPlan(
    name: Scenario.childName,
    steps: ["x", "y"].map { id in
      StepPlan(
        id: id, kind: .http, dependsOn: id == "y" ? ["x"] : [], isPivot: false, afterFailure: .compensates,
        maxAttempts: 2, firstPauseMs: 100, jitter: 0, nonRetryable: [],
        compensation: .undo(StepPlan.Undo(appliesTo: nil, isCourtesy: true, maxAttempts: 3, timeoutMs: 5_000)),
        keepsTombstones: id == "x")
    }, timeoutMs: 600_000)

  /// Whether a step of some workflow, or its undo, starts children.
  var hasChildren: Bool {
    workflows.contains { $0.steps.contains { $0.isChild || $0.undo?.isChild == true } }
  }

  /// Returns the plan of a workflow.
  func workflow(named name: String) -> WorkflowPlan? {
    name == Self.childName ? child : workflows.first { $0.name == name }
  }

  struct SagaPlan: Sendable {
    let number: Int
    var workflow: Int
    var at: Duration
    /// With a key, its client asks again until it has an answer, and once more later.
    var hasKey: Bool
    var flags: [Bool]
  }

  struct SignalPlan: Sendable {
    let number: Int
    var saga: Int
    var name: String
    var at: Duration
    var isGood: Bool
    /// The signal that it repeats, with the same identity and content.
    var repeats: Int?
  }

  struct ActPlan: Sendable {
    let number: Int
    var saga: Int
    var at: Duration
    /// The operator looks first, and does what the saga takes.
    var looksFirst: Bool
    /// The request has a name, and is delivered twice.
    var isDeliveredTwice: Bool
  }

  struct Outage: Sendable {
    let number: Int
    var from: Duration
    var to: Duration
  }

  struct Stop: Sendable {
    enum Kind: Sendable {
      /// The process dies with its n-th append, which the store has taken or not.
      case crashAtAppend(Int, taken: Bool)
      case crash(at: Duration)
      /// The process is asked to stop and drains.
      case stop(at: Duration)
    }
    let number: Int
    var kind: Kind
    /// How long nothing runs then.
    var pause: Duration
  }
}

// MARK: Making one up

extension Scenario {
  init(seed: UInt64) {
    self.seed = seed
    var dice = Dice(seed, "scenario")
    let span = Duration.seconds(dice.pick([20, 120, 900]))
    healedAt = span + .seconds(60)
    participantTrouble = dice.pick([0, 10, 30, 60])
    storeTrouble = dice.pick([0, 0, 5, 25])
    creep = dice.pick([0, 2, 20])
    workflows = (0..<dice.number(1...2)).map { Self.workflow($0, seed: seed) }
    for number in workflows.indices {
      Self.addTurns(to: &workflows[number], number, seed: seed)
      Self.addUndos(to: &workflows[number], number, seed: seed)
    }
    let workflowCount = workflows.count
    sagas = (0..<dice.number(1...4)).map { number in
      SagaPlan(
        number: number, workflow: dice.number(0...(workflowCount - 1)), at: dice.time(1...5_000),
        hasKey: dice.chance(50), flags: (0..<3).map { _ in dice.chance(60) })
    }
    let sagaCount = sagas.count
    let spanMs = span.wholeMilliseconds
    acts = (0..<dice.pick([0, 2, 6, 12])).map { number in
      ActPlan(
        number: number, saga: dice.number(0...(sagaCount - 1)), at: dice.time(1...spanMs),
        looksFirst: dice.chance(75), isDeliveredTwice: dice.chance(20))
    }
    signals = []
    for saga in sagas {
      for step in workflows[saga.workflow].steps {
        guard case .signal(let name, _) = step.kind else { continue }
        for _ in 0..<dice.number(0...2) {
          var signal = SignalPlan(
            number: signals.count, saga: saga.number, name: name, at: dice.time(1...spanMs), isGood: dice.chance(80))
          if let last = signals.last, last.saga == saga.number, last.name == name, dice.chance(40) {
            signal.repeats = last.repeats ?? last.number
            signal.isGood = last.isGood
          }
          signals.append(signal)
        }
        guard step.forEach != nil else { continue }
        // Each item takes a signal of its own.
        var more = Dice(seed, "signals of items of \(step.id)", saga.number)
        for _ in 0..<more.number(0...8) {
          signals.append(
            SignalPlan(
              number: signals.count, saga: saga.number, name: name, at: more.time(1...spanMs), isGood: more.chance(90)))
        }
      }
    }
    outages = (0..<dice.pick([0, 0, 0, 1, 2])).map { number in
      let from = dice.time(1...spanMs)
      return Outage(number: number, from: from, to: from + dice.time(100...20_000))
    }
    stops = (0..<dice.pick([0, 0, 1, 2, 4])).map { number in
      let kind: Stop.Kind =
        switch dice.number(0...3) {
        case 0, 1: .crashAtAppend(dice.number(1...12), taken: dice.chance(50))
        case 2: .crash(at: dice.time(10...spanMs))
        default: .stop(at: dice.time(10...spanMs))
        }
      return Stop(number: number, kind: kind, pause: dice.time(1...30_000))
    }
    addSignalsOfUndos(until: spanMs)
  }

  /// Lets some sagas and steps wait for their turns. Both workflows have the same keys.
  private static func addTurns(to plan: inout WorkflowPlan, _ number: Int, seed: UInt64) {
    // Dice of their own, so that a seed from before there were turns mostly gives the same workflow.
    var dice = Dice(seed, "turns", number)
    guard dice.chance(40) else { return }
    func turn() -> TurnPlan {
      TurnPlan(key: dice.pick(["lock-a", "lock-a", "lock-b"]), limit: dice.pick([1, 1, 1, 2]))
    }
    if dice.chance(25) { plan.concurrency = turn() }
    for index in plan.steps.indices where dice.chance(40) {
      if case .fail = plan.steps[index].kind { continue }
      plan.steps[index].concurrency = turn()
    }
  }

  /// Lets a signal or a child undo some steps.
  private static func addUndos(to plan: inout WorkflowPlan, _ number: Int, seed: UInt64) {
    // Dice of their own, so that a seed from before there were such undos mostly gives the same workflow.
    var dice = Dice(seed, "undos", number)
    guard dice.chance(35) else { return }
    for index in plan.steps.indices where plan.steps[index].isAttempted && dice.chance(50) {
      guard case .undo(var undo) = plan.steps[index].compensation else { continue }
      undo.way = dice.chance(50) ? .signal(accepts: dice.chance(70)) : .child(isLimited: dice.chance(30))
      undo.timeoutMs = dice.number(1_000...120_000)
      plan.steps[index].compensation = .undo(undo)
    }
  }

  /// People confirm undos, also early, and also with a word that the undo does not accept.
  private mutating func addSignalsOfUndos(until spanMs: Int) {
    for saga in sagas {
      for step in workflows[saga.workflow].steps {
        guard let signal = step.undo?.signal else { continue }
        var dice = Dice(seed, "signals of the undo of \(step.id)", saga.number)
        for _ in 0..<dice.number(0...(step.forEach == nil ? 2 : 8)) {
          signals.append(
            SignalPlan(
              number: signals.count, saga: saga.number, name: signal.name, at: dice.time(1...spanMs),
              isGood: dice.chance(70)))
        }
      }
    }
  }

  private static func workflow(_ number: Int, seed: UInt64) -> WorkflowPlan {
    var dice = Dice(seed, "workflow", number)
    // Dice of their own, so that a seed from before there was `fail` mostly gives the same workflow.
    var failures = Dice(seed, "fail", number)
    var blocks = Dice(seed, "stuck", number)
    var groups = Dice(seed, "group", number)
    var reminders = Dice(seed, "remind", number)
    var polls = Dice(seed, "poll", number)
    var items = Dice(seed, "forEach", number)
    var children = Dice(seed, "child", number)
    var plan = WorkflowPlan(name: "w\(number)", steps: [], timeoutMs: 0)
    let isLinear = dice.chance(30)
    for index in 0..<dice.number(1...6) {
      plan.steps.append(step(index, after: plan, isLinear: isLinear, failing: failures.chance(2), &dice))
      addPoll(to: &plan.steps[index], &polls)
      addForEach(to: &plan.steps[index], &items)
      if case .signal = plan.steps[index].kind, reminders.chance(30) {
        plan.steps[index].remind = (reminders.number(1...60_000), reminders.chance(50) ? 60_000 : nil)
      }
      if blocks.chance(8) { plan.steps[index].afterFailure = .isStuck }
    }
    if children.chance(20) { addChild(to: &plan, &children) }
    if groups.chance(35) {
      makeGroup("g", of: &plan, &groups)
      if groups.chance(30) { makeGroup("h", of: &plan, &groups) }
    }
    // The checker wants waits, and one attempt of each call, to fit in.
    let least = plan.steps.reduce(1_000) { sum, step in
      if case .delay(let ms) = step.kind { return sum + ms }
      return sum + (step.timeoutMs ?? (step.isAttempted ? 30_000 : 0))
    }
    plan.timeoutMs = max(least, dice.pick([60_000, 600_000, 7_200_000]))
    for index in plan.steps.indices where plan.steps[index].isGroup {
      let most = plan.timeoutMs
      if groups.chance(60) {
        plan.steps[index].timeoutMs = min(most, max(least, groups.pick([10_000, 60_000, 600_000])))
      }
    }
    return plan
  }

  /// Puts some steps that follow each other in the list into a group. The group follows what they followed outside it.
  private static func makeGroup(_ id: String, of plan: inout WorkflowPlan, _ dice: inout Dice) {
    let first = dice.number(0...(plan.steps.count - 1))
    let around = plan.steps[first].group
    let rest = plan.steps[first...].prefix { $0.group == around && !$0.isGroup }
    guard !rest.isEmpty else { return }
    let members = rest.prefix(dice.number(1...rest.count)).map(\.id)
    var group = StepPlan(
      id: id, kind: .group, dependsOn: [], isPivot: false, afterFailure: .compensates, maxAttempts: 1, firstPauseMs: 10,
      jitter: 0, nonRetryable: [], compensation: .unspecified, keepsTombstones: false, group: around)
    for index in plan.steps.indices where members.contains(plan.steps[index].id) {
      for outside in plan.steps[index].dependsOn where !members.contains(outside) {
        if !group.dependsOn.contains(outside) { group.dependsOn.append(outside) }
      }
      plan.steps[index].dependsOn.removeAll { !members.contains($0) }
      plan.steps[index].group = id
    }
    // A step outside the group that reads a member would need a guard.
    let isRead = plan.steps.contains { step in step.group != id && step.reads.map(members.contains) ?? false }
    if !isRead, dice.chance(30) { group.when = .flag(dice.number(0...2)) }
    for index in plan.steps.indices where plan.steps[index].group != id {
      guard plan.steps[index].dependsOn.contains(where: members.contains), dice.chance(50) else { continue }
      plan.steps[index].dependsOn.removeAll(where: members.contains)
      plan.steps[index].dependsOn.append(id)
    }
    plan.steps.insert(group, at: first)
  }

  /// Lets one of the HTTP steps, whose answer no other step reads, start a child instead.
  private static func addChild(to plan: inout WorkflowPlan, _ dice: inout Dice) {
    let read = Set(plan.steps.compactMap(\.reads))
    let fitting = plan.steps.indices.filter { index in
      let step = plan.steps[index]
      guard case .http = step.kind else { return false }
      return step.poll == nil && !step.isPivot && !read.contains(step.id)
    }
    guard !fitting.isEmpty else { return }
    let old = plan.steps[dice.pick(fitting)]
    var step = StepPlan(
      id: old.id, kind: .child, dependsOn: old.dependsOn, isPivot: false, afterFailure: old.afterFailure,
      maxAttempts: 3, firstPauseMs: 1_000, jitter: 0, nonRetryable: [],
      compensation: .undo(StepPlan.Undo(appliesTo: nil, isCourtesy: false, maxAttempts: nil, timeoutMs: 30_000)),
      // A child that was not started is never started later.
      keepsTombstones: true)
    step.when = old.when
    plan.steps = plan.steps.map { $0.id == step.id ? step : $0 }
  }

  /// Lets some of the HTTP steps poll.
  private static func addPoll(to step: inout StepPlan, _ dice: inout Dice) {
    guard case .http = step.kind, dice.chance(15) else { return }
    let timeoutMs = dice.chance(60) ? dice.number(2_000...300_000) : nil
    step.poll = StepPlan.Poll(
      everyMs: dice.number(100...min(timeoutMs ?? 60_000, 60_000)), isRecorded: dice.chance(25),
      readyAfterMs: dice.number(0...dice.pick([1_000, 60_000, 600_000])), end: dice.chance(85) ? "done" : "failed")
    step.timeoutMs = timeoutMs
    if let expected = step.expectedMs, let timeoutMs, expected >= timeoutMs { step.expectedMs = nil }
    // A call that changes nothing leaves nothing to undo.
    if !step.mayChange { step.compensation = .none }
  }

  /// Lets some of the steps do their action for each item of a list. Such a step can't be a pivot.
  private static func addForEach(to step: inout StepPlan, _ dice: inout Dice) {
    guard dice.chance(20) else { return }
    step.forEach = StepPlan.ForEach(
      maxParallel: dice.pick([nil, 1, 2, 3, 5]), tolerated: nil, hasKeys: dice.chance(60))
    switch dice.number(0...3) {
    case 0: step.forEach?.tolerated = .count(dice.number(0...4))
    case 1: step.forEach?.tolerated = .percent(dice.pick([10, 25, 50, 99, 100]))
    default: break
    }
    step.isPivot = false
  }

  private static func step(
    _ index: Int, after plan: WorkflowPlan, isLinear: Bool, failing: Bool, _ dice: inout Dice
  ) -> StepPlan {
    let id = ["a", "b", "c", "d", "e", "f"][index]
    let before = plan.steps.map(\.id)
    let kind: StepPlan.Kind =
      switch dice.number(0...19) {
      case 0...11: .http
      case 12...14: .kafka
      case 15...17: .signal(name: dice.pick(["approval", "approval", "done"]), accepts: dice.chance(50))
      default: .delay(ms: dice.number(1...60_000))
      }
    var step = StepPlan(
      id: id, kind: failing ? .fail : kind, dependsOn: [], isPivot: false,
      afterFailure: dice.chance(15) ? .goesOn : .compensates,
      maxAttempts: 1,
      firstPauseMs: dice.pick([10, 500, 5_000]), jitter: dice.pick([0, 0.2, 1]), nonRetryable: [],
      compensation: .unspecified, keepsTombstones: dice.chance(50))
    if isLinear {
      step.dependsOn = before.last.map { [$0] } ?? []
    } else {
      step.dependsOn = before.filter { _ in dice.chance(45) }
    }
    let ancestors = before.filter { before in
      step.dependsOn.contains { $0 == before || plan.ancestors(of: $0).contains(before) }
    }
    if dice.chance(15) {
      step.when =
        ancestors.isEmpty || dice.chance(60) ? .flag(dice.number(0...2)) : .succeeded(dice.pick(ancestors))
    }
    if case .signal = step.kind { step.timeoutMs = dice.chance(60) ? dice.number(1_000...120_000) : nil }
    guard step.isAttempted else { return step }
    step.isPivot = dice.chance(20)
    step.timeoutMs = dice.chance(80) ? dice.number(200...20_000) : nil
    step.maxAttempts = dice.number(1...4)
    if dice.chance(20) { step.nonRetryable = ["http.4xx"] }
    if dice.chance(20) { step.expectedMs = dice.number(100...10_000) }
    step.compensation =
      switch dice.number(0...9) {
      case 0: .unspecified
      case 1: .none
      default:
        .undo(
          StepPlan.Undo(
            appliesTo: dice.pick([nil, nil, nil, ["succeeded"], ["succeeded", "unknown", "failed"]]),
            isCourtesy: dice.chance(15), maxAttempts: dice.chance(70) ? dice.number(1...4) : nil,
            timeoutMs: dice.number(200...20_000)))
      }
    let readable = ancestors.filter { id in
      guard let other = plan.step(id) else { return false }
      return other.isAttempted && other.when == nil && other.afterFailure != .goesOn && other.forEach == nil
    }
    if !readable.isEmpty, dice.chance(30) { step.reads = dice.pick(readable) }
    return step
  }
}

extension Scenario {
  /// Returns the keys of the items of each step of a saga, in their order.
  func items(of saga: SagaPlan) -> [String: [String]] {
    var items: [String: [String]] = [:]
    for step in workflows[saga.workflow].steps {
      guard let forEach = step.forEach else { continue }
      var dice = Dice(seed, "items of \(step.id)", saga.number)
      items[step.id] = (0..<dice.number(0...dice.pick([3, 6, 12]))).map(forEach.key)
    }
    return items
  }
}

// MARK: Making it smaller

extension Scenario {
  /// The parts that can be removed, by names that `--without` takes; large parts first.
  var parts: [String] {
    var parts: [String] = []
    if storeTrouble > 0 { parts.append("store-trouble") }
    if participantTrouble > 0 { parts.append("participant-trouble") }
    if creep > 0 { parts.append("creep") }
    let hasTurns = workflows.contains { $0.concurrency != nil || $0.steps.contains { $0.concurrency != nil } }
    if hasTurns { parts.append("turns") }
    if sagas.count > 1 { parts += sagas.map { "saga-\($0.number)" } }
    parts += stops.map { "stop-\($0.number)" }
    parts += outages.map { "outage-\($0.number)" }
    parts += acts.map { "act-\($0.number)" }
    parts += signals.map { "signal-\($0.number)" }
    for (number, workflow) in workflows.enumerated() {
      if workflow.steps.count > 1 { parts += workflow.steps.map { "step-\(number)-\($0.id)" } }
    }
    return parts
  }

  func without(_ removed: Set<String>) -> Scenario {
    var scenario = self
    if removed.contains("store-trouble") { scenario.storeTrouble = 0 }
    if removed.contains("participant-trouble") { scenario.participantTrouble = 0 }
    if removed.contains("creep") { scenario.creep = 0 }
    if removed.contains("turns") {
      for number in workflows.indices {
        scenario.workflows[number].concurrency = nil
        for index in workflows[number].steps.indices { scenario.workflows[number].steps[index].concurrency = nil }
      }
    }
    scenario.sagas.removeAll { removed.contains("saga-\($0.number)") }
    let sagas = Set(scenario.sagas.map(\.number))
    scenario.stops.removeAll { removed.contains("stop-\($0.number)") }
    scenario.outages.removeAll { removed.contains("outage-\($0.number)") }
    scenario.acts.removeAll { removed.contains("act-\($0.number)") || !sagas.contains($0.saga) }
    scenario.signals.removeAll { removed.contains("signal-\($0.number)") || !sagas.contains($0.saga) }
    let signals = Set(scenario.signals.map(\.number))
    scenario.signals.removeAll { signal in signal.repeats.map { !signals.contains($0) } ?? false }
    for number in workflows.indices {
      let steps = workflows[number].steps.map(\.id).filter { removed.contains("step-\(number)-\($0)") }
      scenario.workflows[number] = workflows[number].without(Set(steps))
    }
    return scenario
  }
}
