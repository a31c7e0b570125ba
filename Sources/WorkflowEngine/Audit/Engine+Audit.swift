import JSON
public import Persistence
import Runtime
import SagaCore
import Synchronization
import Values
import Workflows

// The queries of an auditor.
extension Engine {
  /// The most events that the engine checks while it serves. `saga audit verify` checks more, outside the engine.
  public static let mostAudited: Int64 = 2_000_000

  /// Returns the acts of people. The list follows the store and may be slightly behind it.
  /// - Parameters:
  ///   - filter: selects acts, and gives their order.
  ///   - after: the last entry of the page before.
  ///   - limit: the largest number of entries.
  public func audit(_ filter: AuditFilter, after: DocumentCursor?, limit: Int) async throws -> AuditPage {
    var query = DocumentQuery(
      collection: AuditProjection.collection, after: after, descending: filter.isNewestFirst, limit: limit + 1)
    query.fields["saga"] = filter.saga?.description
    query.fields["actor"] = filter.actor?.withoutNUL
    query.fields["verb"] = filter.verb
    query.sortFrom = filter.from?.description
    query.sortBelow = filter.to?.description
    let acts = try await host.events.documents(query)
    let entries = acts.compactMap(AuditEntry.init) + (try await registrations(filter, after: after))
    let sorted = entries.sorted { filter.places($0.cursor, before: $1.cursor) }
    return AuditPage(
      entries: Array(sorted.prefix(limit)), next: sorted.count > limit ? sorted[limit - 1].cursor : nil)
  }

  /// Returns once the list of acts has everything that was stored before the call.
  public func waitUntilAudited() async throws { try await auditor.waitUntilCaughtUp() }

  /// Definitions are not events. The store keeps with each one who registered it, when, and from where.
  private func registrations(_ filter: AuditFilter, after: DocumentCursor?) async throws -> [AuditEntry] {
    let all = host.definitions.all.map(\.act).filter { entry in
      guard filter.matches(entry) else { return false }
      return after.map { filter.places($0, before: entry.cursor) } ?? true
    }
    if all.isEmpty { return [] }
    var ways: [JSON: String] = [:]
    for document in try await host.events.documents(collection: Self.registrations, ids: all.map(\.id)) {
      ways[.string(document.id)] = (try? JSON(parsing: document.data, limits: .stored))?["from"]?.stringValue
    }
    return all.map { $0.from(ways[.string($0.id)]) }
  }

  /// The collection with the ways that registrations came.
  private static let registrations = "registrations"

  /// Stores the way that the registration of a workflow came.
  func keepWay(_ way: String, of entry: DefinitionCache.Entry) async {
    let document = Document(
      collection: Self.registrations, id: entry.act.id, sort: entry.registeredAt.description,
      data: JSON.object(["from": .string(way)]).bytes())
    do {
      try await host.events.apply(
        ProjectionBatch(follower: Self.registrations, shard: 0, from: 0, to: 0, upserts: [document]))
    } catch {
      host.log.warning(
        "Could not keep from where a workflow was registered; the audit lists it without",
        ("workflow", entry.act.id), ("error", error.message))
    }
  }

  /// Returns the last chain of every shard at this time, for a person to sign.
  public func auditHead() async throws -> AuditHead {
    try await host.events.auditHead(at: host.environment.now())
  }

  /// Checks the chains of the store's shards. Only one check runs at a time, over at most `mostAudited` events.
  /// - Parameter head: an earlier head, whose signature the caller has verified.
  public func auditVerify(against head: AuditHead?) async throws -> AuditReport {
    guard !auditing.exchange(true, ordering: .acquiringAndReleasing) else {
      throw EngineError(code: EngineErrorCode.auditRunning, message: "The chains are being walked already: ask again.")
    }
    defer { auditing.store(false, ordering: .releasing) }
    var events: Int64 = 0
    for shard in 0..<host.events.shardCount { events += try await host.events.head(shard: shard) }
    guard events <= Self.mostAudited else {
      throw EngineError(
        code: EngineErrorCode.auditTooLarge,
        message: "The store has \(events) events, more than a request walks (\(Self.mostAudited)): walk them beside "
          + "the engine, with `saga audit verify --store`.")
    }
    return try await host.events.audit(against: head)
  }
}

extension DefinitionCache.Entry {
  /// The registration as an entry of the audit.
  var act: AuditEntry {
    AuditEntry(
      id: "\(definition.name)/\(definition.version)", at: registeredAt, actor: registeredBy, kind: .registration,
      verb: "register", workflow: "\(definition.name) \(VersionName.short(definition.version))",
      content: [
        "workflow": .string(definition.name), "version": .int(definition.version), "definition": .string(digest),
      ])
  }
}

extension AuditEntry {
  fileprivate func from(_ way: String?) -> AuditEntry {
    AuditEntry(
      id: id, at: at, actor: actor, kind: kind, verb: verb, saga: saga, version: version, workflow: workflow,
      step: step,
      reason: reason, from: way, operation: operation, content: content, before: before, after: after)
  }
}
