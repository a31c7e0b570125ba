import Workflows

/// The order of the steps in a picture (`console/order.js` has the same rules). A group is drawn before its members. What
/// follows the group is drawn after its last members.
public enum DrawnOrder {
  /// Returns the indexes of the steps that are drawn directly before each step.
  public static func dependencies(of definition: WorkflowDefinition) -> [[Int]] {
    dependencies(known: definition.dependencies, groups: definition.groups)
  }

  /// - Parameters:
  ///   - known: for each step, the indexes of the steps that it depends on.
  ///   - groups: for each step, the index of its group. A group has a lower index than its members.
  public static func dependencies(known: [[Int]], groups: [Int?]) -> [[Int]] {
    var members = known.map { _ in [Int]() }
    for (step, group) in groups.enumerated() { if let group, group < step { members[group].append(step) } }
    var ends = known.indices.map { [$0] }
    // The ends of members are known before those of their group.
    for step in known.indices.reversed() where !members[step].isEmpty {
      let followed = Set(members[step].flatMap { known[$0] })
      let last = members[step].filter { !followed.contains($0) }
      if !last.isEmpty { ends[step] = last.flatMap { ends[$0] } }
    }
    return known.indices.map { step in
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
