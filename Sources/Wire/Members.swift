import JSON
import Values

/// A value that the server writes and the command line reads. Readers ignore members that they do not know.
public protocol WireValue: Sendable {
  /// Reads the value.
  /// - Throws: `UnexpectedMember` for the first member that is missing or has another type.
  init(_ members: Members) throws(UnexpectedMember)
  /// Returns the value as an object, its members in the order of the documentation.
  var json: JSON { get }
}

extension WireValue {
  /// Reads the value from the body of an answer.
  /// - Parameter cleaning: is applied to every text but those in members that may be any JSON.
  public init(json: JSON, cleaning: @escaping @Sendable (String) -> String = { $0 }) throws(UnexpectedMember) {
    try self.init(Members(json, at: "", cleaning: cleaning))
  }
}

/// A member of an answer that is missing, or does not have the type that it must have.
public struct UnexpectedMember: MemberError, Hashable {
  /// The place in the answer, as `steps[2].id`. Empty for the answer as a whole.
  public let place: String
  /// What the place must hold: `a string`, `an integer`.
  public let wanted: String

  init(place: String, wanted: String) {
    self.place = place
    self.wanted = wanted
  }

  public init(_ member: String, of owner: String, wanted: String) {
    self.init(place: owner.isEmpty ? member : "\(owner).\(member)", wanted: wanted)
  }
}

/// The members of an object, to be read with their types.
public struct Members: Sendable {
  private let reader: MemberReader<UnexpectedMember>
  private let cleaning: @Sendable (String) -> String

  /// - Parameter place: the place of the object in the answer; empty for the answer as a whole.
  init(_ json: JSON, at place: String, cleaning: @escaping @Sendable (String) -> String) throws(UnexpectedMember) {
    guard json.objectValue != nil else { throw UnexpectedMember(place: place, wanted: "an object") }
    reader = MemberReader(json, of: place)
    self.cleaning = cleaning
  }

  private func place(of name: String) -> String { reader.wrong(name, "").place }

  private func clean(_ json: JSON) -> String? { json.stringValue.map(cleaning) }

  private func cleanTexts(_ json: JSON) -> [String]? { json.elements(clean) }

  private func cleanLabels(_ json: JSON) -> [Label]? {
    json.labelsValue.map { $0.map { Label(cleaning($0.name), cleaning($0.value)) } }
  }

  private static func duration(_ json: JSON) -> Duration? {
    guard let seconds = json.doubleValue, seconds.magnitude < 1e12 else { return nil }
    return .milliseconds(Int64((seconds * 1_000).rounded()))
  }

  private func cleanCounts(_ json: JSON) -> Counts? {
    guard let members = json.objectValue else { return nil }
    let counts = members.compactMap { member in member.value.intValue.map { (cleaning(member.name), $0) } }
    return counts.count == members.count ? Counts(counts) : nil
  }

  func text(_ name: String) throws(UnexpectedMember) -> String { try reader.required(name, "a string", clean) }
  func textIfAny(_ name: String) throws(UnexpectedMember) -> String? { try reader.optional(name, "a string", clean) }
  func int(_ name: String) throws(UnexpectedMember) -> Int { try reader.int(name) }
  func intIfAny(_ name: String) throws(UnexpectedMember) -> Int? { try reader.optionalInt(name) }
  func bool(_ name: String) throws(UnexpectedMember) -> Bool { try reader.bool(name) }
  func boolIfAny(_ name: String) throws(UnexpectedMember) -> Bool? {
    try reader.optional(name, "true or false", \.boolValue)
  }
  func number(_ name: String) throws(UnexpectedMember) -> JSONNumber {
    try reader.required(name, "a number", \.numberValue)
  }
  func doubleIfAny(_ name: String) throws(UnexpectedMember) -> Double? {
    try reader.optional(name, "a number", \.doubleValue)
  }

  func time(_ name: String) throws(UnexpectedMember) -> Timestamp { try reader.timestamp(name) }
  func timeIfAny(_ name: String) throws(UnexpectedMember) -> Timestamp? { try reader.optionalTimestamp(name) }

  func seconds(_ name: String) throws(UnexpectedMember) -> Duration {
    try reader.required(name, "a number of seconds", Self.duration)
  }

  func texts(_ name: String) throws(UnexpectedMember) -> [String] {
    try reader.required(name, "a list of strings", cleanTexts)
  }

  func textsIfAny(_ name: String) throws(UnexpectedMember) -> [String]? {
    try reader.optional(name, "a list of strings", cleanTexts)
  }

  func labelsIfAny(_ name: String) throws(UnexpectedMember) -> [Label]? {
    try reader.optional(name, "an object of strings", cleanLabels)
  }

  func ints(_ name: String) throws(UnexpectedMember) -> [Int] {
    try reader.required(name, "a list of integers", { $0.elements(\.intValue) })
  }

  func counts(_ name: String) throws(UnexpectedMember) -> Counts {
    try reader.required(name, "an object of integers", cleanCounts)
  }

  func countsIfAny(_ name: String) throws(UnexpectedMember) -> Counts? {
    try reader.optional(name, "an object of integers", cleanCounts)
  }

  /// Returns a member that may be any JSON, null too.
  func json(_ name: String) throws(UnexpectedMember) -> JSON {
    try reader.value(name)
  }

  func jsonIfAny(_ name: String) -> JSON? { reader.json[name] }

  func one<Value: WireValue>(_ name: String) throws(UnexpectedMember) -> Value {
    guard let value: Value = try oneIfAny(name) else {
      throw reader.wrong(name, "an object")
    }
    return value
  }

  func oneIfAny<Value: WireValue>(_ name: String) throws(UnexpectedMember) -> Value? {
    guard let json = reader.json[name], !json.isNull else { return nil }
    return try Value(Members(json, at: place(of: name), cleaning: cleaning))
  }

  func list<Value: WireValue>(_ name: String) throws(UnexpectedMember) -> [Value] {
    guard let values: [Value] = try listIfAny(name) else {
      throw reader.wrong(name, "a list")
    }
    return values
  }

  func listIfAny<Value: WireValue>(_ name: String) throws(UnexpectedMember) -> [Value]? {
    guard let json = reader.json[name], !json.isNull else { return nil }
    guard let elements = json.arrayValue else { throw reader.wrong(name, "a list") }
    var values: [Value] = []
    values.reserveCapacity(elements.count)
    for (index, element) in elements.enumerated() {
      values.append(try Value(Members(element, at: "\(place(of: name))[\(index)]", cleaning: cleaning)))
    }
    return values
  }
}

/// Names with a count each, in the order of the answer.
public struct Counts: Sendable {
  public let all: [(name: String, count: Int)]

  public init(_ all: [(String, Int)]) { self.all = all.map { (name: $0.0, count: $0.1) } }

  /// Returns the count of a name; 0 for a name that is not there.
  public subscript(name: String) -> Int { all.first { $0.name.hasSameScalars(as: name) }?.count ?? 0 }

  public var json: JSON { .object(JSONObject(all.map { ($0.name, JSON.int($0.count)) })) }
}
