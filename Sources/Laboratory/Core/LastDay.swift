import JSON
import Values

/// The last day on which something may be used, as `2026-12-31`. The day ends at midnight in UTC.
struct LastDay: Sendable, Hashable, CustomStringConvertible {
  let text: String
  /// The first time at which it may not be used any more.
  private let end: Timestamp

  static let rule = "must be a date, as 2026-12-31"

  init?(_ text: String) {
    guard let start = Timestamp("\(text)T00:00:00Z") else { return nil }
    self.text = text
    end = start + .seconds(86_400)
  }

  func hasPassed(at time: Timestamp) -> Bool { time >= end }
  var description: String { text }
}

extension Fields {
  mutating func lastDay(_ name: String) -> LastDay? {
    read(name, LastDay.rule, isRequired: true) { $0.stringValue.flatMap { LastDay($0) } }
  }
}

extension StoredMembers {
  func lastDay(_ name: String) throws(UnreadableEvent) -> LastDay {
    try required(name, "a date") { $0.stringValue.flatMap { LastDay($0) } }
  }
}
