import JSON
public import Persistence
import Runtime
import Synchronization
import Workflows

// What an auditor asks.
extension Engine {
  /// The most events that a walk takes on while the engine serves: more are walked beside it, by `saga audit verify`.
  public static let mostAudited: Int64 = 2_000_000

  /// What people did, oldest first: it follows the store, and may be a moment behind it.
  /// - Parameters:
  ///   - filter: which of it.
  ///   - after: the last entry of the page before.
  ///   - limit: how many at most.
  public func audit(_ filter: AuditFilter, after: DocumentCursor?, limit: Int) async throws -> AuditPage {
    var query = DocumentQuery(collection: AuditProjection.collection, after: after, limit: limit + 1)
    query.fields["saga"] = filter.saga?.description
    query.fields["actor"] = filter.actor?.withoutNUL
    query.fields["verb"] = filter.verb
    query.sortFrom = filter.from?.description
    query.sortBelow = filter.to?.description
    let acts = try await host.events.documents(query)
    let entries = acts.compactMap(AuditEntry.init) + (try await registrations(filter, after: after))
    let sorted = entries.sorted { ($0.cursor.sort, $0.id) < ($1.cursor.sort, $1.id) }
    return AuditPage(
      entries: Array(sorted.prefix(limit)), next: sorted.count > limit ? sorted[limit - 1].cursor : nil)
  }

  /// Returns once the list of what people did has everything that has been stored when it is called.
  public func waitUntilAudited() async throws { try await auditor.waitUntilCaughtUp() }

  /// Registrations that are no events: older versions stored none. Who registered a definition is kept with it.
  private func registrations(_ filter: AuditFilter, after: DocumentCursor?) async throws -> [AuditEntry] {
    let all = host.definitions.all.map { entry in
      AuditEntry(
        id: "\(entry.definition.name)/\(entry.definition.version)", at: entry.registeredAt, actor: entry.registeredBy,
        kind: .registration, verb: "register", workflow: "\(entry.definition.name) v\(entry.definition.version)",
        content: entry.registration)
    }.filter { entry in
      guard filter.matches(entry) else { return false }
      return after.map { (entry.cursor.sort, entry.id) > ($0.sort, $0.id) } ?? true
    }
    if all.isEmpty { return [] }
    let events = try await host.events.documents(collection: AuditProjection.collection, ids: all.map(\.id))
    let listed = Set(events.map { JSON.string($0.id) })
    return all.filter { !listed.contains(.string($0.id)) }
  }

  /// Where the chains of the store's shards end now, for somebody to sign.
  public func auditHead() async throws -> AuditHead {
    try await host.events.auditHead(at: host.environment.now())
  }

  /// Walks the chains of the store's shards. One walk at a time, and none of more than `mostAudited` events.
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
  /// What an auditor asks of a registration.
  var registration: JSONObject {
    [
      "workflow": .string(definition.name), "version": .int(definition.version), "definition": .string(digest),
    ]
  }
}
