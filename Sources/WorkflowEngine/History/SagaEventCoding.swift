import JSON
import Persistence
import SagaCore

/// Converts between the core's events and the store's events.
package enum SagaEventCoding {
  /// - Parameter finally: the state after all of them. The meta of the last event contains the saga's status, so that a
  ///   projection needs no fold of its own.
  package static func encode(_ events: [SagaEvent], finally after: SagaState) -> [NewEvent] {
    var encoded = encode(events)
    finish(&encoded, after)
    return encoded
  }

  /// Returns the events without the saga's status in the last event's meta.
  package static func encode(_ events: [SagaEvent]) -> [NewEvent] {
    events.map { NewEvent(type: $0.typeName, data: $0.data.bytes(), meta: meta([:])) }
  }

  /// Adds the saga's status after the last event to that event's meta.
  package static func finish(_ events: inout [NewEvent], _ after: SagaState) {
    guard let last = events.indices.last else { return }
    events[last].meta = meta(["status": .string(after.status.rawValue)])
  }

  private static func meta(_ members: JSONObject) -> [UInt8] {
    var meta: JSONObject = ["schema": .int(SagaEvent.schema)]
    for (name, value) in members { meta[name] = value }
    return JSON.object(meta).bytes()
  }

  /// - Throws: the error for an event that this version can't read, with a code and the event's place.
  package static func decode(_ stored: StoredEvent) throws(UnreadableEvent) -> SagaEvent {
    try SagaEvent(
      type: stored.type, schema: try json(stored.meta, of: stored)["schema"]?.intValue ?? 1,
      data: try json(stored.data, of: stored))
  }

  /// Reads the data or meta of an event.
  package static func json(_ bytes: [UInt8], of stored: StoredEvent) throws(UnreadableEvent) -> JSON {
    do {
      return try JSON(parsing: bytes, limits: .stored)
    } catch {
      throw UnreadableEvent(
        message: "Event \(stored.version) (\(stored.type)) of \(stored.stream) is not JSON: \(error.message)")
    }
  }
}
