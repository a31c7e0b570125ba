import JSON
import Values

// How events are written and read. A stored event stays readable for ever and is never rewritten. A change of an
// event's shape raises `SagaEvent.schema` and adds an upcaster, which converts the old shape to the next one.

extension SagaEvent {
  /// The version of the events' shapes. A new kind of event, or a new optional member, does not change it. An older
  /// version of the engine refuses a kind that it doesn't know.
  public static let schema = 1

  /// The event's data as it is stored. A nil value is omitted; timestamps are RFC 3339.
  public var data: JSON {
    var data: JSONObject = ["at": .timestamp(at)]
    what.write(to: &data)
    return .object(data)
  }

  /// Reads an event as it was stored.
  /// - Parameters:
  ///   - type: its name in the store.
  ///   - schema: the schema version in which it was written.
  ///   - data: the event as it was stored.
  ///   - upcasters: convert an older shape to the current one.
  /// - Throws: `UnreadableEvent` for an unknown name or schema, and for data of another shape.
  public init(
    type: String, schema: Int, data: JSON, upcasters: SagaEventUpcasters = .production
  ) throws(UnreadableEvent) {
    guard let kind = Self.kind(named: type) else {
      throw UnreadableEvent(message: "This version does not know the event type “\(type)”.")
    }
    let reader = EventReader(try upcasters.lift(data, of: type, from: schema), of: type)
    self.init(at: try reader.timestamp("at"), try kind.read(reader))
  }
}

/// A stored event that this version can't read. The engine never guesses its content.
public struct UnreadableEvent: CodedError, Hashable {
  public var code: String { EngineErrorCode.eventUnreadable }
  public let message: String

  package init(message: String) { self.message = message }
}

extension UnreadableEvent: MemberError {
  public init(_ member: String, of owner: String, wanted: String) {
    message = "The stored \(owner) has no readable “\(member)”."
  }
}

/// Reads the members of an event's data.
public typealias EventReader = MemberReader<UnreadableEvent>

extension EventReader {
  func unreadable(_ name: String) -> UnreadableEvent { wrong(name, "") }
  func has(_ name: String) -> Bool { json[name] != nil }

  // These are lenient. An optional text or flag of another type counts as missing.
  package func flag(_ name: String) -> Bool { json[name]?.boolValue ?? false }
  package func optionalString(_ name: String) -> String? { json[name]?.stringValue }
  /// Returns the texts of a list; nil without one. What is not a text is left out.
  package func optionalStrings(_ name: String) -> [String]? {
    json[name]?.arrayValue.map { $0.compactMap(\.stringValue) }
  }
  func optionalValue(_ name: String) -> JSON? { json[name] }
  package func values(_ name: String) -> [JSON] { json[name]?.arrayValue ?? [] }

  func nested(_ name: String) throws(UnreadableEvent) -> EventReader {
    EventReader(try value(name), of: "\(owner).\(name)")
  }
  /// Reads the phase of an event that is of the step itself unless it says otherwise.
  func phase() throws(UnreadableEvent) -> StepPhase { has("phase") ? try word("phase") : .forward }
  func optional(_ name: String) throws(UnreadableEvent) -> EventReader? { has(name) ? try nested(name) : nil }
}

extension JSONObject {
  /// Writes the phase of an event that is of the step itself unless it says otherwise.
  mutating func write(_ phase: StepPhase) { if phase == .undo { self["phase"] = .word(phase) } }
}

extension JSON {
  static func word(_ word: some RawRepresentable<String>) -> JSON { .string(word.rawValue) }
  static func strings(_ strings: [String]) -> JSON { .array(strings.map(JSON.string)) }
}

// MARK: Older shapes

/// Converts the data of one kind of event from one schema version to the next.
public struct SagaEventUpcaster: Sendable {
  let type: String
  /// The schema version that it takes. Its result has the next version.
  let version: Int
  let lift: @Sendable (JSON) throws(UnreadableEvent) -> JSON

  /// - Parameter lift: changes only the data. The same data always gives the same result.
  public init(
    _ type: String, from version: Int, _ lift: @escaping @Sendable (JSON) throws(UnreadableEvent) -> JSON
  ) {
    self.type = type
    self.version = version
    self.lift = lift
  }
}

/// The upcasters in the order in which they are applied, and the version that they produce.
public struct SagaEventUpcasters: Sendable {
  let current: Int
  let upcasters: [SagaEventUpcaster]

  /// - Parameters:
  ///   - current: the version in which events are decoded.
  ///   - upcasters: at most one for a kind and a version. A version in which a kind did not change has none.
  public init(to current: Int, _ upcasters: [SagaEventUpcaster]) {
    self.current = current
    self.upcasters = upcasters
  }

  /// No event has changed its shape yet.
  public static let production = SagaEventUpcasters(to: SagaEvent.schema, [])

  /// Returns the data in the shape of the current version.
  /// - Throws: `UnreadableEvent` when its version is unknown, or when the data can't be converted.
  func lift(_ data: JSON, of type: String, from version: Int) throws(UnreadableEvent) -> JSON {
    guard version >= 1, version <= current else {
      throw UnreadableEvent(
        message: "\(type) was written in schema \(version); this version reads up to \(current).")
    }
    var data = data
    for version in version..<current {
      guard let upcaster = upcasters.first(where: { $0.type == type && $0.version == version }) else { continue }
      data = try upcaster.lift(data)
    }
    return data
  }

  /// The errors in the table: an upcaster that another one hides, that leads to no version, or of an unknown kind.
  package var problems: [String] {
    upcasters.enumerated().compactMap { index, upcaster in
      let name = "\(upcaster.type) from \(upcaster.version)"
      if !(1..<max(1, current)).contains(upcaster.version) { return "\(name) leads to no version up to \(current)" }
      let isHidden = upcasters[..<index].contains { $0.type == upcaster.type && $0.version == upcaster.version }
      return isHidden ? "\(name) comes twice" : nil
    }
  }
}
