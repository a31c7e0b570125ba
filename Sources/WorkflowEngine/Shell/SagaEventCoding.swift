import JSON
import Persistence

/// Between the core's events and the store's.
enum SagaEventCoding {
  /// - Parameter finally: the state after all of them. The last event's meta says where the saga then stands, so that a
  ///   projection needs no fold of its own.
  static func encode(_ events: [SagaEvent], finally after: SagaState) -> [NewEvent] {
    var encoded = encode(events)
    finish(&encoded, after)
    return encoded
  }

  /// Without the last event's word on where the saga stands.
  static func encode(_ events: [SagaEvent]) -> [NewEvent] {
    events.map { NewEvent(type: $0.typeName, data: $0.data.bytes(), meta: meta([:])) }
  }

  /// Lets the last event say where the saga stands after it.
  static func finish(_ events: inout [NewEvent], _ after: SagaState) {
    guard let last = events.indices.last else { return }
    events[last].meta = meta(["status": .string(after.status.rawValue)])
  }

  private static func meta(_ members: JSONObject) -> [UInt8] {
    var meta: JSONObject = ["schema": .int(SagaEvent.schema)]
    for (name, value) in members { meta[name] = value }
    return JSON.object(meta).bytes()
  }

  static func decode(_ stored: StoredEvent) throws -> SagaEvent {
    let meta = try JSON(parsing: stored.meta, limits: .stored)
    return try SagaEvent(
      type: stored.type, schema: meta["schema"]?.intValue ?? 1, data: JSON(parsing: stored.data, limits: .stored))
  }
}
