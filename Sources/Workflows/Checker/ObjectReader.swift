import JSON
import Values

/// Reads the members of one object of the file and reports errors.
package struct ObjectReader {
  package let members: JSONObject
  package let pointer: JSONPointer
  package let report: Report

  /// - Parameters:
  ///   - what: the name of the object in messages, such as `a step`.
  ///   - keys: the members that the object may have.
  ///   - meant: what an author probably means by other members.
  package init?(
    _ json: JSON, at pointer: JSONPointer, what: String, keys: [String],
    meant: [String: Meant] = [:], report: Report
  ) {
    guard case .object(let members) = json else {
      report.error(
        report.codes.wrongType,
        "\(what) is an object, not \(Self.withArticle(json))\(Meant.forms[what].map { ": write \($0)" } ?? "")",
        at: pointer)
      return nil
    }
    self.members = members
    self.pointer = pointer
    self.report = report
    for (name, _) in members where !keys.contains(where: { $0.hasSameScalars(as: name) }) {
      var (advice, near): (String, String?) = ("", nil)
      switch Meant.meaning(of: name, among: meant) {
      case .says(let text): advice = ": \(text)"
      case .word(let word): near = word
      case nil: near = NearNames.nearest(to: name, among: keys)
      }
      report.error(
        report.codes.unknownKey, "\(what) has no member \"\(name)\"\(advice)", at: pointer.appending(name), .name,
        near: near)
    }
  }

  package func pointer(to name: String) -> JSONPointer { pointer.appending(name) }
  package func has(_ name: String) -> Bool { members[name] != nil }

  package func missing(_ name: String, of what: String) {
    report.error(report.codes.missingKey, "\(what) needs \"\(name)\"", at: pointer)
  }

  package func wrongType(_ name: String, _ wanted: String, _ json: JSON) {
    report.error(
      report.codes.wrongType, "\"\(name)\" is \(wanted), not \(Self.withArticle(json))", at: pointer(to: name))
  }

  package func text(_ name: String) -> String? {
    guard let json = members[name] else { return nil }
    guard case .string(let text) = json else {
      wrongType(name, "a string", json)
      return nil
    }
    return text
  }

  package func bool(_ name: String) -> Bool? {
    guard let json = members[name] else { return nil }
    guard case .bool(let value) = json else {
      wrongType(name, "true or false", json)
      return nil
    }
    return value
  }

  /// Reads a whole number within a range.
  package func integer(_ name: String, in range: ClosedRange<Int>, meaning: String) -> Int? {
    guard let json = members[name] else { return nil }
    guard case .number(let number) = json else {
      wrongType(name, "a whole number", json)
      return nil
    }
    guard let value = number.intValue, range.contains(value) else {
      report.error(report.codes.badValue, "\"\(name)\" is \(meaning)", at: pointer(to: name))
      return nil
    }
    return value
  }

  package func number(_ name: String, in range: ClosedRange<Double>, meaning: String) -> Double? {
    guard let json = members[name] else { return nil }
    guard case .number(let number) = json else {
      wrongType(name, "a number", json)
      return nil
    }
    guard range.contains(number.doubleValue) else {
      report.error(report.codes.badValue, "\"\(name)\" is \(meaning)", at: pointer(to: name))
      return nil
    }
    return number.doubleValue
  }

  /// Reads one of the names of an enumeration.
  /// - Parameter synonyms: words of other engines, each with the name that is meant.
  package func word<Word: RawRepresentable<String> & CaseIterable>(
    _ name: String, of type: Word.Type, synonyms: [String: Word] = [:]
  ) -> Word? {
    guard let text = text(name) else { return nil }
    return Self.word(text, of: type, named: name, synonyms: synonyms, at: pointer(to: name), report: report)
  }

  package static func word<Word: RawRepresentable<String> & CaseIterable>(
    _ text: String, of type: Word.Type, named name: String, synonyms: [String: Word] = [:], at pointer: JSONPointer,
    report: Report
  ) -> Word? {
    if let word = Word(rawValue: text) { return word }
    let words = Word.allCases.map(\.rawValue)
    let list = words.map { "\"\($0)\"" }.joined(separator: " or ")
    report.error(
      report.codes.badValue, "\"\(name)\" is \(list), not \"\(text)\"", at: pointer,
      near: synonyms[text.lowercased()]?.rawValue ?? NearNames.nearest(to: text, among: words))
    return nil
  }

  /// Reads a list of strings, each with its place.
  package func texts(_ name: String, atLeast least: Int = 0) -> [(text: String, pointer: JSONPointer)]? {
    guard let json = members[name] else { return nil }
    guard case .array(let values) = json else {
      let form = if case .string = json { ": write [\(json.text().prefix(100))]" } else { "" }
      report.error(
        report.codes.wrongType, "\"\(name)\" is a list of strings, not \(Self.withArticle(json))\(form)",
        at: pointer(to: name))
      return nil
    }
    if values.count < least {
      report.error(report.codes.badValue, "\"\(name)\" is empty", at: pointer(to: name))
      return nil
    }
    var texts: [(text: String, pointer: JSONPointer)] = []
    var known: Set<JSON> = []
    for (index, value) in values.enumerated() {
      let place = pointer(to: name).appending(index)
      guard case .string(let text) = value else {
        report.error(
          report.codes.wrongType, "\"\(name)\" holds strings, not \(Self.withArticle(value))", at: place)
        continue
      }
      guard known.insert(value).inserted else {
        report.error(report.codes.badValue, "\"\(name)\" names \"\(text)\" twice", at: place)
        continue
      }
      texts.append((text, place))
    }
    return texts
  }

  package func duration(_ name: String, positive: Bool = true) -> Duration? {
    if case .number(let number)? = members[name] {
      report.error(
        report.codes.wrongType,
        "\"\(name)\" is a string with a unit, not a number: write \"\(number.text)s\" for seconds",
        at: pointer(to: name))
      return nil
    }
    guard let text = text(name) else { return nil }
    switch DurationText.read(text) {
    case .success(let duration):
      if positive, duration == .zero {
        report.error(report.codes.badDuration, "\"\(name)\" is longer than nothing", at: pointer(to: name))
        return nil
      }
      return duration
    case .failure(let refusal):
      report.error(
        report.codes.badDuration, "\"\(text)\" is no duration: \(refusal.reason)", at: pointer(to: name))
      return nil
    }
  }

  /// Reads a name that appears in addresses and messages.
  package func name(_ member: String, of what: String, rule: NameRule = .word) -> String? {
    guard has(member) else {
      missing(member, of: what)
      return nil
    }
    guard let text = text(member) else { return nil }
    if rule.allows(text) { return text }
    report.rule(
      report.codes.badName,
      text.contains("${")
        ? "\"\(member)\" of \(what) is the same for all sagas: it can't have ${…}"
        : "\"\(text)\" is not a \(rule.meaning)",
      at: pointer(to: member), near: rule.nearest(to: text))
    return report.purpose == .decoding ? text : nil
  }

  package static func withArticle(_ json: JSON) -> String {
    switch json.kind {
    case "null": "null"
    case "array", "object": "an \(json.kind)"
    case let kind: "a \(kind)"
    }
  }
}

