import Wire
import WorkflowEngine

/// Steps that do the same side by side, as the wells of a plate: drawn as one line.
struct SiblingFold {
  /// The fewest siblings that are drawn as one line.
  static let fewest = 9
  /// The most lines that siblings of one kind become, when their names have several beginnings.
  private static let mostNames = 8

  /// What the ids have in common, as `p1_*`.
  let name: String
  let steps: [SagaResponse.Step]

  /// Returns the steps of a saga in their order, with siblings in one place: that of the first of them. A step without
  /// siblings comes alone.
  static func folding(_ steps: [SagaResponse.Step]) -> [SiblingFold] {
    var members: [Int: [Int]] = [:]
    for (index, kind) in kinds(of: steps).enumerated() { members[kind, default: []].append(index) }
    var folds: [(first: Int, fold: SiblingFold)] = []
    for indexes in members.values {
      if indexes.count < fewest {
        folds += indexes.map { ($0, SiblingFold(name: steps[$0].id, steps: [steps[$0]])) }
      } else {
        for group in named(indexes, steps) {
          folds.append(
            (group[0], SiblingFold(name: CommonName.of(group.map { steps[$0].id }), steps: group.map { steps[$0] })))
        }
      }
    }
    return folds.sorted { $0.first < $1.first }.map(\.fold)
  }

  /// Returns a number for each step. Steps have the same number when they do the same kind of action, follow steps of the
  /// same kinds, and are followed by steps of the same kinds.
  private static func kinds(of steps: [SagaResponse.Step]) -> [Int] {
    let indexes = Dictionary(steps.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
    let before = steps.map { $0.dependsOn.compactMap { indexes[$0] } }
    var after = steps.map { _ in [Int]() }
    for (index, earlier) in before.enumerated() { for step in earlier { after[step].append(index) } }
    let groups = steps.map { $0.group.flatMap { indexes[$0] } }
    var kinds = numbers(of: steps.map { "\($0.action.kind) \($0.pivot) \($0.items != nil)" })
    var count = Set(kinds).count
    // Each round tells more steps apart, so this ends: a chain of n steps needs n / 2 rounds.
    while true {
      let next = numbers(
        of: steps.indices.map { index in
          [
            [kinds[index]], Set(before[index].map { kinds[$0] }).sorted(), Set(after[index].map { kinds[$0] }).sorted(),
            groups[index].map { [kinds[$0]] } ?? [],
          ]
        })
      let more = Set(next).count
      guard more > count else { return kinds }
      (kinds, count) = (next, more)
    }
  }

  private static func numbers<Value: Hashable>(of values: [Value]) -> [Int] {
    var known: [Value: Int] = [:]
    return values.map { value in
      if let number = known[value] { return number }
      known[value] = known.count
      return known.count - 1
    }
  }

  /// Splits siblings by the beginnings of their ids, as two plates p1_… and p2_…, when that gives a few large groups.
  private static func named(_ indexes: [Int], _ steps: [SagaResponse.Step]) -> [[Int]] {
    var groups: [Substring: [Int]] = [:]
    for index in indexes {
      let id = steps[index].id
      let end = id.lastIndex { "_-.".contains($0) } ?? id.startIndex
      groups[id[..<end], default: []].append(index)
    }
    guard groups.count <= mostNames, groups.values.allSatisfy({ $0.count >= fewest }) else { return [indexes] }
    return groups.values.sorted { $0[0] < $1[0] }
  }
}
