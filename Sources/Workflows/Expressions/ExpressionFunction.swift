/// A function of the expression language that RFC 9535 does not have. Its own five (`length`, `count`, `value`, `match`,
/// `search`) are parts of the queries.
enum ExpressionFunction: String, Sendable, CaseIterable {
  // Over the values that a query finds, or the elements of a computed list.
  case list, first, sum, min, max, avg, join, distinct
  // On text.
  case upper, lower, trim, replace, split, text
  // On numbers.
  case number, round, floor, ceil, abs
  // On time.
  case seconds, timestamp, duration

  enum Parameter: Sendable {
    /// A query that may find any number of values, or a computed list.
    case nodes
    case value
    case text
    case number
    /// A text or a number that may be left out.
    case optionalText
    case optionalNumber

    var isOptional: Bool {
      switch self {
      case .nodes, .value, .text, .number: false
      case .optionalText, .optionalNumber: true
      }
    }
  }

  var parameters: [Parameter] {
    switch self {
    case .list, .first, .sum, .min, .max, .avg, .distinct: [.nodes]
    case .join: [.nodes, .optionalText]
    case .upper, .lower, .trim, .seconds, .duration: [.text]
    case .split: [.text, .text]
    case .replace: [.text, .text, .text]
    case .text, .number: [.value]
    case .round: [.number, .optionalNumber]
    case .floor, .ceil, .abs, .timestamp: [.number]
    }
  }

  /// True when the function has a value also when its query finds nothing.
  var hasValueOfNothing: Bool {
    switch self {
    case .list, .sum, .join, .distinct: true
    case .first, .min, .max, .avg, .upper, .lower, .trim, .replace, .split, .text, .number, .round, .floor, .ceil, .abs,
      .seconds, .timestamp, .duration:
      false
    }
  }

  /// The call as the reference writes it.
  var form: String {
    switch self {
    case .list, .first, .sum, .min, .max, .avg, .distinct: "\(rawValue)(query)"
    case .join: "join(query, 'separator')"
    case .upper, .lower, .trim: "\(rawValue)(text)"
    case .replace: "replace(text, 'old', 'new')"
    case .split: "split(text, 'separator')"
    case .text: "text(value)"
    case .number: "number(text)"
    case .round: "round(number, digits)"
    case .floor, .ceil, .abs: "\(rawValue)(number)"
    case .seconds: "seconds('2026-01-31T12:00:00Z')"
    case .timestamp: "timestamp(seconds)"
    case .duration: "duration('24h')"
    }
  }

  /// The names of all functions, those of RFC 9535 first.
  static let allNames = ["length", "count", "value", "match", "search"] + allCases.map(\.rawValue)
}
