/// Says which running sagas of one version of a workflow may move to another version: those whose history fits it.
/// `docs/versions.md` states the rule. `saga diff` and the verb `migrate` follow it.
public struct MoveRule: Sendable {
  /// A step of the first version that keeps a saga from moving once the saga has begun it, or once it is over.
  public struct Obstacle: Sendable, Hashable {
    public let step: String
    /// Why, as `its action changed`.
    public let reason: String
  }

  /// Every obstacle, in the order of the file.
  public let obstacles: [Obstacle]
  /// The obstacles that come first. A saga that has begun none of them has begun no obstacle at all.
  public let firstObstacles: [Obstacle]
  /// The groups that have new members, in the order of the file. Members begin only in an open group, so such a group is
  /// an obstacle once it is over.
  public let grownGroups: [Obstacle]
  /// Whether both are versions of one workflow. A saga never moves to another workflow.
  public let isSameWorkflow: Bool

  public init(from before: WorkflowDefinition, to after: WorkflowDefinition) {
    isSameWorkflow = before.name == after.name
    let (earlier, earlierNow) = (BegunBefore(before), BegunBefore(after))
    var reasons: [Int: String] = [:]
    for step in before.steps { reasons[step.index] = Self.reason(step, earlier, in: after, earlierNow) }
    let blocking = StepSet(reasons.keys, count: before.steps.count)
    func obstacle(_ index: Int) -> Obstacle? {
      reasons[index].map { Obstacle(step: before.steps[index].id, reason: $0) }
    }
    obstacles = before.steps.indices.compactMap(obstacle)
    firstObstacles = before.steps.indices.filter { earlier.steps[$0].isDisjoint(with: blocking) }
      .compactMap(obstacle)
    grownGroups = before.steps.compactMap { group in
      guard group.action.isGroup, let now = after.step(group.id) else { return nil }
      let new = now.members.filter { !group.members.contains($0) }
      return new.isEmpty ? nil : Obstacle(step: group.id, reason: "new in it: \(new.joined(separator: ", "))")
    }
  }

  /// Returns what keeps a saga from moving; nil when it may move.
  /// - Parameters:
  ///   - begun: the steps that the saga has begun, skipped or ended, in any round.
  ///   - over: the groups that no member can begin in any more.
  public func obstacle(begun: Set<String>, over: Set<String> = []) -> Obstacle? {
    obstacles.first { begun.contains($0.step) } ?? grownGroups.first { over.contains($0.step) }
  }

  private static func reason(
    _ step: Step, _ before: BegunBefore, in after: WorkflowDefinition, _ beforeNow: BegunBefore
  ) -> String? {
    guard let now = after.step(step.id) else { return "the step is removed" }
    if step.action != now.action { return "its action changed" }
    if !isSamePoll(step.poll, now.poll) { return "its poll changed" }
    if !hasSameItems(step.forEach, now.forEach) { return "its items changed" }
    if !isSameUndo(step.compensation, now.compensation) { return "its compensation changed" }
    if step.pivot != now.pivot { return now.pivot ? "it is a pivot now" : "it is no longer a pivot" }
    let (earlier, earlierNow) = (before.ids(of: step.index), beforeNow.ids(of: now.index))
    let added = earlierNow.filter { before.definition.step($0) == nil }
    if !added.isEmpty { return "new before it: \(added.joined(separator: ", "))" }
    let (known, knownNow) = (Set(earlier), Set(earlierNow))
    let missing = earlier.filter { !knownNow.contains($0) }
    if !missing.isEmpty { return "no longer behind \(missing.joined(separator: ", "))" }
    let more = earlierNow.filter { !known.contains($0) }
    return more.isEmpty ? nil : "now behind \(more.joined(separator: ", "))"
  }

  /// Whether both ask at the same times until the same answers. The timeout of one look may differ.
  private static func isSamePoll(_ before: Poll?, _ after: Poll?) -> Bool {
    before?.every == after?.every && before?.until == after?.until && before?.failWhen == after?.failWhen
  }

  /// Whether both find the same items under the same keys. How many may run at once and how many may fail may differ.
  private static func hasSameItems(_ before: ForEach?, _ after: ForEach?) -> Bool {
    before?.items == after?.items && before?.name == after?.name && before?.key == after?.key
  }

  /// Whether both undo the same steps by the same action. Times and retries may differ, because no history has them.
  private static func isSameUndo(_ before: Compensation, _ after: Compensation) -> Bool {
    switch (before, after) {
    case (.undo(let before), .undo(let after)):
      before.action == after.action && before.appliesTo == after.appliesTo
    case (.undo, .none), (.undo, .unspecified), (.none, .undo), (.unspecified, .undo): false
    case (.none, .none), (.none, .unspecified), (.unspecified, .none), (.unspecified, .unspecified): true
    }
  }
}

/// The steps that have begun whenever a step has: those that end before it, and the groups around it with what ends
/// before them.
private struct BegunBefore {
  let definition: WorkflowDefinition
  let steps: [StepSet]

  init(_ definition: WorkflowDefinition) {
    self.definition = definition
    let empty = StepSet(count: definition.steps.count)
    var begun: [StepSet?] = definition.steps.map { _ in nil }
    // The steps that have begun when a step is over.
    var over = definition.steps.map { _ in empty }
    func before(_ step: Int) -> StepSet {
      if let known = begun[step] { return known }
      var set = empty
      for dependency in definition.dependencies[step] { set.formUnion(over[dependency]) }
      if let group = definition.groups[step] {
        set.insert(group)
        set.formUnion(before(group))
      }
      begun[step] = set
      return set
    }
    // What a group follows comes in this order before its members, and the group after them.
    for step in definition.graph.order {
      var all = before(step)
      all.insert(step)
      for member in definition.members[step] { all.formUnion(over[member]) }
      over[step] = all
    }
    steps = definition.steps.indices.map(before)
  }

  func ids(of step: Int) -> [String] { steps[step].map { definition.steps[$0].id } }
}

extension StepSet {
  fileprivate init(_ steps: some Sequence<Int>, count: Int) {
    self.init(count: count)
    for step in steps { insert(step) }
  }
}
