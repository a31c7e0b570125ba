import Workflows

/// The order of the steps in a picture (`console/order.js` has the same rules). A group is drawn before its members. What
/// follows the group is drawn after its last members.
public enum DrawnOrder {
  /// Returns the indexes of the steps that are drawn directly before each step.
  public static func dependencies(of definition: WorkflowDefinition) -> [[Int]] {
    let (known, groups, members) = (definition.dependencies, definition.groups, definition.members)
    var ends = definition.steps.indices.map { [$0] }
    // A member has a higher index than its group, so the ends of members are known before those of their group.
    for step in definition.steps.indices.reversed() where !members[step].isEmpty {
      let followed = Set(members[step].flatMap { known[$0] })
      let last = members[step].filter { !followed.contains($0) }
      if !last.isEmpty { ends[step] = last.flatMap { ends[$0] } }
    }
    return definition.steps.indices.map { step in
      var around: Set<Int> = []
      var group = groups[step]
      while let one = group, around.insert(one).inserted { group = groups[one] }
      let inherited = Set(groups[step].map { known[$0] } ?? [])
      let own = known[step].filter { !inherited.contains($0) && !around.contains($0) }
      let begins = groups[step].flatMap { group in own.contains { groups[$0] == group } ? nil : group }
      var seen: Set<Int> = []
      return ((begins.map { [$0] } ?? []) + own.flatMap { ends[$0] }).filter { seen.insert($0).inserted }
    }
  }
}
