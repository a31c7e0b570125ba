/// Which steps wait for which, by their indexes.
public struct StepGraph: Sendable, Hashable {
  /// For each step, those it directly depends on.
  public let dependencies: [[Int]]
  /// For each step, those that directly depend on it.
  public let dependents: [[Int]]
  /// All steps, each after everything it depends on; steps of a cycle, and what waits for them, are left out.
  public let order: [Int]
  /// For each step, all that come before it.
  public let ancestors: [StepSet]
  /// For each step, all that come after it.
  public let descendants: [StepSet]

  /// - Parameter dependencies: for each step the indexes of those it depends on.
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

  /// The cycles, one for each knot of steps that wait for each other: a, b, c where a waits for b, b for c, c for a.
  public var cycles: [[Int]] {
    guard order.count < dependencies.count else { return [] }
    var done = Array(repeating: false, count: dependencies.count)
    for step in order { done[step] = true }
    var found: [[Int]] = []
    for start in dependencies.indices where !done[start] {
      // Walk backwards along one unfinished dependency at a time: in a graph without end that comes round.
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
        // Begin with the one that stands first in the file, so that the same cycle always reads the same.
        let head = cycle.indices.min { cycle[$0] < cycle[$1] } ?? 0
        found.append(Array(cycle[head...] + cycle[..<head]))
      }
      for step in walk { done[step] = true }
    }
    return found
  }
}
