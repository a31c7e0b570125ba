import Authoring

/// The order of the steps, drawn as lines beside them. Each step has one row:
///
/// ```
/// ✓    createSample
/// ✓─╮  validate             two steps follow this one
/// ✓ │  allocateStorage
/// │ ✓  bookLane
/// ✓─╯  approve              follows both
/// ```
struct StepGraph: Sendable {
  struct Row: Sendable, Equatable {
    /// The step's index in the list that was drawn.
    let step: Int
    /// The lines left and right of the step's own symbol.
    let before: String
    let after: String
    /// The lines that continue below the row, beside the text under the step.
    let below: String
  }
  let rows: [Row]
  /// The width of the lines, in characters.
  let width: Int

  /// A step of a saga or of a workflow.
  struct Node {
    let id: String
    let dependsOn: [String]
    let group: String?
  }

  /// Lists the steps without lines between them.
  init(listing count: Int) {
    width = 1
    rows = (0..<count).map { Row(step: $0, before: "", after: "", below: " ") }
  }

  /// Draws a group before its members. What follows the group comes after its last members.
  init(steps: [Node]) {
    let indexes = Dictionary(steps.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
    let known = steps.map { $0.dependsOn.compactMap { indexes[$0] } }
    let groups = steps.map { $0.group.flatMap { indexes[$0] } }
    self.init(dependencies: DrawnOrder.dependencies(known: known, groups: groups))
  }

  /// - Parameter dependencies: for each step, the indexes of the steps that it follows.
  init(dependencies: [[Int]]) {
    let direct = Self.withoutShortcuts(dependencies)
    var lanes = Lanes(dependencies: direct)
    let drawn = Self.order(direct).map { lanes.draw($0) }
    width = max(1, lanes.most * 2 - 1)
    let width = width
    rows = drawn.map { row in
      let used = row.before.count + 1 + row.after.count
      return Row(
        step: row.step, before: row.before, after: row.after + String(repeating: " ", count: max(0, width - used)),
        below: Layout.pad(row.below, to: width))
    }
  }

  /// Returns the order of the file if possible. Otherwise each step comes after those that it follows.
  private static func order(_ dependencies: [[Int]]) -> [Int] {
    var placed = Set<Int>()
    var order: [Int] = []
    while order.count < dependencies.count {
      // In a circle, which the checker refuses, the first remaining step comes first.
      let left = dependencies.indices.filter { !placed.contains($0) }
      guard let next = left.first(where: { placed.isSuperset(of: dependencies[$0]) }) ?? left.first else { break }
      placed.insert(next)
      order.append(next)
    }
    return order
  }

  /// Removes the dependencies that follow from others: A → B → C needs no line from A to C.
  private static func withoutShortcuts(_ dependencies: [[Int]]) -> [[Int]] {
    var before: [Int: Set<Int>] = [:]
    for step in order(dependencies) {
      before[step] = dependencies[step].reduce(into: Set(dependencies[step])) { $0.formUnion(before[$1] ?? []) }
    }
    return dependencies.map { direct in
      Set(direct).filter { one in !direct.contains { $0 != one && before[$0]?.contains(one) == true } }.sorted()
    }
  }

  /// The open lines. Each line leads to a step.
  private struct Lanes {
    var target: [Int?] = []
    var followers: [[Int]]
    var most: Int { target.count }

    init(dependencies: [[Int]]) {
      followers = dependencies.indices.map { step in
        dependencies.indices.filter { dependencies[$0].contains(step) }
      }
      // A step that follows no other has its line from the top, so that it doesn't seem to follow the step above it.
      target = dependencies.indices.filter { dependencies[$0].isEmpty }
    }

    mutating func draw(_ step: Int) -> Row {
      let ending = target.indices.filter { target[$0] == step }
      let own = ending.first ?? free(after: -1)
      for lane in ending { target[lane] = nil }
      var opening: [Int] = []
      for (place, follower) in followers[step].enumerated() {
        let lane = place == 0 ? own : free(after: own)
        target[lane] = follower
        if place > 0 { opening.append(lane) }
      }
      let reach = ((ending + opening).max() ?? own)
      func mark(_ lane: Int) -> String {
        let ends = ending.contains(lane)
        let opens = opening.contains(lane)
        let goesOn = lane < target.count && target[lane] != nil
        guard lane > own, lane <= reach else { return goesOn ? "│" : " " }
        if lane == reach { return ends && opens ? "┤" : ends ? "╯" : "╮" }
        if ends && opens { return "┼" }
        if ends { return "┴" }
        if opens { return "┬" }
        return goesOn ? "┼" : "─"
      }
      let before = (0..<own).map { mark($0) + " " }.joined()
      let after = (own + 1..<max(own + 1, target.count)).map { ($0 <= reach ? "─" : " ") + mark($0) }.joined()
      let below = target.map { $0 == nil ? " " : "│" }.joined(separator: " ")
      return Row(step: step, before: before, after: after, below: below)
    }

    private mutating func free(after lane: Int) -> Int {
      for candidate in target.indices where candidate > lane && target[candidate] == nil { return candidate }
      target.append(nil)
      return target.count - 1
    }
  }
}
