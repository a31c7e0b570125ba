import JSON
import Persistence
import Runtime
import Values

/// Something that was asked of the engine, and of no saga: it is an event of a stream of its own, in the same chains of
/// hashes as the sagas' events.
struct EngineAct {
  enum Kind: String, CaseIterable {
    case noticesResent, noticeTested, projectionsRebuilt

    /// What came of an act, as the second event of its stream.
    static let ended = "engineActEnded"
  }
  let kind: Kind
  let by: String
  let from: String?
  let content: JSONObject

  /// Whether an event of this type is one of these.
  static func isOne(_ type: String) -> Bool { Kind(rawValue: type) != nil || type == Kind.ended }

  /// Stores the act.
  /// - Returns: its stream, for what comes of it.
  @discardableResult
  func store(in events: any EventStore, at moment: Timestamp, _ environment: Environment) async throws -> UniqueID {
    var data: JSONObject = ["at": .timestamp(moment), "by": .string(by)]
    data["from"] = from.map(JSON.string)
    for (name, value) in content { data[name] = value }
    let stream = environment.newID()
    try await Self.append(kind.rawValue, data, to: stream, after: 0, events, environment)
    return stream
  }

  /// Stores what came of an act.
  static func end(
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
