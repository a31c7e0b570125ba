import Values

/// Writes durations of virtual time for people, exactly: `30m 100ms`, `2h 5s`.
enum DurationWords {
  static func text(_ duration: Duration) -> String {
    var rest = duration.wholeMilliseconds
    guard rest > 0 else { return "0s" }
    var parts: [String] = []
    for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
      let count = rest / length
      rest %= length
      if count > 0 { parts.append("\(count)\(unit)") }
    }
    return parts.joined(separator: " ")
  }
}
