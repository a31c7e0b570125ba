import JSON
import Values
import Workflows

// Groups. A group is open while its members run: a member starts only in an open group. A group has one condition, and
// one timeout for all its members together. It does nothing by itself, so nothing of it is undone.

extension Decider {
  /// Returns whether the members of the step's group may start. True for a step that is in no group.
  func isInOpenGroup(_ step: Int) -> Bool {
    guard let group = definition.groups[ItemPlace.step(of: step)] else { return true }
    if case .open = state.steps[group].stage { return true }
    return false
  }

  mutating func openGroup(_ step: Int) {
    emit(GroupOpened(step: id(step), until: definition.steps[step].timeout.map { now + $0 }))
    // An operator may have skipped all members before their turn, or retries a group whose members are over by now.
    _ = closeGroup(step)
  }

  /// Skips the steps inside a group whose condition is false, and those of groups inside it.
  mutating func skipMembers(of group: Int) {
    for member in definition.members[group] {
      if state.steps[member].stage == .pending { emit(StepSkipped(step: id(member))) }
      skipMembers(of: member)
    }
  }

  /// Ends an open group when all its members are passed.
  /// - Returns: whether it has ended.
  mutating func closeGroup(_ step: Int) -> Bool {
    guard case .open = state.steps[step].stage, !hasItems(step),
      definition.members[step].allSatisfy(state.sets.passed.contains)
    else { return false }
    succeed(step, output: .null)
    return true
  }

  /// Fails the groups whose time is up. A group that has just ended is not late.
  mutating func endDueGroups() {
    guard state.turnBack == nil else { return }
    for step in state.sets.open.indexes.reversed() where !closeGroup(step) {
      guard case .open(let until?) = state.steps[step].stage, until <= now, until <= state.deadline || isPivotPassed
      else { continue }
      fail(
        step,
        StepFailure(
          code: EngineErrorCode.groupTimeout, message: "The steps of the group were not done by \(until), its timeout.")
      )
    }
  }
}

/// The members of a group may start.
public struct GroupOpened: SagaEventContent {
  public static let typeName = "groupOpened"
  public let step: String
  /// The time by which all members should be done; nil when only the saga's timeout limits them.
  public let until: Timestamp?
  public var stepID: String? { step }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(step: try data.string("step"), until: try data.optionalTimestamp("until"))
  }

  public func write(to data: inout JSONObject) {
    data["step"] = .string(step)
    data["until"] = until.map(JSON.timestamp)
  }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    try saga.update(step, by: Self.typeName, at: at) { step in
      // A group that an operator retries was backing off until then. It never has attempts.
      guard step.stage == .pending || step.isQueued || step.status == .backingOff && step.forward.count == 0
      else { return false }
      step.stage = .open(until: until)
      step.startedAt = step.startedAt ?? at
      return true
    }
  }

  public var timeline: [TimelineNote] { [.begin(step: step, .forward, .group)] }
}
