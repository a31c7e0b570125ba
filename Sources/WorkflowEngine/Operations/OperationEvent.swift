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
        "rate": .number(JSONNumber(plan.pace.rate)), "rampMs": .int(Int(plan.pace.ramp / .milliseconds(1))),
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
  /// - Throws: `EngineError` `history.unreadable` for an event that this version can't read.
  init(_ stored: StoredEvent) throws {
    let data = try SagaEventCoding.json(stored.data, of: stored)
    func missing(_ what: String) -> EngineError {
      EngineError(
        code: EngineErrorCode.eventUnreadable,
        message:
          "Event \(stored.version) (\(stored.type)) of operation \(stored.stream) has no \(what) that can be read.")
    }
    func moment() throws -> Timestamp {
      guard let at = data["at"]?.stringValue.flatMap({ Timestamp($0) }) else { throw missing("at") }
      return at
    }
    func decision() throws -> OperationDecision {
      guard let by = data["by"]?.stringValue else { throw missing("by") }
      return OperationDecision(
        by: by, reason: data["reason"]?.stringValue, from: data["from"]?.stringValue, at: try moment())
    }
    switch stored.type {
    case "operationStarted":
      guard let verb = data["request"].flatMap(OperatorVerb.init(json:)) else { throw missing("request") }
      guard let by = data["by"]?.stringValue, let reason = data["reason"]?.stringValue else { throw missing("by") }
      guard let count = data["sagas"]?.intValue else { throw missing("sagas") }
      let pace = OperationPace(
        rate: data["rate"]?.doubleValue ?? OperationPace.usualRate,
        ramp: .milliseconds(data["rampMs"]?.intValue ?? 0))
      let act = OperatorAct(
        by: by, reason: reason, from: data["from"]?.stringValue, commandID: data["commandID"]?.stringValue)
      self = .started(
        OperationPlan(
          verb: verb, filter: data["filter"], sagas: [], pace: pace, expectedVersion: data["expectedVersion"]?.intValue,
          act: act, needsApproval: data["needsApproval"]?.boolValue ?? false),
        count: count, at: try moment())
    case "operationSelected":
      self = .selected(
        try (data["sagas"]?.arrayValue ?? []).map { id in
          guard let id = id.stringValue.flatMap({ UniqueID($0) }) else { throw missing("saga") }
          return id
        })
    case "operationApproved": self = .approved(try decision())
    case "operationDeclined": self = .declined(try decision())
    case "operationStopped": self = .stopped(try decision())
    case "operationFinished": self = .finished(at: try moment())
    case "operationActed":
      let results = try (data["results"]?.arrayValue ?? []).map { json in
        guard let result = OperationResult(json) else { throw missing("result") }
        return result
      }
      self = .acted(results, at: try moment())
    default: throw missing("type")
    }
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
