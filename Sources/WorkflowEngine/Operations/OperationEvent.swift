import JSON
import Persistence
import SagaCore
import Values

/// The events of an operation. Its stream is in the same store as the sagas' streams, in the same chains of hashes.
package enum OperationEvent: Sendable, Hashable {
  /// The sagas follow in separate events, because there may be very many.
  case started(OperationPlan, count: Int, at: Timestamp)
  case selected([UniqueID])
  case approved(OperationDecision)
  case declined(OperationDecision)
  case acted([OperationResult], at: Timestamp)
  case stopped(OperationDecision)
  case finished(at: Timestamp)

  /// The types of sagas' events never begin with it.
  static let prefix = "operation"
  static let schema = 1

  var type: String {
    switch self {
    case .started: "operationStarted"
    case .selected: "operationSelected"
    case .approved: "operationApproved"
    case .declined: "operationDeclined"
    case .acted: "operationActed"
    case .stopped: "operationStopped"
    case .finished: "operationFinished"
    }
  }

  package static func isOne(_ type: String) -> Bool { type.hasPrefix(prefix) }

  var stored: NewEvent {
    let meta: JSON = ["schema": .int(Self.schema)]
    return NewEvent(type: type, data: data.bytes(), meta: meta.bytes())
  }

  private var data: JSON {
    switch self {
    case .started(let plan, let count, let at):
      var data: JSONObject = [
        "at": .timestamp(at), "verb": .string(plan.verb.name.rawValue), "request": plan.verb.json, "sagas": .int(count),
        "rate": .number(JSONNumber(plan.pace.rate)), "rampMs": .int(plan.pace.ramp.wholeMilliseconds),
        "needsApproval": .bool(plan.needsApproval), "by": .string(plan.act.by), "reason": .string(plan.act.reason),
      ]
      data["filter"] = plan.filter
      if !plan.sagas.isEmpty { data["selection"] = .string(OperationPreview.selection(of: plan.sagas)) }
      data["expectedVersion"] = plan.expectedVersion.map(JSON.int)
      data["from"] = plan.act.from.map(JSON.string)
      data["commandID"] = plan.act.commandID.map(JSON.string)
      return .object(data)
    case .selected(let sagas): return ["sagas": .array(sagas.map { .string($0.description) })]
    case .approved(let decision), .declined(let decision), .stopped(let decision): return decision.json
    case .acted(let results, let at): return ["at": .timestamp(at), "results": .array(results.map(\.json))]
    case .finished(let at): return ["at": .timestamp(at)]
    }
  }
}

extension OperationEvent {
  /// - Throws: `UnreadableEvent` for an event that this version can't read.
  init(_ stored: StoredEvent) throws(UnreadableEvent) {
    let data = EventReader(
      try SagaEventCoding.json(stored.data, of: stored), of: "\(stored.type) of operation \(stored.stream)")
    switch stored.type {
    case "operationStarted":
      let pace = OperationPace(
        rate: data.json["rate"]?.doubleValue ?? OperationPace.usualRate,
        ramp: .milliseconds(try data.optionalInt("rampMs") ?? 0))
      let act = OperatorAct(
        by: try data.string("by"), reason: try data.string("reason"), from: data.optionalString("from"),
        commandID: data.optionalString("commandID"))
      self = .started(
        OperationPlan(
          verb: try data.required("request", "a verb", OperatorVerb.init(json:)), filter: data.json["filter"],
          sagas: [], pace: pace, expectedVersion: try data.optionalInt("expectedVersion"), act: act,
          needsApproval: data.flag("needsApproval")),
        count: try data.int("sagas"), at: try data.timestamp("at"))
    case "operationSelected":
      self = .selected(
        try data.required("sagas", "a list of ids") { $0.elements { $0.stringValue.flatMap { UniqueID($0) } } })
    case "operationApproved": self = .approved(try OperationDecision(data))
    case "operationDeclined": self = .declined(try OperationDecision(data))
    case "operationStopped": self = .stopped(try OperationDecision(data))
    case "operationFinished": self = .finished(at: try data.timestamp("at"))
    case "operationActed":
      self = .acted(
        try data.required("results", "a list of results") { $0.elements(OperationResult.init) },
        at: try data.timestamp("at"))
    default: throw UnreadableEvent(message: "This version does not know the event type “\(stored.type)”.")
    }
  }
}

extension OperationDecision {
  fileprivate init(_ data: EventReader) throws(UnreadableEvent) {
    self.init(
      by: try data.string("by"), reason: data.optionalString("reason"), from: data.optionalString("from"),
      at: try data.timestamp("at"))
  }
}

extension OperationResult {
  fileprivate var json: JSON {
    var data: JSONObject = ["saga": .string(saga.description)]
    data["version"] = version.map(JSON.int)
    data["code"] = refusal.map { .string($0.code) }
    data["message"] = refusal.map { .string($0.message) }
    return .object(data)
  }

  fileprivate init?(_ json: JSON) {
    guard let saga = json["saga"]?.stringValue.flatMap({ UniqueID($0) }) else { return nil }
    let refusal = json["code"]?.stringValue.map {
      Reason(code: $0, message: json["message"]?.stringValue ?? "")
    }
    self.init(saga: saga, version: json["version"]?.intValue, refusal: refusal)
  }
}
