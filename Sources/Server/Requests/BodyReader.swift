import HTTP
import JSON
import Runtime
import Values
import Workflows

/// Reads a JSON object member by member, and reports all its mistakes at once, each with its place.
struct BodyReader: MistakeCollector {
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

  mutating func member(_ name: String) -> JSON? {
    known.append(name)
    return members[name]
  }

  mutating func noteMissing(_ name: String) {
    faults.append(
      Fault(
        ServerErrorCode.memberMissing, "The member \(quoted(name)) is missing.", pointer: .root.appending(.name(name)),
        place: document.place(of: .root)))
  }

  mutating func noteWrong(_ pointer: JSONPointer, _ what: String, nearName: String?) {
    guard faults.count < Self.mostFaults else {
      more += 1
      return
    }
    faults.append(
      Fault(
        ServerErrorCode.memberInvalid, "\(pointer.shown) \(what).", pointer: pointer,
        place: document.place(of: pointer), nearName: nearName))
  }

  mutating func object(_ name: String) -> JSON? {
    read(name, "must be an object") { $0.objectValue == nil ? nil : $0 }
  }

  mutating func duration(_ name: String, atMost longest: Duration) -> Duration? {
    guard let text = text(name) else { return nil }
    guard let length = DurationText.parse(text), length <= longest else {
      refuse(name, "must be a duration of at most \(longest), as 30s or 5m")
      return nil
    }
    return length
  }

  /// Reads texts by which people find a saga: visible characters, in normalization form C.
  mutating func identifiers(_ name: String, count: Int, length: Int) -> [String] {
    (texts(name, count: count, length: length) ?? []).enumerated().map { index, text in
      if let fault = VisibleText.fault(in: text) {
        noteWrong(JSONPointer.root.appending(.name(name)).appending(.index(index)), fault, nearName: nil)
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
      refuse("reason", "must be a string of at most 1000 characters")
      return nil
    }
    guard text.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
      faults.append(Fault(Refusals.reasonMissing, Self.sayWhy, pointer: pointer, place: document.place(of: pointer)))
      return nil
    }
    return text
  }
  private static let sayWhy = "Say why in “reason”: it is kept for the auditor."

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
