import JSON
import Persistence
import SagaCore
import Values
import Wire
import WorkflowEngine
import Workflows

extension SagaSummary {
  /// - Parameter now: decides whether the saga is overdue.
  init(_ row: SagaRow, at now: Timestamp) {
    self.init(
      id: row.id.description, title: row.title, workflow: row.workflow, version: row.version, status: row.status,
      paused: row.isPaused, retrying: row.isRetrying, overdue: row.overdueAt.map { $0 <= now } ?? false,
      startedAt: row.startedAt,
      updatedAt: row.updatedAt, endedAt: row.endedAt, deadline: row.deadline, tags: row.tags, labels: row.labels,
      key: row.key, parent: row.parent, failedStep: row.failedStep, failureCode: row.failureCode,
      failureMessage: row.failureMessage, causeStep: row.causeStep, causeCode: row.causeCode,
      incident: row.incident(at: now)?.id,
      waitingFor: row.waitingFor,
      attempts: row.attempts, note: row.note)
  }
}

extension SagaRow {
  /// Whether the last attempt of a step, or of an undo, failed, and the engine tries again.
  fileprivate var isRetrying: Bool {
    endedAt == nil
      && steps.contains { step in
        step.status == StepStatus.backingOff.rawValue
          || step.status == StepStatus.undoing.rawValue && step.error != nil
      }
  }
}

extension SagaListResponse.Facets {
  init(_ facets: SagaFacets) {
    func counts(_ counts: [String: Int]) -> Counts {
      Counts(counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, $0.value) })
    }
    self.init(
      status: counts(facets.status), workflow: counts(facets.workflow), error: counts(facets.error),
      cause: counts(facets.cause), step: counts(facets.step), atLeast: !facets.isExact)
  }
}

extension HistoryResponse.Event {
  init(_ entry: HistoryEntry) {
    self.init(
      version: entry.version, type: entry.type, recordedAt: entry.recordedAt, data: entry.data,
      meta: entry.meta.isNull ? nil : entry.meta, hash: Digest.hexadecimal(entry.hash))
  }
}

extension FindingResponse {
  init(_ finding: Finding) {
    self.init(
      severity: finding.severity.rawValue, code: finding.code, message: finding.message,
      pointer: finding.pointer.shown, line: finding.place?.line, column: finding.place?.column, file: finding.file,
      nearName: finding.nearName)
  }
}

extension RegistrationResponse {
  init(_ registration: Registration) {
    self.init(
      name: registration.name, version: registration.version, digest: registration.digest,
      created: registration.isNew, warnings: registration.warnings.map { FindingResponse($0) })
  }
}

extension CheckResponse {
  init(_ result: CheckResult) {
    self.init(
      valid: result.definition != nil, name: result.definition?.name, version: result.definition?.version,
      findings: result.findings.map { FindingResponse($0) }, more: result.omitted > 0 ? result.omitted : nil)
  }
}

/// All versions of one workflow.
struct WorkflowVersions {
  /// The latest released version, or the latest draft of a workflow that has only drafts.
  let latest: RegisteredWorkflow
  let versions: [Int]

  /// - Parameter all: by name and then version, so that drafts come first, the latest one before the others.
  static func grouping(_ all: [RegisteredWorkflow]) -> [WorkflowVersions] {
    var groups: [(latest: RegisteredWorkflow, versions: [Int])] = []
    for workflow in all {
      let definition = workflow.definition
      if let last = groups.last, last.latest.definition.name.hasSameScalars(as: definition.name) {
        let latest = VersionName.isDraft(definition.version) ? last.latest : workflow
        groups[groups.count - 1] = (latest, last.versions + [definition.version])
      } else {
        groups.append((workflow, [definition.version]))
      }
    }
    return groups.map { WorkflowVersions(latest: $0.latest, versions: $0.versions) }
  }
}

extension WorkflowListResponse.Workflow {
  init(_ workflow: WorkflowVersions) {
    let definition = workflow.latest.definition
    self.init(
      name: definition.name, version: definition.version, versions: workflow.versions,
      description: definition.description, owner: definition.owner)
  }
}

extension WorkflowResponse {
  /// - Parameter versions: all versions of the workflow.
  init(_ workflow: RegisteredWorkflow, versions: [Int]) {
    let definition = workflow.definition
    self.init(
      name: definition.name, version: definition.version, versions: versions, description: definition.description,
      owner: definition.owner, digest: workflow.digest, registeredAt: workflow.registeredAt,
      registeredBy: workflow.registeredBy, definition: definition.source)
  }
}
