import JSON
import Runtime
import Values

/// A thing of the laboratory that remembers by events. A value: no clock, no store, no randomness.
protocol Aggregate: Sendable, Equatable {
  associatedtype Command: Sendable
  associatedtype Event: LabEvent

  /// Before its first event.
  static var absent: Self { get }
  /// What people call it: "sample", "allocation".
  static var name: String { get }
  /// How it is shown.
  var json: JSON { get }

  /// What a command makes happen; nothing has changed yet.
  static func decide(_ command: Command, _ state: Self) throws(LabRefusal) -> [Event]
  /// What is remembered of an undo that came before its command.
  /// - Parameter creates: whether the command would have been the aggregate's first.
  static func undoneEarly(_ key: String, creates: Bool, _ state: Self) -> Event
  /// The state after an event.
  static func evolve(_ state: Self, _ event: Event) -> Self
}

/// A fact about one aggregate, as it is stored.
protocol LabEvent: Sendable, Equatable {
  /// `sample.created`: never changes once an event of the type has been stored.
  var type: String { get }
  var data: JSON { get }
  /// - Throws: when the stored event is of an unknown type, or lacks what the type needs.
  init(type: String, data: JSON) throws(UnreadableEvent)

  /// What becomes unique with this event, and what becomes free with it, in the same transaction.
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

/// A stored event that this version can't read: the store holds what it never wrote.
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
  func optionalMoment(_ name: String) -> Timestamp? { data[name]?.stringValue.flatMap { Timestamp($0) } }

  func object(_ name: String) throws(UnreadableEvent) -> StoredMembers {
    guard let value = data[name], value.objectValue != nil else { throw UnreadableEvent(type: type, missing: name) }
    return StoredMembers(type: type, data: value)
  }
}

extension JSON {
  /// An object without the members that are nil.
  static func members(_ members: (String, JSON?)...) -> JSON {
    .object(JSONObject(members.compactMap { name, value in value.map { (name, $0) } }))
  }

  static func text(_ value: (some CustomStringConvertible)?) -> JSON? { value.map { .string($0.description) } }
}
