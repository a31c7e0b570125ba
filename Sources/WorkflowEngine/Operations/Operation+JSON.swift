public import JSON
import Persistence
import SagaCore
import Values

extension Operation {
  /// The form in the list of operations and in the API.
  public var json: JSON {
    var row: JSONObject = [
      "id": .string(id.description), "status": .string(status.rawValue), "verb": .string(plan.verb.name.rawValue),
      "request": plan.verb.json, "sagas": .int(count), "done": .int(done), "refused": .int(refused),
      "left": .int(left), "refusals": .object(JSONObject(refusals.map { ($0.code, JSON.int($0.count)) })),
      "rate": .number(JSONNumber(plan.pace.rate)), "rampSeconds": .number(JSONNumber(plan.pace.ramp / .seconds(1))),
      "needsApproval": .bool(plan.needsApproval), "by": .string(plan.act.by), "reason": .string(plan.act.reason),
      "startedAt": .timestamp(startedAt),
    ]
    row["filter"] = plan.filter
    row["from"] = plan.act.from.map(JSON.string)
    row["approved"] = approved?.json
    row["declined"] = declined?.json
    row["stopped"] = stopped?.json
    row["endedAt"] = endedAt.map(JSON.timestamp)
    return .object(row)
  }
}

extension OperationDecision {
  /// The form in the store and in the API.
  var json: JSON {
    var data: JSONObject = ["at": .timestamp(at), "by": .string(by)]
    data["reason"] = reason.map(JSON.string)
    data["from"] = from.map(JSON.string)
    return .object(data)
  }
}

/// The list of operations: one document for each operation. Every event of an operation changes its document a little.
/// Folding the whole operation for each event would cost more with every event.
enum OperationDocuments {
  static let collection = "operations"

  static func take(_ stored: StoredEvent, into changes: inout ProjectionChanges) async throws {
    // An event that can't be read does not keep other people's acts out of the list.
    guard OperationEvent.isOne(stored.type), let event = try? OperationEvent(stored) else { return }
    let id = stored.stream.description
    var row: JSONObject
    if case .started(let plan, let count, let at) = event {
      let operation = Operation(id: stored.stream, version: 1, plan: plan, count: count, startedAt: at)
      row = operation.json.objectValue ?? [:]
    } else if let document = try await changes.document(collection: collection, id: id),
      let kept = (try? JSON(parsing: document.data, limits: .stored))?.objectValue
    {
      row = kept
    } else {
      return
    }
    take(event, into: &row)
    let status = row["status"]?.stringValue ?? ""
    changes.put(
      Document(
        collection: collection, id: id, sort: row["startedAt"]?.stringValue ?? "",
        fields: ["status": status, "by": row["by"]?.stringValue?.withoutNUL ?? ""], data: JSON.object(row).bytes()))
  }

  private static func take(_ event: OperationEvent, into row: inout JSONObject) {
    func end(_ status: Operation.Status, at moment: Timestamp) {
      row["status"] = .string(status.rawValue)
      row["endedAt"] = .timestamp(moment)
    }
    switch event {
    case .started, .selected: break
    case .approved(let decision):
      row["approved"] = decision.json
      row["status"] = .string(Operation.Status.running.rawValue)
    case .declined(let decision):
      row["declined"] = decision.json
      end(.declined, at: decision.at)
    case .stopped(let decision):
      row["stopped"] = decision.json
      end(.stopped, at: decision.at)
    case .finished(let at): end(.finished, at: at)
    case .acted(let results, _):
      var refusals = row["refusals"]?.objectValue ?? [:]
      for code in results.compactMap(\.refusal?.code) { refusals[code] = .int((refusals[code]?.intValue ?? 0) + 1) }
      let refused = results.count { $0.refusal != nil }
      row["refusals"] = .object(refusals)
      row["refused"] = .int((row["refused"]?.intValue ?? 0) + refused)
      row["done"] = .int((row["done"]?.intValue ?? 0) + results.count - refused)
      row["left"] = .int((row["left"]?.intValue ?? 0) - results.count)
    }
  }
}
