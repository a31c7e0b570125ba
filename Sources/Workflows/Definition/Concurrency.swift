import JSON

/// The key whose turn a step, a group or a saga takes before it begins. At most `limit` hold a turn of one key at the same
/// time, over all sagas of the engine. Turns are given in the order in which they were asked for.
public struct Concurrency: Sendable, Hashable {
  /// The key: a text that may have `${…}`.
  public let key: Template
  /// The number of turns of the key that may be held at the same time.
  public let limit: Int

  public static let defaultLimit = 1
  public static let mostLimit = 10_000
  /// The most characters of a key.
  public static let longestKey = 200

  public init(key: Template, limit: Int = Concurrency.defaultLimit) {
    self.key = key
    self.limit = limit
  }

  /// The steps that the key reads.
  public var reads: StepReads { StepReads(key.referencedQueries) }
}

/// The reason why a key has no text.
public struct ConcurrencyError: Error, Sendable, Hashable {
  public let code: String
  public let message: String
}

extension Concurrency {
  /// Returns the text of the key over a saga's document.
  /// - Parameter meter: counts the work.
  /// - Throws: when the key can't be computed, is neither a text nor a number, is empty or too long, and when it has a
  ///   control character.
  public func text(in document: JSON, meter: Meter = Meter()) throws(ConcurrencyError) -> String {
    let value: JSON?
    do throws(ExpressionError) {
      value = try key.render(in: document, meter: meter)
    } catch {
      throw ConcurrencyError(code: error.code, message: "The key of \"concurrency\": \(error.message).")
    }
    let text: String
    switch value {
    case .string(let string)?: text = string
    case .number(let number)?: text = number.text
    case .null?, .bool?, .array?, .object?, nil:
      throw Self.badKey("is \(value.map { "a value of the type \($0.kind)" } ?? "left out")")
    }
    if let problem = Self.problem(with: text) { throw Self.badKey(problem) }
    return text
  }

  /// Returns why a text can't be a key; nil when it can.
  static func problem(with text: String) -> String? {
    if text.isEmpty { return "is empty" }
    if text.count > longestKey { return "has \(text.count) characters" }
    if text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
      return "has a control character"
    }
    return nil
  }

  private static func badKey(_ problem: String) -> ConcurrencyError {
    ConcurrencyError(
      code: WorkflowErrorCode.concurrencyBadKey,
      message: "The key of \"concurrency\" \(problem); a key is a number, or a text of 1 to \(longestKey) characters.")
  }
}
