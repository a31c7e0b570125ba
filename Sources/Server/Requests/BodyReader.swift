import HTTP
import JSON
import Runtime
import Values
import Workflows

/// Reads a JSON object member by member, and reports all its mistakes at once, each with its place.
struct BodyReader {
  private let document: JSONDocument
  private let members: JSONObject
  private var known: [String] = []
  private var faults: [Fault] = []
  /// The number of faults that are counted but not listed.
  private var more = 0

  /// The most faults that one answer lists.
  static let mostFaults = 100

  /// - Throws: 415 for another media type, 400 for a body that is not a JSON object.
  init(_ request: HTTPServerRequest) throws(Problem) {
    try request.requireJSON()
    document = try JSONDocument(body: request)
    guard let members = document.root.objectValue else {
      throw Problem(
        Fault(
          ServerErrorCode.memberInvalid, "The body must be an object, not \(Self.article(document.root.kind)).",
          pointer: .root, place: document.place(of: .root)))
    }
    self.members = members
  }

  /// Returns whether there is such a member, of any type.
  func has(_ name: String) -> Bool { members[name] != nil }

  /// Returns any JSON value.
  mutating func value(_ name: String, isRequired: Bool) -> JSON? {
    known.append(name)
    let value = members[name]
    if value == nil, isRequired {
      faults.append(
        Fault(
          ServerErrorCode.memberMissing, "The member \(quoted(name)) is missing.",
          pointer: .root.appending(.name(name)),
          place: document.place(of: .root)))
    }
    return value
  }

  mutating func object(_ name: String) -> JSON? {
    guard let value = value(name, isRequired: false) else { return nil }
    guard value.objectValue != nil else {
      invalid(.root.appending(.name(name)), "must be an object")
      return nil
    }
    return value
  }

  mutating func text(_ name: String, isRequired: Bool, atMost limit: Int = 200) -> String? {
    guard let value = value(name, isRequired: isRequired) else { return nil }
    guard let text = value.stringValue, (1...limit).contains(text.unicodeScalars.count) else {
      invalid(.root.appending(.name(name)), "must be a string of 1 to \(limit) characters")
      return nil
    }
    return text
  }

  mutating func integer(_ name: String, from least: Int, isRequired: Bool = false) -> Int? {
    guard let value = value(name, isRequired: isRequired) else { return nil }
    guard let number = value.intValue, number >= least else {
      invalid(.root.appending(.name(name)), "must be an integer from \(least)")
      return nil
    }
    return number
  }

