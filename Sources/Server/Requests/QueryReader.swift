import HTTP
import JSON
import Values
import Workflows

/// Reads a query strictly: an unknown, repeated or ill-formed parameter is an error, and is never ignored.
struct QueryReader {
  private let values: [String: String]

  /// Parameters that may come several times.
  private static let repeated: Set<String> = ["status", "tag", "label", "kind"]
  private let lists: [String: [String]]

  /// - Parameter known: the names that the route takes.
  init(_ query: [(name: String, value: String)], known: [String]) throws(Problem) {
    var values: [String: String] = [:]
    var lists: [String: [String]] = [:]
    var faults: [Fault] = []
    for (name, value) in query {
      guard known.contains(where: { $0.hasSameScalars(as: name) }) else {
        faults.append(Self.unknown(name, known: known))
        continue
      }
      if Self.repeated.contains(name) {
        lists[name, default: []].append(value)
        continue
      }
      if values.updateValue(value, forKey: name) != nil {
        faults.append(
          Fault(ServerErrorCode.parameterInvalid, "The parameter \(quoted(name)) comes twice.", parameter: name))
      }
    }
    guard faults.isEmpty else { throw Problem(faults) }
    self.values = values
    self.lists = lists
  }

  private static func unknown(_ name: String, known: [String]) -> Fault {
    let near = NearNames.nearest(to: name, among: known)
    let hint =
      if let near { "Did you mean \(quoted(near))?" } else if known.isEmpty { "This request takes none." } else {
        "This request takes \(known.joined(separator: ", "))."
      }
    return Fault(
      ServerErrorCode.parameterUnknown, "There is no parameter \(quoted(name)). \(hint)", parameter: name,
      nearName: near)
  }

  func text(_ name: String) throws(Problem) -> String? {
    guard let value = values[name] else { return nil }
    guard !value.isEmpty else { throw invalid(name, "is empty") }
    return value
  }

  /// Returns the unchanged values of a parameter, to compare requests.
  func raw(_ name: String) -> String? {
    lists[name].map { $0.map { "\($0.utf8.count):\($0)" }.joined(separator: ",") } ?? values[name]
  }

  /// The values of a parameter that may come several times.
  func texts(_ name: String) throws(Problem) -> [String] {
    let texts = lists[name] ?? []
    if texts.contains("") { throw invalid(name, "is empty") }
    return texts
  }

  func flag(_ name: String) throws(Problem) -> Bool? {
    switch values[name] {
    case nil: return nil
    case "true": return true
    case "false": return false
    case let value?: throw invalid(name, "must be true or false, not \(quoted(value))")
    }
  }

  func timestamp(_ name: String) throws(Problem) -> Timestamp? {
    guard let value = values[name] else { return nil }
    guard let time = Timestamp(value) else {
      throw invalid(name, "must be a time as 2026-03-01T08:15:30Z, not \(quoted(value))")
    }
    return time
  }

  /// Reads one or more of some words, from a list with commas or from several parameters.
  func choices<Choice: RawRepresentable & CaseIterable>(
    _ name: String, _ type: Choice.Type
  ) throws(Problem) -> [Choice] where Choice.RawValue == String {
    var choices: [Choice] = []
    for value in lists[name] ?? [] {
      for word in value.split(separator: ",", omittingEmptySubsequences: false) {
        choices.append(try choice(name, String(word), type))
      }
    }
    return choices
  }

  func integer(_ name: String, in range: ClosedRange<Int>, default fallback: Int) throws(Problem) -> Int {
    try integer(name, in: range) ?? fallback
  }

  func integer(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> Int? {
    guard let value = values[name] else { return nil }
    guard let number = Int(digits: value), range.contains(number) else {
      let bounds =
        range.upperBound == Int.max ? "from \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
      throw invalid(name, "must be an integer \(bounds), not \(quoted(value))")
    }
    return number
  }

  /// Reads the version of a workflow: a number from 1, or a number below zero for a draft.
  func version(_ name: String) throws(Problem) -> Int? {
    guard let value = values[name] else { return nil }
    guard let version = Int(version: value) else {
      throw invalid(name, "must be an integer from 1, or -3 for draft 3, not \(quoted(value))")
    }
    return version
  }

  func choice<Choice: RawRepresentable & CaseIterable>(
    _ name: String, _ type: Choice.Type
  ) throws(Problem) -> Choice? where Choice.RawValue == String {
    // Another list may take several values of this parameter.
    let given = lists[name] ?? values[name].map { [$0] } ?? []
    guard given.count <= 1 else { throw invalid(name, "comes twice, and can only be one here") }
    return try given.first.map { value throws(Problem) in try choice(name, value, type) }
  }

  private func choice<Choice: RawRepresentable & CaseIterable>(
    _ name: String, _ value: String, _ type: Choice.Type
  ) throws(Problem) -> Choice where Choice.RawValue == String {
    guard let choice = Choice(rawValue: value) else {
      let known = Choice.allCases.map(\.rawValue)
      throw invalid(
        name, "must be one of \(known.joined(separator: ", ")), not \(quoted(value))",
        nearName: NearNames.nearest(to: value, among: known))
    }
    return choice
  }

  func duration(_ name: String, atMost limit: Duration) throws(Problem) -> Duration? {
    guard let value = values[name] else { return nil }
    guard let duration = DurationText.parse(value), duration >= .zero, duration <= limit else {
      throw invalid(
        name,
        "must be a duration as 500ms or 10s, at most \(DurationText.format(limit)), not \(quoted(value))")
    }
    return duration
  }

  func invalid(_ name: String, _ what: String, nearName: String? = nil) -> Problem {
    Problem(
      Fault(
        ServerErrorCode.parameterInvalid, "The parameter \(quoted(name)) \(what).", parameter: name, nearName: nearName)
    )
  }
}

extension Int {
  /// Reads only decimal digits: no sign, no spaces.
  init?(digits text: String) {
    guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
    self.init(text)
  }

  /// Reads the version of a workflow: digits, with a minus before them for a draft. No version is zero.
  init?(version text: String) {
    let digits = text.utf8.first == UInt8(ascii: "-") ? String(text.dropFirst()) : text
    guard let number = Int(digits: digits), number > 0 else { return nil }
    self = digits == text ? number : -number
  }
}

extension JSON {
  /// The version of a workflow: a number from 1, or a number below zero for a draft. Nil for every other value.
  var workflowVersion: Int? { intValue.flatMap { $0 == 0 || $0 == .min ? nil : $0 } }
}

/// Returns a client's text for a message: quoted, cut when long, with visible control characters.
func quoted(_ text: String) -> String {
  let scalars = text.unicodeScalars
  let shown = scalars.prefix(80).map { $0.value < 0x20 || $0.value == 0x7F ? "\u{FFFD}" : String($0) }.joined()
  return "“\(shown)\(scalars.count > 80 ? "…" : "")”"
}
