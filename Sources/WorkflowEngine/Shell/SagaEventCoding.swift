import JSON
import Persistence

/// Between the core's events and the store's.
enum SagaEventCoding {
  /// - Parameter finally: the state after all of them. The last event's meta says where the saga then stands, so that a
  ///   projection needs no fold of its own.
  static func encode(_ events: [SagaEvent], finally after: SagaState) -> [NewEvent] {
    events.enumerated().map { index, event in
      var meta: JSONObject = ["schema": .int(SagaEvent.schema)]
      if index == events.count - 1 { meta["status"] = .string(after.status.rawValue) }
      return NewEvent(type: event.typeName, data: event.data.bytes(), meta: JSON.object(meta).bytes())
    }
  }

  static func decode(_ stored: StoredEvent) throws -> SagaEvent {
    let meta = try JSON(parsing: stored.meta, limits: .stored)
    return try SagaEvent(
      type: stored.type, schema: meta["schema"]?.intValue ?? 1, data: JSON(parsing: stored.data, limits: .stored))
  }
}
