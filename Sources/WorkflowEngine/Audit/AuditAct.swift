public import JSON
import Persistence
import SagaCore
import Values

/// The act in an event: the person, the reason and the content. It is read from the event's JSON, so that an event that
/// this version can't decode is listed too.
struct AuditAct {
  /// The event's name in the store.
  let type: String
  let kind: AuditEntry.Kind
  let verb: String
  let actor: String
  let reason: String?
  let from: String?
  let step: String?
  let at: Timestamp?
  /// The content of the request.
  let content: JSONObject
  let data: JSON

  /// - Returns: nil for an event that is not a person's act.
  init?(_ stored: StoredEvent) {
    guard Self.types.contains(stored.type), let data = try? JSON(parsing: stored.data, limits: .stored) else {
      return nil
    }
    guard let audited = Self.audited(stored.type, data),
      let actor = audited.act["by"]?.stringValue
    else { return nil }
    type = stored.type
    self.data = data
    self.actor = actor
    kind = audited.kind
    verb = audited.verb
    at = data["at"]?.stringValue.flatMap { Timestamp($0) }
    reason =
      audited.act["reason"]?.stringValue
      ?? (kind == .signal ? data["signal"]?.stringValue.map { "signal \($0)" } : nil)
    // In a rewind of the echo, `from` is a position.
    from = audited.act[stored.type == ReservedEvents.echoRewound ? "way" : "from"]?.stringValue
    let steps = data["steps"]?.arrayValue ?? []
    step = data["step"]?.stringValue ?? (steps.count == 1 ? steps[0].stringValue : nil)
    content = AuditContent.of(audited.content)
  }

  /// Returns the form of such an event in the list of acts.
  static func audited(_ type: String, _ data: JSON) -> Form? {
    SagaEvent.kind(named: type)?.audited(data).map(Form.init) ?? OtherActs.audited(type, data)
  }

  /// The form of an act in the list: of a saga's event, as the core says it, or of an operation's or the engine's.
  struct Form {
    let kind: AuditEntry.Kind
    let verb: String
    /// The object that says who acted, why, and from where.
    let act: JSON
    let content: [(name: String, value: JSON?)]
  }

  /// The types of the events that record acts.
  static let types = SagaEvent.typesOfActs.union(OtherActs.types)
}

/// Acts on operations and on the engine. Their events do not belong to a saga.
private enum OtherActs {
  static let types = [
    "operationStarted", "operationApproved", "operationDeclined", "operationStopped", ReservedEvents.echoRewound,
    "noticesResent",
    "noticeTested", "projectionsRebuilt",
  ]

  static func audited(_ type: String, _ data: JSON) -> AuditAct.Form? {
    func act(_ kind: AuditEntry.Kind, _ verb: String, _ names: String...) -> AuditAct.Form {
      let key = kind == .operation ? [("key", data["commandId"] ?? data["commandID"])] : []
      return AuditAct.Form(kind: kind, verb: verb, act: data, content: names.map { ($0, data[$0]) } + key)
    }
    switch type {
    case "operationStarted":
      return act(
        .operation, "operation", "request", "filter", "selection", "sagas", "rate", "rampMs", "needsApproval",
        "expectedVersion")
    case "operationApproved": return act(.operation, "approve")
    case "operationDeclined": return act(.operation, "decline")
    case "operationStopped": return act(.operation, "stop")
    case ReservedEvents.echoRewound:
      return AuditAct.Form(
        kind: .engine, verb: "echo-rewind", act: data,
        content: [("shard", data["shard"]), ("to", data["to"]), ("fromPosition", data["from"])])
    case "noticesResent": return act(.engine, "notices-resend", "destination", "id")
    case "noticeTested": return act(.engine, "notices-test", "destination")
    case "projectionsRebuilt": return act(.engine, "projections-rebuild", "generation")
    default: return nil
    }
  }
}

extension AuditAct.Form {
  fileprivate init(_ act: AuditedAct) {
    let kind: AuditEntry.Kind =
      switch act.kind {
      case .start: .start
      case .signal: .signal
      case .verb: .verb
      }
    self.init(kind: kind, verb: act.verb, act: act.act, content: act.content)
  }
}

/// The content of an act's request, as its row shows it.
enum AuditContent {
  /// The largest value in bytes that is shown whole. A longer value is shown as its digest and length.
  static let longest = 4_096

  static func of(_ values: [(name: String, value: JSON?)]) -> JSONObject {
    var content = JSONObject()
    for (name, value) in values { add(value, as: name, to: &content) }
    return content
  }

  /// Adds a value, or the digest of a value that is long.
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
  /// The form in the API. `actor` is the older name of `by`.
  public var json: JSON { .object(members(["at": .string(at.description), "by": .string(actor)])) }

  /// Returns the members of an act behind some that come first.
  private func members(_ first: JSONObject) -> JSONObject {
    var row = first
    row["actor"] = .string(actor)
    row["kind"] = .string(kind.rawValue)
    row["verb"] = .string(verb)
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
    return row
  }

  /// Returns the document in the read model.
  func document(in collection: String) -> Document {
    var fields = ["actor": actor.withoutNUL, "verb": verb, "kind": kind.rawValue]
    fields["saga"] = saga?.description
    let row = members(["at": .string(at.description)])
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
  fileprivate var json: JSON {
    var members: JSONObject = ["saga": .string(saga)]
    members["step"] = step.map(JSON.string)
    return .object(members)
  }

  fileprivate init?(_ json: JSON) {
    guard let saga = json["saga"]?.stringValue else { return nil }
    self.init(saga: saga, step: json["step"]?.stringValue)
  }
}
