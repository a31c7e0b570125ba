import Patterns

/// The limits of one evaluation or one rendering. The budget counts work, never time. So the same expression over the
/// same document passes or fails on every machine.
public struct Budget: Sendable, Hashable {
  /// The number of steps. A step is a visited value, a tried part of a condition, a followed state of a pattern, or 32
  /// bytes of compared text.
  public var steps: Int
  /// The number of bytes that a rendering may produce, measured as JSON text.
  public var bytes: Int
  /// The number of those bytes that may be composed from text and values. A whole value is used as it is and needs no
  /// memory; a composed text is a copy.
  public var text: Int
  /// The number of levels that an evaluation may go down: one for each query under way, and one for each of its
  /// segments that may find several values.
  public var depth: Int

  public init(
    steps: Int = Self.standard.steps, bytes: Int = Self.standard.bytes, text: Int = Self.standard.text,
    depth: Int = Self.standard.depth
  ) {
    self.steps = steps
    self.bytes = bytes
    self.text = text
    self.depth = depth
  }

  private init(_ steps: Int, _ bytes: Int, _ text: Int, _ depth: Int) {
    self.steps = steps
    self.bytes = bytes
    self.text = text
    self.depth = depth
  }

  /// The budget that applies everywhere: 20 million steps, 16 MiB produced, 2 MiB of composed text, 640 levels.
  public static let standard = Budget(20_000_000, 16 << 20, 2 << 20, 640)
}

/// The reason why an evaluation or a rendering ended: it needed more than its budget.
public struct BudgetExceeded: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Limit: Sendable, Hashable {
    case steps
    case bytes
    case text
    case depth
  }

  public let limit: Limit
  /// The limit of the budget.
  public let most: Int

  /// The error code: `expression.budget` for work, `rendering.tooLarge` for output.
  public var code: String {
    switch limit {
    case .steps, .depth: WorkflowErrorCode.expressionBudget
    case .bytes, .text: WorkflowErrorCode.renderingTooLarge
    }
  }

  public var message: String {
    switch limit {
    case .steps: "the evaluation takes more than \(most) steps"
    case .depth: "the evaluation goes more than \(most) levels deep"
    case .bytes: "the rendering is larger than \(most) bytes"
    case .text: "the texts of the rendering are larger than \(most) bytes together"
    }
  }

  public var description: String { "\(message) [\(code)]" }
}

/// Counts the use of a budget by an evaluation or a rendering. Several that belong together share one meter: all
/// templates of one call, or all parts of one condition.
///
/// After one limit is exceeded, every charge fails. So all work under way ends immediately.
public final class Meter {
  public let budget: Budget
  private var steps = 0
  private var bytes = 0
  private var text = 0
  private var depth = 0
  /// The first exceeded limit; nil while everything is within the budget.
  public private(set) var exceeded: BudgetExceeded?

  public init(_ budget: Budget = .standard) { self.budget = budget }

  /// The number of steps used so far.
  public var stepsUsed: Int { steps }

  /// The number of bytes produced so far.
  public var bytesProduced: Int { bytes }

  /// - Throws: the exceeded limit, if there is one.
  public func check() throws(BudgetExceeded) {
    if let exceeded { throw exceeded }
  }

  /// Charges one step. Returns false when the budget is used up; then the caller must stop.
  @inline(__always)
  package func charge(_ count: Int = 1) -> Bool {
    steps &+= count
    return steps <= budget.steps && exceeded == nil ? true : exceed(.steps)
  }

  /// Charges for reading a text of this number of bytes.
  @inline(__always)
  func charge(text bytes: Int) -> Bool { charge(1 + bytes >> 5) }

  /// Goes down one level. Returns false when the budget has no further level. Each `enter` needs a `leave`.
  func enter() -> Bool {
    depth += 1
    return depth <= budget.depth ? charge() : exceed(.depth)
  }

  func leave() { depth -= 1 }

  /// Charges for produced bytes.
  func produce(_ count: Int) -> Bool {
    bytes += count
    return bytes <= budget.bytes && exceeded == nil ? true : exceed(.bytes)
  }

  /// Charges for bytes of a composed text.
  func put(_ count: Int) -> Bool {
    text += count
    return text <= budget.text ? produce(count) : exceed(.text)
  }

  private func exceed(_ limit: BudgetExceeded.Limit) -> Bool {
    if exceeded == nil {
      let most =
        switch limit {
        case .steps: budget.steps
        case .bytes: budget.bytes
        case .text: budget.text
        case .depth: budget.depth
        }
      exceeded = BudgetExceeded(limit: limit, most: most)
    }
    return false
  }
}

extension Meter: WorkCounter {}
