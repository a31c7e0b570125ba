import Patterns
import Values

/// The limits of one validation. The budget counts work, never time. So the same schema and value pass or fail on every
/// machine.
public struct SchemaBudget: Sendable, Hashable {
  /// The number of steps. A step is a visited schema, keyword or member, a followed state of a pattern, or 32 bytes of
  /// compared text.
  public var steps: Int
  /// The number of schemas that may be under way inside each other.
  public var depth: Int

  public init(steps: Int = Self.standard.steps, depth: Int = Self.standard.depth) {
    self.steps = steps
    self.depth = depth
  }

  private init(_ steps: Int, _ depth: Int) {
    self.steps = steps
    self.depth = depth
  }

  /// The budget that applies everywhere: 20 million steps, 640 levels.
  public static let standard = SchemaBudget(20_000_000, 640)
}

/// The reason why a validation ended without a result: it needed more than its budget.
public struct SchemaBudgetExceeded: CodedError, Hashable {
  public enum Limit: Sendable, Hashable {
    case steps
    case depth
  }
  public let limit: Limit
  /// The limit of the budget.
  public let most: Int

  public var code: String { SchemaErrorCode.budget }
  public var message: String {
    switch limit {
    case .steps: "The validation takes more than \(most) steps."
    case .depth: "The validation goes more than \(most) schemas deep; a reference may lead back to itself."
    }
  }
}

/// Counts the use of a budget by one validation. After a limit is exceeded, every charge fails.
final class SchemaMeter: WorkCounter {
  private let budget: SchemaBudget
  private(set) var steps = 0
  private var depth = 0
  /// The first exceeded limit; nil while everything is within the budget.
  private(set) var exceeded: SchemaBudgetExceeded?

  init(_ budget: SchemaBudget) { self.budget = budget }

  func charge(_ count: Int) -> Bool {
    let (sum, overflow) = steps.addingReportingOverflow(count)
    steps = overflow ? .max : sum
    return steps <= budget.steps && exceeded == nil ? true : exceed(.steps, budget.steps)
  }

  /// Charges for reading a text of this number of bytes.
  func charge(text bytes: Int) -> Bool { charge(1 + bytes >> 5) }

  /// Goes down one level. Returns false when the budget has no further level. Each `enter` needs a `leave`.
  func enter() -> Bool {
    depth += 1
    return depth <= budget.depth ? charge(1) : exceed(.depth, budget.depth)
  }

  func leave() { depth -= 1 }

  private func exceed(_ limit: SchemaBudgetExceeded.Limit, _ most: Int) -> Bool {
    if exceeded == nil { exceeded = SchemaBudgetExceeded(limit: limit, most: most) }
    return false
  }
}