  mutating func number(_ name: String, in range: ClosedRange<Double>) -> Double? {
    guard let value = value(name, isRequired: false) else { return nil }
    guard let number = value.doubleValue, range.contains(number) else {
      invalid(.root.appending(.name(name)), "must be a number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return number
  }

  mutating func flag(_ name: String) -> Bool? {
    guard let value = value(name, isRequired: false) else { return nil }
    guard let flag = value.boolValue else {
      invalid(.root.appending(.name(name)), "must be true or false")
      return nil
    }
    return flag
  }

  mutating func duration(_ name: String, atMost longest: Duration) -> Duration? {
    guard let text = text(name, isRequired: false) else { return nil }
    guard let length = DurationText.parse(text), length <= longest else {
      invalid(.root.appending(.name(name)), "must be a duration of at most \(longest), as 30s or 5m")
      return nil
    }
    return length
  }

  mutating func choice(_ name: String, of choices: [String]) -> String? {
    guard let value = value(name, isRequired: true) else { return nil }
    guard let text = value.stringValue, choices.contains(text) else {
      invalid(
        .root.appending(.name(name)), "must be one of \(choices.joined(separator: ", "))",
        nearName: value.stringValue.flatMap { NearNames.nearest(to: $0, among: choices) })
      return nil
    }
    return text
  }

  mutating func texts(_ name: String, count: Int, length: Int) -> [String] {
    guard let value = value(name, isRequired: false) else { return [] }
    let pointer = JSONPointer.root.appending(.name(name))
    guard let elements = value.arrayValue, elements.count <= count else {
      invalid(pointer, "must be an array of at most \(count) strings")
      return []
    }
    var texts: [String] = []
    for (index, element) in elements.enumerated() {
      if let text = element.stringValue, (1...length).contains(text.unicodeScalars.count) {
        texts.append(text)
      } else {
        invalid(pointer.appending(.index(index)), "must be a string of 1 to \(length) characters")
      }
    }
    return texts
  }

  /// Reads texts by which people find a saga: visible characters, in normalization form C.
  mutating func identifiers(_ name: String, count: Int, length: Int) -> [String] {
    texts(name, count: count, length: length).enumerated().map { index, text in
      if let fault = VisibleText.fault(in: text) {
        invalid(JSONPointer.root.appending(.name(name)).appending(.index(index)), fault)
      }
      return VisibleText.normal(text)
    }
  }

  /// Reads the reason of an operator. A missing reason has a code of its own, because every verb needs one.
  mutating func reason() -> String? {
    known.append("reason")
    let pointer = JSONPointer.root.appending(.name("reason"))
    guard let value = members["reason"] else {
      faults.append(Fault(Refusals.reasonMissing, Self.sayWhy, pointer: pointer, place: document.place(of: .root)))
      return nil
    }
    guard let text = value.stringValue, text.unicodeScalars.count <= 1_000 else {
      invalid(pointer, "must be a string of at most 1000 characters")
      return nil
    }
    guard text.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
      faults.append(Fault(Refusals.reasonMissing, Self.sayWhy, pointer: pointer, place: document.place(of: pointer)))
      return nil
    }
    return text
  }
  private static let sayWhy = "Say why in “reason”: it is kept for the auditor."

  /// Reports a member that does not fit the other members.
  mutating func refuse(_ name: String, _ what: String) { invalid(.root.appending(.name(name)), what) }

  /// - Throws: all mistakes, unknown members included.
  func finish() throws(Problem) {
    var faults = faults
    var more = more
    var unknown = 0
    for name in members.keys where !known.contains(where: { $0.hasSameScalars(as: name) }) {
      unknown += 1
      guard unknown <= Self.mostFaults else {
        more += 1
        continue
      }
      let pointer = JSONPointer.root.appending(.name(name))
      let near = NearNames.nearest(to: name, among: known)
      let hint = near.map { "Did you mean \(quoted($0))?" } ?? "It may have \(known.joined(separator: ", "))."
      faults.append(
        Fault(
          ServerErrorCode.memberUnknown, "The body has no member \(quoted(name)). \(hint)", pointer: pointer,
          place: document.placeOfName(pointer), nearName: near))
    }
    // A misspelt member is unknown and missing at the same time. The first of the two helps the author more.
    let ordered =
      faults.filter { $0.code == ServerErrorCode.memberUnknown }
      + faults.filter { $0.code != ServerErrorCode.memberUnknown }
    guard ordered.isEmpty else {
      let listed = Array(ordered.prefix(Self.mostFaults))
      throw Problem(listed, more: more + ordered.count - listed.count)
    }
  }

  private mutating func invalid(_ pointer: JSONPointer, _ what: String, nearName: String? = nil) {
    guard faults.count < Self.mostFaults else {
      more += 1
      return
    }
    faults.append(
      Fault(
        ServerErrorCode.memberInvalid, "\(pointer.shown) \(what).", pointer: pointer,
        place: document.place(of: pointer),
        nearName: nearName))
  }

  private static func article(_ kind: String) -> String {
    switch kind {
    case "null": "null"
    case "array": "an array"
    default: "a \(kind)"
    }
  }
}

extension JSONDocument {
  /// - Throws: 400 with the place where the body is not JSON.
  init(body request: HTTPServerRequest) throws(Problem) {
    do {
      self = try JSONDocument(parsing: request.body, limits: .default)
    } catch {
      let fault = Fault(error.code, error.message, pointer: error.pointer, place: error.place)
      throw Refusals.problem(
        ServerErrorCode.bodyMalformed, "The body is not JSON: \(error.message)", errors: [fault.json])
    }
  }
}
