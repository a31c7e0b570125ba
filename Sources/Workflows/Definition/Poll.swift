import JSON

/// The `poll` of an `http` step: the step calls again and again until an answer ends it. One such call is a look.
public struct Poll: Sendable, Hashable {
  /// The time from one look to the next.
  public let every: Duration
  /// The condition on an answer with which the step succeeds. The engine evaluates it over the saga's document, with the
  /// answer as its member `answer`.
  public let until: JSONPathCondition
  /// The condition on an answer with which the step fails; nil when the file has none. It is judged before `until`.
  public let failWhen: JSONPathCondition?
  /// The timeout of one look. The step's own timeout limits the whole poll.
  public let lookTimeout: Duration

  /// The shortest time between two looks that a file may set.
  public static let shortest: Duration = .milliseconds(100)

  public init(
    every: Duration, until: JSONPathCondition, failWhen: JSONPathCondition? = nil,
    lookTimeout: Duration = Step.defaultAttemptTimeout
  ) {
    self.every = every
    self.until = until
    self.failWhen = failWhen
    self.lookTimeout = lookTimeout
  }

  /// Returns what the two conditions read of an answer. While it stays the same, the answers say nothing new.
  /// - Parameter document: the document with the member `answer`.
  public func read(in document: JSON, meter: Meter) -> [JSON] {
    var paths: [[JSONPointer.Token]] = []
    for condition in [until] + [failWhen].compactMap({ $0 }) {
      for query in condition.referencedQueries {
        switch query.leadingTokens.first {
        case .name("answer"): paths.append(query.leadingTokens)
        case .name: break
        // The query reads everything.
        case .index, nil: paths.append([.name("answer")])
        }
      }
    }
    // A part of what is read already is left out, so that no value is read twice.
    var seen: [[JSONPointer.Token]] = []
    for path in paths.sorted(by: { $0.count < $1.count }) where !seen.contains(where: { path.starts(with: $0) }) {
      seen.append(path)
    }
    // A list of one, or of none: a missing value is not null.
    return seen.map { path in .array(Evaluation.follow(path, from: document, meter).map { [$0] } ?? []) }
  }

  /// Returns the value of an answer that `until` asks for first, as a short text for people; nil when it finds no text,
  /// number or truth value.
  public func shown(in document: JSON, meter: Meter) -> String? {
    for query in until.referencedQueries where query.isSingular && query.leadingTokens.first == .name("answer") {
      switch Evaluation.follow(query.leadingTokens, from: document, meter) {
      case .string(let text): return Self.short(text)
      case .number(let number): return Self.short(number.text)
      case .bool(let value): return value ? "true" : "false"
      case .null, .array, .object, nil: break
      }
    }
    return nil
  }

  /// The most Unicode scalars of a shown value.
  static let longestShown = 100

  private static func short(_ text: String) -> String {
    var line = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(longestShown) {
      line.append(scalar.properties.generalCategory == .control ? " " : scalar)
    }
    return String(line)
  }
}
