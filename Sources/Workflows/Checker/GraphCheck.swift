import JSON
import Values

/// The graph of those steps that could be read.
struct CheckedGraph {
  /// The order of the steps. A group comes after its members.
  let steps: StepGraph
  /// The steps that must be over before each step starts. For a group: before its members start.
  let dependencies: [[Int]]
  /// The index of each step by id. If two steps have the same id, the first one counts.
  let indexes: [String: Int]
  /// True for steps with unknown dependencies. Then the steps before them are unknown too.
  let isUncertain: [Bool]
  /// True when every dependency is known and the graph has no cycle.
  let isSound: Bool
}

/// Checks ids and dependencies.
struct GraphCheck {
  let report: Report

  func graph(of drafts: [StepDraft]) -> CheckedGraph {
    let indexes = indexes(of: drafts)
    var dependencies: [[Int]] = []
    var isBroken = Array(repeating: false, count: drafts.count)
    for draft in drafts {
      // The members of a group start after what the group follows. The group comes before them in the list.
      let before = draft.group.map { dependencies[$0] } ?? []
      guard let named = draft.dependsOn else {
        dependencies.append(draft.previous.map { [$0] } ?? before)
        continue
      }
      var found: [Int] = []
      for (name, pointer) in named {
        if let index = indexes[name], index == draft.index {
          report.error(WorkflowErrorCode.selfDependency, "\(draft.label) waits for itself", at: pointer)
          isBroken[draft.index] = true
        } else if let index = indexes[name] {
          found.append(index)
        } else {
          report.error(
            WorkflowErrorCode.unknownStep, "there is no step \"\(name)\"", at: pointer,
            near: NearNames.nearest(to: name, among: drafts.compactMap(\.id).filter { $0 != draft.id }))
          isBroken[draft.index] = true
        }
      }
      dependencies.append(found + before.filter { !found.contains($0) })
    }
    let graph = StepGraph(dependencies: zip(dependencies, drafts).map { $0 + $1.members })
    for cycle in graph.cycles { reportCycle(cycle, drafts) }
    return CheckedGraph(
      steps: graph, dependencies: dependencies, indexes: indexes, isUncertain: uncertain(graph, isBroken),
      isSound: graph.order.count == drafts.count && !isBroken.contains(true))
  }

  private func indexes(of drafts: [StepDraft]) -> [String: Int] {
    var indexes: [String: Int] = [:]
    for draft in drafts {
      guard let id = draft.id else { continue }
      if let first = indexes[id] {
        report.error(
          WorkflowErrorCode.duplicateStep, "\"\(id)\" is the id of \(Self.place(drafts[first])) already",
          at: draft.pointer.appending("id"))
      } else {
        indexes[id] = draft.index
      }
    }
    return indexes
  }

  /// `step 3`, or for a member of a group `the step /steps/2/steps/0`.
  private static func place(_ draft: StepDraft) -> String {
    guard draft.group == nil, case .index(let position)? = draft.pointer.tokens.last else {
      return "the step \(draft.pointer.shown)"
    }
    return "step \(position + 1)"
  }

  private func uncertain(_ graph: StepGraph, _ isBroken: [Bool]) -> [Bool] {
    var isUncertain = isBroken
    for step in graph.order where graph.dependencies[step].contains(where: { isUncertain[$0] }) {
      isUncertain[step] = true
    }
    // A step that is missing from the order is in a cycle or after one.
    var isOrdered = Array(repeating: false, count: isBroken.count)
    for step in graph.order { isOrdered[step] = true }
    return zip(isUncertain, isOrdered).map { $0 || !$1 }
  }

  /// Reports a cycle at a dependency that the file names. A dependency that follows from the order has no place in the
  /// file.
  private func reportCycle(_ cycle: [Int], _ drafts: [StepDraft]) {
    let shown = cycle.prefix(8).map { drafts[$0].label } + (cycle.count > 8 ? ["… (\(cycle.count) steps)"] : [])
    let path = (shown + [drafts[cycle[0]].label]).joined(separator: " → ")
    var pointer = drafts[cycle[0]].pointer
    for (position, step) in cycle.enumerated() {
      let next = drafts[cycle[(position + 1) % cycle.count]].id
      if let named = drafts[step].dependsOn?.first(where: { $0.text == next }) {
        pointer = named.pointer
        break
      }
    }
    report.error(
      WorkflowErrorCode.cycle, "these steps wait for each other: \(path)", at: pointer)
  }
}
