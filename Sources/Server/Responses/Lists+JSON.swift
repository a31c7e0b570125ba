import JSON
import Persistence
import Values
import WorkflowEngine
import Workflows

extension SagaRow {
  /// - Parameter now: tells whether it is overdue.
  func json(at now: Timestamp) -> JSON {
    .members([
      "id": .string(id.description), "workflow": .string(workflow), "version": .int(version),
      "status": .string(status), "paused": isPaused ? true : nil as JSON?,
      "overdue": .bool(overdueAt.map { $0 <= now } ?? false), "startedAt": .time(startedAt),
      "updatedAt": .time(updatedAt), "endedAt": .time(endedAt), "deadline": .time(deadline), "tags": .texts(tags),
      "key": .text(key), "failedStep": .text(failedStep), "failureCode": .text(failureCode),
      "failureMessage": .text(failureMessage), "waitingFor": .textsIfAny(waitingFor), "attempts": .int(attempts),
      "note": .text(note),
    ])
  }
}

extension SagaFacets {
  var json: JSON {
    func counts(_ counts: [String: Int]) -> JSON {
      .object(JSONObject(counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, .int($0.value)) }))
    }
    return .members([
      "status": counts(status), "workflow": counts(workflow), "error": counts(error), "step": counts(step),
      "atLeast": isExact ? nil as JSON? : true,
    ])
  }
}

extension HistoryEntry {
  var json: JSON {
    .members([
      "version": .int(version), "type": .string(type), "recordedAt": .time(recordedAt), "data": data,
      "meta": meta.isNull ? Optional.none : meta, "hash": .string(Digest.hexadecimal(hash)),
    ])
  }
}

extension Registration {
  var json: JSON {
    [
      "name": .string(name), "version": .int(version), "digest": .string(digest), "created": .bool(isNew),
      "warnings": .array(warnings.map(\.json)),
    ]
  }
}

extension CheckResult {
  var json: JSON {
    .members([
      "valid": .bool(definition != nil), "name": .text(definition?.name), "version": .integer(definition?.version),
      "findings": .array(findings.map(\.json)), "more": omitted > 0 ? .int(omitted) : nil,
    ])
  }
}

/// All versions of one workflow.
struct WorkflowVersions {
  let latest: RegisteredWorkflow
  let versions: [Int]

  /// - Parameter all: by name and then version.
  static func grouping(_ all: [RegisteredWorkflow]) -> [WorkflowVersions] {
    var groups: [(latest: RegisteredWorkflow, versions: [Int])] = []
    for workflow in all {
      let definition = workflow.definition
      if let last = groups.last, last.latest.definition.name.hasSameScalars(as: definition.name) {
        groups[groups.count - 1] = (workflow, last.versions + [definition.version])
      } else {
        groups.append((workflow, [definition.version]))
      }
    }
    return groups.map { WorkflowVersions(latest: $0.latest, versions: $0.versions) }
  }

  var json: JSON {
    let definition = latest.definition
    return .members([
      "name": .string(definition.name), "version": .int(definition.version),
      "versions": .array(versions.map(JSON.int)), "description": .text(definition.description),
      "owner": .text(definition.owner),
    ])
  }
}

extension RegisteredWorkflow {
  /// - Parameter versions: all of this name.
  func json(versions: [Int]) -> JSON {
    .members([
      "name": .string(definition.name), "version": .int(definition.version),
      "versions": .array(versions.map(JSON.int)), "description": .text(definition.description),
      "owner": .text(definition.owner), "digest": .string(digest), "registeredAt": .time(registeredAt),
      "registeredBy": .string(registeredBy), "definition": definition.source,
    ])
  }
}