/// The rules for names.
package enum NameRule {
  /// The name of a workflow, a service or a signal. It appears in addresses.
  case word
  /// The name of a step. It appears in queries without quotes.
  case identifier

  static let maxLength = 100

  package var meaning: String {
    switch self {
    case .word:
      "name: it begins with a letter or _ and goes on with letters, digits, _, . and -, \(Self.maxLength) at most"
    case .identifier:
      "step id: it begins with a letter or _ and goes on with letters, digits and _, \(Self.maxLength) at most"
    }
  }

  package func allows(_ text: String) -> Bool {
    guard let first = text.utf8.first, Self.isLetter(first), text.utf8.count <= Self.maxLength else { return false }
    return text.utf8.allSatisfy { byte in
      switch self {
      case .identifier: Self.isLetter(byte) || Self.isDigit(byte)
      case .word:
        Self.isLetter(byte) || Self.isDigit(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
      }
    }
  }

  /// Returns the name that the rule allows and that resembles a text most: `createSample` for `create-sample`; nil when
  /// there is none.
  func nearest(to text: String) -> String? {
    guard text.utf8.allSatisfy({ Self.isLetter($0) || Self.isDigit($0) || " -._@/".utf8.contains($0) }) else {
      return nil
    }
    let parts = text.split { " -._@/".contains($0) }.map(String.init)
    let name =
      switch self {
      case .identifier:
        parts.prefix(1).joined() + parts.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
      case .word: parts.joined(separator: "-")
      }
    return name != text && allows(name) ? name : nil
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
    default: false
    }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
