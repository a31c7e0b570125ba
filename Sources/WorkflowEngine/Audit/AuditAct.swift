public import JSON
import Persistence
import Runtime

/// What an event says of who acted; read from its JSON, so that an act that this list knows no more of than its name is
/// listed too.
struct AuditAct {
  let kind: AuditEntry.Kind
  let verb: String
  let actor: String
  let reason: String?
  let from: String?
  let step: String?
  let at: Timestamp?

  private static let verbs: [String: String] = [
    "operatorRetried": "retry", "operatorResolved": "resolve", "operatorSkipped": "skip", "operatorRanNow": "run-now",
    "operatorExtended": "extend", "rewindStarted": "rewind", "sagaPaused": "pause", "sagaResumed": "resume",
    "sagaAbandoned": "abandon", "turnBackRequested": "cancel", "turnedBack": "cancel",
    "operationStarted": "operation", "operationApproved": "approve", "operationDeclined": "decline",
    "operationStopped": "stop",
  ]

  /// Whether an event of this type may be somebody's act.
  static func mayBe(_ type: String) -> Bool {
    verbs[type] != nil || type == "sagaStarted" || type == "signalReceived" || type == "echoRewound"
  }

  /// - Returns: nil for an event that nobody in particular caused.
  init?(_ stored: StoredEvent) {
    guard Self.mayBe(stored.type), let data = try? JSON(parsing: stored.data, limits: .stored) else { return nil }
    at = data["at"]?.stringValue.flatMap { Timestamp($0) }
    switch stored.type {
    case "sagaStarted": (kind, verb) = (.start, "start")
    case "signalReceived": (kind, verb) = (.signal, "signal")
    case "echoRewound": (kind, verb) = (.engine, "echo-rewind")
    case "operationStarted", "operationApproved", "operationDeclined", "operationStopped":
      (kind, verb) = (.operation, Self.verbs[stored.type] ?? stored.type)
    default: (kind, verb) = (.verb, Self.verb(of: stored.type, data))
    }
    let act: JSON
    switch stored.type {
    case "sagaStarted": act = data["saga"] ?? .null
    // Why a saga turned back is an object of its own, and only some of these were somebody's doing.
    case "turnedBack", "turnBackRequested": act = data["reason"] ?? .null
    default: act = data
    }
    guard let actor = act["by"]?.stringValue else { return nil }
    self.actor = actor
    reason = act["reason"]?.stringValue ?? (kind == .signal ? data["name"]?.stringValue.map { "signal \($0)" } : nil)
    // Of a rewound echo `from` is a position.
    from = act["from"]?.stringValue
    step = data["step"]?.stringValue
  }

  private static func verb(of type: String, _ data: JSON) -> String {
    if let cause = data["reason"]?["cause"]?.stringValue, cause == "compensate" { return cause }
    return verbs[type] ?? type
  }
}

extension AuditEntry {
  /// As the read model keeps it.
  func document(in collection: String) -> Document {
    var row: JSONObject = [
      "at": .string(at.description), "actor": .string(actor), "kind": .string(kind.rawValue), "verb": .string(verb),
    ]
    row["saga"] = saga.map { .string($0.description) }
    row["version"] = version.map(JSON.int)
    row["workflow"] = workflow.map(JSON.string)
    row["step"] = step.map(JSON.string)
    row["reason"] = reason.map(JSON.string)
    row["from"] = from.map(JSON.string)
    row["operation"] = operation.map { .string($0.description) }
    row["before"] = before.map(\.json)
    row["after"] = after.map(\.json)
    var fields = ["actor": actor.withoutNUL, "verb": verb, "kind": kind.rawValue]
    fields["saga"] = saga?.description
    return Document(
      collection: collection, id: id, sort: at.description, fields: fields, data: JSON.object(row).bytes())
  }

  /// - Returns: nil when the document can't be read.
  init?(_ document: Document) {
    guard let row = try? JSON(parsing: document.data, limits: .stored),
      let at = row["at"]?.stringValue.flatMap({ Timestamp($0) }), let actor = row["actor"]?.stringValue,
      let kind = row["kind"]?.stringValue.flatMap(Kind.init(rawValue:)), let verb = row["verb"]?.stringValue
    else { return nil }
    self.init(
      id: document.id, at: at, actor: actor, kind: kind, verb: verb,
      saga: row["saga"]?.stringValue.flatMap { UniqueID($0) }, version: row["version"]?.intValue,
      workflow: row["workflow"]?.stringValue, step: row["step"]?.stringValue, reason: row["reason"]?.stringValue,
      from: row["from"]?.stringValue, operation: row["operation"]?.stringValue.flatMap { UniqueID($0) },
      before: row["before"].flatMap(Standing.init),
      after: row["after"].flatMap(Standing.init))
  }
}

extension AuditEntry.Standing {
  /// As it is kept and shown.
  public var json: JSON {
    var members: JSONObject = ["saga": .string(saga)]
    members["step"] = step.map(JSON.string)
    return .object(members)
  }

  fileprivate init?(_ json: JSON) {
    guard let saga = json["saga"]?.stringValue else { return nil }
    self.init(saga: saga, step: json["step"]?.stringValue)
  }
}
