import JSON
import Persistence
import Values

/// The form in which an aggregate's events are shown.
enum StoredHistory {
  static func json(_ events: [StoredEvent]) throws -> JSON {
    [
      "items": .array(
        try events.map { event in
          [
            "version": .int(event.version), "type": .string(event.type),
            "recordedAt": .string(event.recordedAt.description), "data": try JSON(parsing: event.data),
            "meta": try JSON(parsing: event.meta),
          ]
        })
    ]
  }
}
