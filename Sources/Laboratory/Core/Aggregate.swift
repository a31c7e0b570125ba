import JSON
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

extension Aggregate {
  static func undoneEarly(_ key: String, creates: Bool, _ state: Self) -> Event { .undoNoted(command: key) }
}

extension Aggregate where Event: CreatingEvent {
  static func undoneEarly(_ key: String, creates: Bool, _ state: Self) -> Event {
    creates && state == .absent ? .undoneBefore : .undoNoted(command: key)
  }
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

  /// An undo came before its command. The state stays as it is.
  static func undoNoted(command: String) -> Self
}

/// An event of an aggregate that one command creates. An undo that comes before that command ends the aggregate.
protocol CreatingEvent: LabEvent {
  static var undoneBefore: Self { get }
}

/// A value that belongs to one thing at a time: a barcode, a position, a lane.
struct LabClaim: Sendable, Hashable {
  enum Scope: String, Sendable {
    case barcode = "samples.barcode"
    case position = "storage.position"
    case heldSample = "storage.sample"
    case lane = "sequencing.lane"
    case reservedLane = "sequencing.reservedLane"
    case accessionNumber = "accession.number"
    case library = "library-prep.library"
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

extension UnreadableEvent: MemberError {
  init(_ member: String, of owner: String, wanted: String) { self.init(type: owner, missing: member) }
}

/// Reads the members of a stored event.
typealias StoredMembers = MemberReader<UnreadableEvent>

extension StoredMembers {
  func volume(_ name: String) throws(UnreadableEvent) -> Volume { Volume(nanolitres: try int(name)) }
  func position(_ name: String) throws(UnreadableEvent) -> PositionName {
    try required(name, "a position") { $0.stringValue.flatMap { PositionName($0) } }
  }
  func lane(_ name: String) throws(UnreadableEvent) -> LaneName {
    try required(name, "a lane") { $0.stringValue.flatMap { LaneName($0) } }
  }

  // These are lenient. A text or a time of another type counts as missing.
  func optionalText(_ name: String) -> String? { json[name]?.stringValue }
  func optionalTime(_ name: String) -> Timestamp? { json[name]?.timestampValue }

  func object(_ name: String) throws(UnreadableEvent) -> StoredMembers {
    StoredMembers(try required(name, "an object") { $0.objectValue == nil ? nil : $0 }, of: owner)
  }
}

extension JSON {
  /// Returns an object of the members that are not nil.
  static func members(_ members: (String, JSON?)...) -> JSON {
    .object(JSONObject(members.compactMap { name, value in value.map { (name, $0) } }))
  }

  static func text(_ value: (some CustomStringConvertible)?) -> JSON? { value.map { .string($0.description) } }
}
