import JSON
import Runtime
import Values

/// An event-sourced thing of the laboratory: a value, without clock, store or randomness.
protocol Aggregate: Sendable, Equatable {
  associatedtype Command: Sendable
  associatedtype Event: LabEvent

  /// The state before the first event.
  static var absent: Self { get }
  /// Its name in messages, such as "sample". Stream ids are derived from it, so it never changes.
  static var name: String { get }
  /// The form in which it is shown.
  var json: JSON { get }

  /// Returns the events of a command; changes nothing.
  static func decide(_ command: Command, _ state: Self) throws(LabRefusal) -> [Event]
  /// Returns the event that records an undo that came before its command.
  /// - Parameter creates: whether the command would have been the aggregate's first.
  static func undoneEarly(_ key: String, creates: Bool, _ state: Self) -> Event
  /// Returns the state after an event.
  static func evolve(_ state: Self, _ event: Event) -> Self
}

/// A stored fact about one aggregate.
protocol LabEvent: Sendable, Equatable {
  /// The type, such as `sample.created`. It never changes once an event of the type is stored.
  var type: String { get }
  var data: JSON { get }
  /// - Throws: when the type is unknown, or the data lacks a member that the type needs.
  init(type: String, data: JSON) throws(UnreadableEvent)

  /// The values that the event claims, and the values that it releases, in the same transaction.
  var claims: [LabClaim] { get }
  var releases: [LabClaim] { get }
}

/// A value that belongs to one thing at a time: a barcode, a position, a lane.
struct LabClaim: Sendable, Hashable {
  enum Scope: String, Sendable {
    case barcode = "samples.barcode"
    case position = "storage.position"
    case heldSample = "storage.sample"
    case lane = "sequencing.lane"
  }
  let scope: Scope
  let value: String

  init(_ scope: Scope, _ value: String) {
    self.scope = scope
    self.value = value
  }
}

/// The error of a stored event that this version can't read.
struct UnreadableEvent: CodedError {
  let type: String
  let missing: String?

  var code: String { LabErrorCode.unreadableEvent }
  var message: String {
    if let missing {
      "The stored event \(type) has no readable \(missing)."
    } else {
      "The stored event type \(type) is unknown."
    }
  }
}

/// Reads the members of a stored event.
struct StoredMembers {
  let type: String
  let data: JSON

  func text(_ name: String) throws(UnreadableEvent) -> String {
    guard let value = data[name]?.stringValue else { throw UnreadableEvent(type: type, missing: name) }
    return value
  }

  func id(_ name: String) throws(UnreadableEvent) -> UniqueID {
    guard let value = UniqueID(try text(name)) else { throw UnreadableEvent(type: type, missing: name) }
    return value
  }

  func volume(_ name: String) throws(UnreadableEvent) -> Volume {
    guard let value = data[name]?.intValue else { throw UnreadableEvent(type: type, missing: name) }
    return Volume(nanolitres: value)
  }

  func named<Value: RawRepresentable<String>>(_ name: String, _: Value.Type) throws(UnreadableEvent) -> Value {
    guard let value = Value(rawValue: try text(name)) else { throw UnreadableEvent(type: type, missing: name) }
    return value
  }

  func position(_ name: String) throws(UnreadableEvent) -> PositionName {
    guard let value = PositionName(try text(name)) else { throw UnreadableEvent(type: type, missing: name) }
    return value
  }

  func lane(_ name: String) throws(UnreadableEvent) -> LaneName {
    guard let value = LaneName(try text(name)) else { throw UnreadableEvent(type: type, missing: name) }
    return value
  }

  func optionalText(_ name: String) -> String? { data[name]?.stringValue }
  func optionalTime(_ name: String) -> Timestamp? { data[name]?.stringValue.flatMap { Timestamp($0) } }

  func object(_ name: String) throws(UnreadableEvent) -> StoredMembers {
    guard let value = data[name], value.objectValue != nil else { throw UnreadableEvent(type: type, missing: name) }
    return StoredMembers(type: type, data: value)
  }
}

extension JSON {
  /// Returns an object of the members that are not nil.
  static func members(_ members: (String, JSON?)...) -> JSON {
    .object(JSONObject(members.compactMap { name, value in value.map { (name, $0) } }))
  }

  static func text(_ value: (some CustomStringConvertible)?) -> JSON? { value.map { .string($0.description) } }
}
