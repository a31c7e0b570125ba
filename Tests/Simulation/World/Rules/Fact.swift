import JSON
import Persistence
import Values

/// One stored event of a saga, as `docs/schema/events` describes it. The rules read what is stored, not the engine's types.
struct Fact: Sendable {
  let version: Int
  let type: String
  let at: Timestamp
  let data: JSON

  init(_ stored: StoredEvent) {
    version = stored.version
    type = stored.type
    data = (try? JSON(parsing: stored.data)) ?? .null
    at = data["at"]?.stringValue.flatMap(Timestamp.init) ?? stored.recordedAt
  }

  func text(_ name: String) -> String? { data[name]?.stringValue }
  func number(_ name: String) -> Int { data[name]?.intValue ?? 0 }
  func flag(_ name: String) -> Bool { data[name]?.boolValue ?? false }
  func time(_ name: String) -> Timestamp? { text(name).flatMap(Timestamp.init) }
  func texts(_ name: String) -> [String] { data[name]?.arrayValue?.compactMap(\.stringValue) ?? [] }

  var step: String { text("step") ?? "" }
  var isUndo: Bool { text("phase") == "undo" }
  var failureCode: String { data["failure"]?["code"]?.stringValue ?? "" }
}
