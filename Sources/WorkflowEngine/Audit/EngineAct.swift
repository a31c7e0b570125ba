import JSON
import Persistence
import Runtime
import Values

/// An act on the engine itself, not on a saga. It is an event of a separate stream, in the same chains of hashes as the
/// sagas' events.
package struct EngineAct {
  package enum Kind: String, CaseIterable {
    case noticesResent, noticeTested, projectionsRebuilt

    /// The type of the second event of the stream: the result of the act.
    package static let ended = "engineActEnded"
  }
  package let kind: Kind
  package let by: String
  package let from: String?
  package let content: JSONObject

  package init(kind: Kind, by: String, from: String?, content: JSONObject) {
    self.kind = kind
    self.by = by
    self.from = from
    self.content = content
  }

  /// Returns whether an event of this type is an act on the engine.
  package static func isOne(_ type: String) -> Bool { Kind(rawValue: type) != nil || type == Kind.ended }

  /// Stores the act.
  /// - Returns: its stream, for the result.
  @discardableResult
  package func store(in events: any EventStore, at moment: Timestamp, _ environment: Environment) async throws
    -> UniqueID
  {
    var data: JSONObject = ["at": .timestamp(moment), "by": .string(by)]
    data["from"] = from.map(JSON.string)
    for (name, value) in content { data[name] = value }
    let stream = environment.newID()
    try await Self.append(kind.rawValue, data, to: stream, after: 0, events, environment)
    return stream
  }

  /// Stores the result of an act.
  package static func end(
    _ stream: UniqueID, _ outcome: JSONObject, in events: any EventStore, _ environment: Environment
  ) async throws {
    let data: JSONObject = ["at": .timestamp(environment.now()), "outcome": .object(outcome)]
    try await append(Kind.ended, data, to: stream, after: 1, events, environment)
  }

  private static func append(
    _ type: String, _ data: JSONObject, to stream: UniqueID, after version: Int, _ events: any EventStore,
    _ environment: Environment
  ) async throws {
    let event = NewEvent(type: type, data: JSON.object(data).bytes(), meta: Array(#"{"schema":1}"#.utf8))
    _ = try await events.append(
      Append(stream: stream, expectedVersion: version, events: [event], appendID: environment.newID()))
  }
}
