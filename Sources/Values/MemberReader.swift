public import JSON

/// The error of a member that is missing, or that is not what it must be.
public protocol MemberError: Error {
  /// - Parameters:
  ///   - member: the name of the member.
  ///   - owner: what the object is, or where it is.
  ///   - wanted: what the member must be, such as `a string`.
  init(_ member: String, of owner: String, wanted: String)
}

/// Reads the members of an object, each with its type. The first member that is missing or of another type is an error.
///
/// An optional member may be missing or null. Then it is nil.
public struct MemberReader<Failure: MemberError>: Sendable {
  public let json: JSON
  /// What the object is, or where it is, in errors.
  public let owner: String

  public init(_ json: JSON, of owner: String) {
    self.json = json
    self.owner = owner
  }

  public func wrong(_ name: String, _ wanted: String) -> Failure { Failure(name, of: owner, wanted: wanted) }

  /// Returns what `read` makes of a member; nil for a member that is missing or null.
  public func optional<Value>(
    _ name: String, _ wanted: String, _ read: (JSON) -> Value?
  ) throws(Failure) -> Value? {
    guard let member = json[name], !member.isNull else { return nil }
    guard let value = read(member) else { throw wrong(name, wanted) }
    return value
  }

  /// Returns what `read` makes of a member.
  public func required<Value>(_ name: String, _ wanted: String, _ read: (JSON) -> Value?) throws(Failure) -> Value {
    guard let value = try optional(name, wanted, read) else { throw wrong(name, wanted) }
    return value
  }

  /// Returns a member that may be any JSON, null too.
  public func value(_ name: String) throws(Failure) -> JSON {
    guard let value = json[name] else { throw wrong(name, "a JSON value") }
    return value
  }

  public func string(_ name: String) throws(Failure) -> String { try required(name, "a string", \.stringValue) }
  public func strings(_ name: String) throws(Failure) -> [String] {
    try required(name, "a list of strings") { $0.elements(\.stringValue) }
  }
  public func bool(_ name: String) throws(Failure) -> Bool { try required(name, "true or false", \.boolValue) }
  public func int(_ name: String) throws(Failure) -> Int { try required(name, "an integer", \.intValue) }
  public func optionalInt(_ name: String) throws(Failure) -> Int? { try optional(name, "an integer", \.intValue) }
  public func timestamp(_ name: String) throws(Failure) -> Timestamp {
    try required(name, "a timestamp", \.timestampValue)
  }
  public func optionalTimestamp(_ name: String) throws(Failure) -> Timestamp? {
    try optional(name, "a timestamp", \.timestampValue)
  }
  public func id(_ name: String) throws(Failure) -> UniqueID {
    try required(name, "an id") { $0.stringValue.flatMap { UniqueID($0) } }
  }
  public func word<Word: RawRepresentable<String>>(_ name: String) throws(Failure) -> Word {
    try required(name, "a known word") { $0.stringValue.flatMap(Word.init(rawValue:)) }
  }
}

extension JSON {
  public var timestampValue: Timestamp? { stringValue.flatMap { Timestamp($0) } }

  /// Returns what `read` makes of the elements; nil when the value is not an array, or when `read` returns nil for one.
  public func elements<Value>(_ read: (JSON) -> Value?) -> [Value]? {
    guard let elements = arrayValue else { return nil }
    let values = elements.compactMap(read)
    return values.count == elements.count ? values : nil
  }
}
