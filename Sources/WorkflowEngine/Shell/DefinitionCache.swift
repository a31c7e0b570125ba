import JSON
import JSONSchema
import Persistence
import Runtime
import SagaCore
import Synchronization
import Values
import Workflows

/// The registered workflows, read once. A definition never changes under its name and version, so the copy in memory is
/// never stale.
final class DefinitionCache: Sendable {
  struct Entry: Sendable {
    let definition: WorkflowDefinition
    let digest: String
    let registeredAt: Timestamp
    let registeredBy: String
  }
  private let store: any EventStore
  private let entries = Mutex<[String: [Int: Entry]]>([:])

  private let log: Log

  init(store: any EventStore, log: Log) {
    self.store = store
    self.log = log
  }

  /// Every version of every workflow, by name and then version.
  var all: [Entry] {
    entries.withLock { $0.values.flatMap(\.values) }.sorted {
      ($0.definition.name, $0.definition.version) < ($1.definition.name, $1.definition.version)
    }
  }

  /// Returns one version of a workflow, or the latest.
  func entry(named name: String, version: Int?) -> Entry? {
    entries.withLock { entries in
      guard let versions = entries[name] else { return nil }
      if let version { return versions[version] }
      return versions.max { $0.key < $1.key }?.value
    }
  }

  /// Returns the definition on which a saga runs.
  package func definition(of start: SagaStart) async throws -> WorkflowDefinition {
    if entry(named: start.workflow, version: start.version) == nil { try await load() }
    guard let entry = entry(named: start.workflow, version: start.version), entry.digest == start.definitionDigest
    else {
      throw HistoryError(
        "Saga \(start.id) runs on \(start.workflow) version \(start.version) with the digest \(start.definitionDigest), "
          + "which the store does not hold.")
    }
    return entry.definition
  }

  /// Reads every definition from the store.
  func load() async throws {
    for stored in try await store.definitions(name: nil) {
      do {
        try keep(stored)
      } catch {
        // The error does not block the other workflows. A request for a saga of this workflow gets the error.
        log.error("A registered workflow can't be read", ("workflow", stored.name), ("error", error.message))
      }
    }
  }

  /// Stores a definition for ever.
  /// - Returns: whether it is new.
  /// - Throws: `EngineError` when the name and version already belong to other content.
  func register(_ definition: WorkflowDefinition, by: String, at now: Timestamp) async throws -> (Entry, isNew: Bool) {
    let content = definition.source.bytes()
    // Two spellings of one content are the same content.
    let digest = Digest.sha256(definition.source.bytes(.canonical))
    let stored = StoredDefinition(
      name: definition.name, version: definition.version, digest: digest, data: content, registeredBy: by,
      registeredAt: now)
    let isNew: Bool
    do {
      isNew = try await store.put(stored) == .new
    } catch {
      guard case .definitionConflict = error.kind else { throw error }
      throw EngineError(
        code: EngineErrorCode.workflowConflict,
        message: "\(definition.name) version \(definition.version) is registered with other content, and never changes "
          + "under the sagas that run on it. Raise its version.")
    }
    if isNew {
      try keep(stored)
    } else if entry(named: definition.name, version: definition.version) == nil {
      try await load()
    }
    guard let entry = entry(named: definition.name, version: definition.version) else {
      throw HistoryError("The store does not hold \(definition.name) version \(definition.version) after storing it.")
    }
    return (entry, isNew)
  }

  private func keep(_ stored: StoredDefinition) throws(HistoryError) {
    let definition: WorkflowDefinition
    do {
      definition = try StoredWorkflow.decode(stored.data)
    } catch {
      throw HistoryError(
        "\(stored.name) version \(stored.version) was registered, but this version can't read it at \(error).")
    }
    for (pointer, schema) in definition.schemas where schema.compiled == nil {
      let mistake = schema.findings.first(where: \.isError)
      log.warning(
        "A schema of a registered workflow can't be used; it refuses nothing", ("workflow", definition.name),
        ("version", "\(definition.version)"), ("schema", pointer.shown), ("code", mistake?.code ?? ""),
        ("error", mistake?.message ?? ""))
    }
    let entry = Entry(
      definition: definition, digest: Digest.hexadecimal(stored.digest), registeredAt: stored.registeredAt,
      registeredBy: stored.registeredBy)
    entries.withLock { $0[stored.name, default: [:]][stored.version] = entry }
  }
}
