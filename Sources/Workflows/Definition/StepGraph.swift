/// The dependencies between steps, by their indexes.
public struct StepGraph: Sendable, Hashable {
  /// The direct dependencies of each step.
  public let dependencies: [[Int]]
  /// The direct dependents of each step.
  public let dependents: [[Int]]
  /// The steps in an order in which each comes after its dependencies. Steps of a cycle, and steps that depend on them,
  /// are left out.
  public let order: [Int]
  /// All steps that come before each step.
  public let ancestors: [StepSet]
  /// All steps that come after each step.
  public let descendants: [StepSet]

  /// - Parameter dependencies: the indexes of the dependencies of each step.
  public init(dependencies: [[Int]]) {
    let count = dependencies.count
    self.dependencies = dependencies
    var dependents = Array(repeating: [Int](), count: count)
    var open = Array(repeating: 0, count: count)
    for (step, before) in dependencies.enumerated() {
      for dependency in before {
        dependents[dependency].append(step)
        open[step] += 1
      }
    }
    self.dependents = dependents

    var order: [Int] = []
    order.reserveCapacity(count)
    order += (0..<count).filter { open[$0] == 0 }
    var next = 0
    while next < order.count {
      for dependent in dependents[order[next]] {
        open[dependent] -= 1
        if open[dependent] == 0 { order.append(dependent) }
      }
      next += 1
    }
    self.order = order

    var ancestors = Array(repeating: StepSet(count: count), count: count)
    for step in order {
      for dependency in dependencies[step] {
        ancestors[step].formUnion(ancestors[dependency])
        ancestors[step].insert(dependency)
      }
    }
    self.ancestors = ancestors
    var descendants = Array(repeating: StepSet(count: count), count: count)
    for step in order.reversed() {
      for dependent in dependents[step] {
        descendants[step].formUnion(descendants[dependent])
        descendants[step].insert(dependent)
      }
    }
    self.descendants = descendants
  }

  /// The cycles, one for each group of steps that wait for each other: a, b, c when a waits for b, b for c, and c for
  /// a.
  public var cycles: [[Int]] {
    guard order.count < dependencies.count else { return [] }
    var done = Array(repeating: false, count: dependencies.count)
    for step in order { done[step] = true }
    var found: [[Int]] = []
    for start in dependencies.indices where !done[start] {
      // Walk backwards along one unfinished dependency at a time. In a graph without a start, this returns to an
      // earlier step.
      var seenAt: [Int: Int] = [:]
      var walk: [Int] = []
      var step: Int? = start
      while let here = step, !done[here], seenAt[here] == nil {
        seenAt[here] = walk.count
        walk.append(here)
        step = dependencies[here].first { !done[$0] }
      }
      if let here = step, let first = seenAt[here] {
        let cycle = Array(walk[first...])
        // Begin with the step that is first in the file, so the same cycle always gives the same text.
        let head = cycle.indices.min { cycle[$0] < cycle[$1] } ?? 0
        found.append(Array(cycle[head...] + cycle[..<head]))
      }
      for step in walk { done[step] = true }
    }
    return found
  }
}
