import JSON
import Values
import Wire

/// One message of the live stream, in the format of server-sent events.
enum LiveMessage {
  /// - Parameters:
  ///   - event: the kind for which a client listens.
  ///   - data: one line, as compact JSON is.
  ///   - id: the text that the client sends back as `Last-Event-ID`.
  static func bytes(event: String, data: JSON, id: String?) -> [UInt8] {
    let idLine = id.map { "id: \($0)\n" } ?? ""
    return Array("\(idLine)event: \(event)\ndata: \(data.text())\n\n".utf8)
  }

  /// Keeps proxies from closing an idle stream, shows that a client has gone, and updates the cursor of a client whose
  /// filter passes nothing. The client gets no event from it.
  static func beat(id: String) -> [UInt8] { Array(": beat\nid: \(id)\n\n".utf8) }

  /// The last message to a client that is disconnected. It contains the reason.
  static func dropped(_ code: String, _ message: String) -> [UInt8] {
    bytes(event: "dropped", data: ["code": .string(code), "message": .string(message)], id: nil)
  }
}

/// The filter of a client. An event must match all given members.
struct LiveFilter: Sendable {
  var saga: UniqueID?
  var workflow: String?
  /// Any of them; empty for all.
  var statuses: Set<String> = []

  func lets(_ event: LiveEvent) -> Bool {
    (saga.map { $0 == event.saga } ?? true) && (workflow.map { $0 == event.workflow } ?? true)
      && (statuses.isEmpty || event.status.map(statuses.contains) ?? false)
  }
}

/// An event on the live stream. It says which line of a list and which page to fetch again.
struct LiveEvent: Sendable {
  let saga: UniqueID
  let workflow: String
  /// The status of the saga after the append that stored the event; nil when it is not known.
  let status: String?
  let paused: Bool?
  let version: Int
  let at: Timestamp
  let type: String
  let step: String?

  var json: JSON {
    .members([
      "id": .string(saga.description), "workflow": .string(workflow), "status": .text(status),
      "paused": paused.map(JSON.bool), "version": .int(version), "at": .string(at.description), "type": .string(type),
      "step": .text(step),
    ])
  }
}
