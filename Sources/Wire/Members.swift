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
public struct UnexpectedMember: Error, Hashable {
  /// The place in the answer, as `steps[2].id`. Empty for the answer as a whole.
  public let place: String
  /// What the place must hold: `a string`, `an integer`.
  public let wanted: String
}

/// The members of an object, to be read with their types.
public struct Members: Sendable {
  private let object: JSONObject
  private let place: String
  private let cleaning: @Sendable (String) -> String

  init(_ json: JSON, at place: String, cleaning: @escaping @Sendable (String) -> String) throws(UnexpectedMember) {
    guard let object = json.objectValue else { throw UnexpectedMember(place: place, wanted: "an object") }
    self.object = object
    self.place = place
    self.cleaning = cleaning
  }

  private func place(of name: String) -> String { place.isEmpty ? name : "\(place).\(name)" }

  /// Returns what `convert` makes of a member; nil for a member that is missing or null.
  private func optional<Value>(
    _ name: String, _ wanted: String, _ convert: (JSON) -> Value?
  ) throws(UnexpectedMember) -> Value? {
    guard let json = object[name], !json.isNull else { return nil }
    guard let value = convert(json) else { throw UnexpectedMember(place: place(of: name), wanted: wanted) }
    return value
  }

  private func required<Value>(
    _ name: String, _ wanted: String, _ convert: (JSON) -> Value?
  ) throws(UnexpectedMember) -> Value {
    guard let value = try optional(name, wanted, convert) else {
      throw UnexpectedMember(place: place(of: name), wanted: wanted)
    }
    return value
  }

  private func clean(_ json: JSON) -> String? { json.stringValue.map(cleaning) }

  private func cleanTexts(_ json: JSON) -> [String]? {
    guard let values = json.arrayValue else { return nil }
    let texts = values.compactMap(clean)
    return texts.count == values.count ? texts : nil
  }

  private static func integers(_ json: JSON) -> [Int]? {
    guard let values = json.arrayValue else { return nil }
    let integers = values.compactMap(\.intValue)
    return integers.count == values.count ? integers : nil
  }

  private static func timestamp(_ json: JSON) -> Timestamp? { json.stringValue.flatMap { Timestamp($0) } }

  private static func duration(_ json: JSON) -> Duration? {
    guard let seconds = json.doubleValue, seconds.magnitude < 1e12 else { return nil }
    return .milliseconds(Int64((seconds * 1_000).rounded()))
  }

  private func cleanCounts(_ json: JSON) -> Counts? {
    guard let members = json.objectValue else { return nil }
    let counts = members.compactMap { member in member.value.intValue.map { (cleaning(member.name), $0) } }
    return counts.count == members.count ? Counts(counts) : nil
  }

  func text(_ name: String) throws(UnexpectedMember) -> String { try required(name, "a string", clean) }
  func textIfAny(_ name: String) throws(UnexpectedMember) -> String? { try optional(name, "a string", clean) }
  func int(_ name: String) throws(UnexpectedMember) -> Int { try required(name, "an integer", \.intValue) }
  func intIfAny(_ name: String) throws(UnexpectedMember) -> Int? { try optional(name, "an integer", \.intValue) }
  func bool(_ name: String) throws(UnexpectedMember) -> Bool { try required(name, "true or false", \.boolValue) }
  func boolIfAny(_ name: String) throws(UnexpectedMember) -> Bool? { try optional(name, "true or false", \.boolValue) }
  func number(_ name: String) throws(UnexpectedMember) -> JSONNumber { try required(name, "a number", \.numberValue) }
  func doubleIfAny(_ name: String) throws(UnexpectedMember) -> Double? { try optional(name, "a number", \.doubleValue) }

  func time(_ name: String) throws(UnexpectedMember) -> Timestamp {
    try required(name, "a timestamp", Self.timestamp)
  }

  func timeIfAny(_ name: String) throws(UnexpectedMember) -> Timestamp? {
    try optional(name, "a timestamp", Self.timestamp)
  }

  func seconds(_ name: String) throws(UnexpectedMember) -> Duration {
    try required(name, "a number of seconds", Self.duration)
  }

  func texts(_ name: String) throws(UnexpectedMember) -> [String] {
    try required(name, "a list of strings", cleanTexts)
  }

  func textsIfAny(_ name: String) throws(UnexpectedMember) -> [String]? {
    try optional(name, "a list of strings", cleanTexts)
  }

  func ints(_ name: String) throws(UnexpectedMember) -> [Int] {
    try required(name, "a list of integers", Self.integers)
  }

  func counts(_ name: String) throws(UnexpectedMember) -> Counts {
    try required(name, "an object of integers", cleanCounts)
  }

  func countsIfAny(_ name: String) throws(UnexpectedMember) -> Counts? {
    try optional(name, "an object of integers", cleanCounts)
  }

  /// Returns a member that may be any JSON, null too.
  func json(_ name: String) throws(UnexpectedMember) -> JSON {
    guard let value = object[name] else { throw UnexpectedMember(place: place(of: name), wanted: "a JSON value") }
    return value
  }

  func jsonIfAny(_ name: String) -> JSON? { object[name] }

  func one<Value: WireValue>(_ name: String) throws(UnexpectedMember) -> Value {
    guard let value: Value = try oneIfAny(name) else {
      throw UnexpectedMember(place: place(of: name), wanted: "an object")
    }
    return value
  }

  func oneIfAny<Value: WireValue>(_ name: String) throws(UnexpectedMember) -> Value? {
    guard let json = object[name], !json.isNull else { return nil }
    return try Value(Members(json, at: place(of: name), cleaning: cleaning))
  }

  func list<Value: WireValue>(_ name: String) throws(UnexpectedMember) -> [Value] {
    guard let values: [Value] = try listIfAny(name) else {
      throw UnexpectedMember(place: place(of: name), wanted: "a list")
    }
    return values
  }

  func listIfAny<Value: WireValue>(_ name: String) throws(UnexpectedMember) -> [Value]? {
    guard let json = object[name], !json.isNull else { return nil }
    guard let elements = json.arrayValue else { throw UnexpectedMember(place: place(of: name), wanted: "a list") }
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
