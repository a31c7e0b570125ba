/// What one evaluation or one rendering may use. It counts work, never time, so the same expression over the same
/// document passes or fails on every machine.
public struct Budget: Sendable, Hashable {
  /// The number of steps: a step is a value visited, a part of a condition tried, a state of a pattern followed, or
  /// 32 bytes of text compared.
  public var steps: Int
  /// The number of bytes that a rendering may produce, counted as JSON text.
  public var bytes: Int
  /// The number of those bytes that may be put together from text and values: a whole value is taken as it is and
  /// costs no memory, a text is a copy.
  public var text: Int
  /// The number of levels that an evaluation may go down: one for each query that is under way, and
  /// for each of its segments that may find several values.
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

  /// What holds everywhere: 20 million steps, 16 MiB produced, 2 MiB of text put together, 640 levels.
  public static let standard = Budget(20_000_000, 16 << 20, 2 << 20, 640)
}

/// Why an evaluation or a rendering was ended: it asked for more than its budget.
public struct BudgetExceeded: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Limit: Sendable, Hashable {
    case steps
    case bytes
    case text
    case depth
  }

  public let limit: Limit
  /// What the budget allows.
  public let most: Int

  /// `expression.budget` for work, `rendering.tooLarge` for what is produced.
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

/// Counts what an evaluation or a rendering uses of its budget. Several that belong together share one meter: all
/// templates of one call, all parts of one condition.
///
/// Once something is exceeded every charge fails, so that whatever is under way comes to its end at once.
public final class Meter {
  public let budget: Budget
  private var steps = 0
  private var bytes = 0
  private var text = 0
  private var depth = 0
  /// What was exceeded first; nil while everything is within the budget.
  public private(set) var exceeded: BudgetExceeded?

  public init(_ budget: Budget = .standard) { self.budget = budget }

  /// The number of steps used so far.
  public var stepsUsed: Int { steps }

  /// The number of bytes produced so far.
  public var bytesProduced: Int { bytes }

  /// - Throws: what was exceeded, if anything was.
  public func check() throws(BudgetExceeded) {
    if let exceeded { throw exceeded }
  }

  /// Returns false when the budget is used up: then stop.
  @inline(__always)
  func charge(_ count: Int = 1) -> Bool {
    steps &+= count
    return steps <= budget.steps && exceeded == nil ? true : exceed(.steps)
  }

  /// Charges for looking at a text of so many bytes.
  @inline(__always)
  func charge(text bytes: Int) -> Bool { charge(1 + bytes >> 5) }

  /// Goes a level down; false when the budget knows no level below. Each `enter` needs its `leave`.
  func enter() -> Bool {
    depth += 1
    return depth <= budget.depth ? charge() : exceed(.depth)
  }

  func leave() { depth -= 1 }

  /// Charges for bytes that are produced.
  func produce(_ count: Int) -> Bool {
    bytes += count
    return bytes <= budget.bytes && exceeded == nil ? true : exceed(.bytes)
  }

  /// Charges for bytes of a text that is put together.
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
