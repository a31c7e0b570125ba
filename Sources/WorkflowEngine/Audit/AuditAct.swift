public import JSON
import Persistence
import Values

/// What an event says of who acted; read from its JSON, so that an act that this list knows no more of than its name is
/// listed too.
struct AuditAct {
  /// The types of events that are somebody's acts.
  enum Source: String, CaseIterable {
    case sagaStarted, signalReceived, signalRefused
    case operatorRetried, operatorResolved, operatorSkipped, operatorRanNow, operatorExtended
    case rewindStarted, sagaPaused, sagaResumed, sagaAbandoned, turnBackRequested, turnedBack
    case operationStarted, operationApproved, operationDeclined, operationStopped
    case echoRewound, noticesResent, noticeTested, projectionsRebuilt

    var kind: AuditEntry.Kind {
      switch self {
      case .sagaStarted: .start
      case .signalReceived, .signalRefused: .signal
      case .operatorRetried, .operatorResolved, .operatorSkipped, .operatorRanNow, .operatorExtended, .rewindStarted,
        .sagaPaused, .sagaResumed, .sagaAbandoned, .turnBackRequested, .turnedBack:
        .verb
      case .operationStarted, .operationApproved, .operationDeclined, .operationStopped: .operation
      case .echoRewound, .noticesResent, .noticeTested, .projectionsRebuilt: .engine
      }
    }

    /// The word of the API.
    func verb(_ data: JSON) -> String {
      switch self {
      case .sagaStarted: "start"
      case .signalReceived, .signalRefused: "signal"
      case .operatorRetried: "retry"
      case .operatorResolved: "resolve"
      case .operatorSkipped: "skip"
      case .operatorRanNow: "run-now"
      case .operatorExtended: "extend"
      case .rewindStarted: "rewind"
      case .sagaPaused: "pause"
      case .sagaResumed: "resume"
      case .sagaAbandoned: "abandon"
      case .turnBackRequested, .turnedBack:
        data["reason"]?["cause"]?.stringValue == "compensate" ? "compensate" : "cancel"
      case .operationStarted: "operation"
      case .operationApproved: "approve"
      case .operationDeclined: "decline"
      case .operationStopped: "stop"
      case .echoRewound: "echo-rewind"
      case .noticesResent: "notices-resend"
      case .noticeTested: "notices-test"
      case .projectionsRebuilt: "projections-rebuild"
      }
    }
  }

  let source: Source
  let verb: String
  let actor: String
  let reason: String?
  let from: String?
  let step: String?
  let at: Timestamp?
  /// What was asked for.
  let content: JSONObject
  let data: JSON

  var kind: AuditEntry.Kind { source.kind }

  /// - Returns: nil for an event that nobody in particular caused.
  init?(_ stored: StoredEvent) {
    guard let source = Source(rawValue: stored.type), let data = try? JSON(parsing: stored.data, limits: .stored) else {
      return nil
    }
    self.source = source
    self.data = data
    at = data["at"]?.stringValue.flatMap { Timestamp($0) }
    verb = source.verb(data)
    let act: JSON
    switch source {
    case .sagaStarted: act = data["saga"] ?? .null
    // Why a saga turned back is an object of its own, and only some of these were somebody's doing.
    case .turnedBack, .turnBackRequested: act = data["reason"] ?? .null
    default: act = data
    }
    guard let actor = act["by"]?.stringValue else { return nil }
    self.actor = actor
    reason =
      act["reason"]?.stringValue ?? (source.kind == .signal ? data["signal"]?.stringValue.map { "signal \($0)" } : nil)
    // Of a rewound echo `from` is a position.
    from = act[source == .echoRewound ? "way" : "from"]?.stringValue
    let steps = data["steps"]?.arrayValue ?? []
    step = data["step"]?.stringValue ?? (source == .operatorRanNow && steps.count == 1 ? steps[0].stringValue : nil)
    content = AuditContent.of(source, data: data, act: act)
  }
}

/// What an act asked for, as its row shows it.
enum AuditContent {
  /// Longer values are shown as their digest and length.
  static let longest = 4_096

  static func of(_ source: AuditAct.Source, data: JSON, act: JSON) -> JSONObject {
    var content = JSONObject()
    func take(_ names: String..., from json: JSON) { for name in names { add(json[name], as: name, to: &content) } }
    switch source {
    case .sagaStarted:
      take("workflow", "version", "definition", "input", "tags", from: act)
      add(act["idempotencyKey"], as: "key", to: &content)
    case .signalReceived:
      add(data["signalId"], as: "key", to: &content)
      take("signal", "body", from: data)
    case .signalRefused:
      add(data["signalId"], as: "key", to: &content)
      take("signal", "body", "code", "message", from: data)
      if data["body"] == nil, let digest = data["digest"]?.stringValue {
        content["bodyDigest"] = .string("sha256:\(digest)")
        content["bodyBytes"] = data["bytes"]
      }
      content["outcome"] = "refused"
    case .operatorRetried: take("phase", "input", from: data)
    case .operatorResolved: take("resolution", "output", from: data)
    case .operatorSkipped: take("output", from: data)
    case .operatorRanNow, .rewindStarted: take("steps", from: data)
    case .operatorExtended: take("until", from: data)
    case .sagaPaused, .sagaResumed, .sagaAbandoned, .turnBackRequested, .turnedBack: break
    case .operationStarted:
      take(
        "request", "filter", "selection", "sagas", "rate", "rampMs", "needsApproval", "expectedVersion", from: data)
    case .operationApproved, .operationDeclined, .operationStopped: break
    case .echoRewound:
      take("shard", "to", from: data)
      add(data["from"], as: "fromPosition", to: &content)
    case .noticesResent: take("destination", "id", from: data)
    case .noticeTested: take("destination", from: data)
    case .projectionsRebuilt: take("generation", from: data)
    }
    if source.kind == .verb || source.kind == .operation {
      add(act["commandId"] ?? act["commandID"], as: "key", to: &content)
    }
    return content
  }

  /// Shows a value, or the digest of one that is long.
  static func add(_ value: JSON?, as name: String, to content: inout JSONObject) {
    guard let value, !(value.isNull && name != "body") else { return }
    let bytes = value.bytes(.canonical)
    if bytes.count <= longest {
      content[name] = value
    } else {
      content[name + "Digest"] = .string("sha256:" + Digest.hex(bytes))
      content[name + "Bytes"] = .int(bytes.count)
    }
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
    if !content.isEmpty { row["content"] = .object(content) }
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
      content: row["content"]?.objectValue ?? [:], before: row["before"].flatMap(Standing.init),
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
