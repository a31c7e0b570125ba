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

  /// Returns one version of a workflow, or the latest: the latest released version, or the latest draft of a workflow
  /// that has only drafts.
  func entry(named name: String, version: Int?) -> Entry? {
    entries.withLock { entries in
      guard let versions = entries[name] else { return nil }
      if let version { return versions[version] }
      let latest = versions.max { $0.key < $1.key }
      return latest.map { VersionName.isDraft($0.key) } == true ? Self.latestDraft(versions) : latest?.value
    }
  }

  /// Returns the latest draft of a workflow; nil when it has none.
  func latestDraft(named name: String) -> Entry? {
    entries.withLock { $0[name].flatMap(Self.latestDraft) }
  }

  private static func latestDraft(_ versions: [Int: Entry]) -> Entry? {
    versions.filter { VersionName.isDraft($0.key) }.min { $0.key < $1.key }?.value
  }

  /// Returns a definition that a saga follows.
  /// - Throws: `HistoryError` when the store does not hold it.
  func definition(of saga: SagaDefinition) async throws -> WorkflowDefinition {
    if let known = known(saga) { return known }
    try await load()
    guard let known = known(saga) else {
      throw HistoryError(
        "A saga follows \(saga.workflow) \(VersionName.long(saga.version)) with the digest \(saga.digest), which the "
          + "store does not hold.")
    }
    return known
  }

  /// Returns a definition that a saga follows; nil when it has not been read from the store.
  func known(_ saga: SagaDefinition) -> WorkflowDefinition? {
    guard let entry = entry(named: saga.workflow, version: saga.version), entry.digest == saga.digest else {
      return nil
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

  /// The most drafts of one workflow.
  static let mostDrafts = 10_000

  /// Stores a definition for ever as the next draft of its workflow, unless the latest draft has the same content.
  /// - Returns: whether it is new.
  /// - Throws: `EngineError` `workflow.tooManyDrafts`.
  func registerDraft(
    _ definition: WorkflowDefinition, by: String, at now: Timestamp
  ) async throws -> (Entry, isNew: Bool) {
    let digest = Self.digest(of: definition)
    // Another request may take the number first. Then this one takes a number after it.
    var taken = 0
    while true {
      let latest = latestDraft(named: definition.name)
      if let latest, latest.digest == Digest.hexadecimal(digest) { return (latest, false) }
      let number = 1 + max(taken, -(latest?.definition.version ?? 0))
      guard number <= Self.mostDrafts else {
        throw EngineError(
          code: EngineErrorCode.workflowTooManyDrafts,
          message: "\(definition.name) has \(Self.mostDrafts) drafts, the most that a workflow may have. Release a "
            + "version, or draft it under another name.")
      }
      do {
        return try await put(definition.asDraft(number), digest, by: by, at: now)
      } catch let error as StoreError {
        guard case .definitionConflict = error.kind else { throw error }
        taken = number
        try await load()
      }
    }
  }

  // Two spellings of one content are the same content.
  private static func digest(of definition: WorkflowDefinition) -> [UInt8] {
    Digest.sha256(definition.source.bytes(.canonical))
  }

  /// Stores a definition for ever under its name and version.
  /// - Returns: whether it is new.
  /// - Throws: `EngineError` when the name and version already belong to other content.
  func register(_ definition: WorkflowDefinition, by: String, at now: Timestamp) async throws -> (Entry, isNew: Bool) {
    do {
      return try await put(definition, Self.digest(of: definition), by: by, at: now)
    } catch let error as StoreError {
      guard case .definitionConflict = error.kind else { throw error }
      throw EngineError(
        code: EngineErrorCode.workflowConflict,
        message: "\(definition.name) version \(definition.version) is registered with other content, and never changes "
          + "under the sagas that run on it. Raise its version.")
    }
  }

  private func put(
    _ definition: WorkflowDefinition, _ digest: [UInt8], by: String, at now: Timestamp
  ) async throws -> (Entry, isNew: Bool) {
    let stored = StoredDefinition(
      name: definition.name, version: definition.version, digest: digest, data: definition.source.bytes(),
      registeredBy: by, registeredAt: now)
    let isNew = try await store.put(stored) == .new
    if isNew {
      try keep(stored)
    } else if entry(named: definition.name, version: definition.version) == nil {
      try await load()
    }
    guard let entry = entry(named: definition.name, version: definition.version) else {
      throw HistoryError(
        "The store does not hold \(definition.name) \(VersionName.long(definition.version)) after storing it.")
    }
    return (entry, isNew)
  }

  private func keep(_ stored: StoredDefinition) throws(HistoryError) {
    var definition: WorkflowDefinition
    do {
      definition = try StoredWorkflow.decode(stored.data)
    } catch {
      throw HistoryError(
        "\(stored.name) \(VersionName.long(stored.version)) was registered, but this version can't read it at \(error)."
      )
    }
    if VersionName.isDraft(stored.version) { definition = definition.asDraft(-stored.version) }
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
