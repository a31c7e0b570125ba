import JSON

// Old events stay readable for ever. A change of an event's shape raises `SagaEvent.schema` and adds an upcaster here,
// which makes the old shape into the next one; what is stored is never rewritten. The decoder then knows one shape only.

/// Lifts the data of one kind of event from one schema version to the next.
public struct SagaEventUpcaster: Sendable {
  let kind: SagaEvent.Kind
  /// The version that it takes; it gives the one after it.
  let version: Int
  let lift: @Sendable (JSON) throws(UnreadableEvent) -> JSON

  /// - Parameter lift: changes the data and nothing else: the same data always gives the same.
  public init(
    _ kind: SagaEvent.Kind, from version: Int, _ lift: @escaping @Sendable (JSON) throws(UnreadableEvent) -> JSON
  ) {
    self.kind = kind
    self.version = version
    self.lift = lift
  }
}

/// The upcasters in the order in which they are applied, and the version that they lead to.
public struct SagaEventUpcasters: Sendable {
  let current: Int
  let upcasters: [SagaEventUpcaster]

  /// - Parameters:
  ///   - current: the version that events are decoded in.
  ///   - upcasters: at most one for a kind and a version. A version in which a kind did not change has none.
  public init(to current: Int, _ upcasters: [SagaEventUpcaster]) {
    self.current = current
    self.upcasters = upcasters
  }

  /// No event has changed its shape yet.
  public static let production = SagaEventUpcasters(to: SagaEvent.schema, [])

  /// The data in the shape of the current version.
  /// - Throws: `UnreadableEvent` when it was written in a version that isn't known here, or can't be lifted.
  func lift(_ data: JSON, of kind: SagaEvent.Kind, from version: Int) throws(UnreadableEvent) -> JSON {
    guard version >= 1, version <= current else {
      throw UnreadableEvent(
        message: "\(kind.rawValue) was written in schema \(version); this version reads up to \(current).")
    }
    var data = data
    for version in version..<current {
      guard let upcaster = upcasters.first(where: { $0.kind == kind && $0.version == version }) else { continue }
      data = try upcaster.lift(data)
    }
    return data
  }

  /// What is wrong with the table: an upcaster that another hides, or that leads nowhere.
  var problems: [String] {
    upcasters.enumerated().compactMap { index, upcaster in
      let name = "\(upcaster.kind.rawValue) from \(upcaster.version)"
      if !(1..<max(1, current)).contains(upcaster.version) { return "\(name) leads to no version up to \(current)" }
      let isHidden = upcasters[..<index].contains { $0.kind == upcaster.kind && $0.version == upcaster.version }
      return isHidden ? "\(name) comes twice" : nil
    }
  }
}
