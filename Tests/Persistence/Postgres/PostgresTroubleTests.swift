import Foundation
import Runtime
import TestSupport
import Testing
import Values

@testable import Persistence
@testable import PostgresPersistence

@Suite("A Postgres store whose server is in trouble", .timeLimit(.minutes(15)), .apart)
struct PostgresTroubleTests {
  @Test("A session that can't write is ended; writes continue when a server takes them, and the health reports it")
  func readOnly() async throws {
    try await withDatabase { place, admin in
      let store = try await PostgresStore.open(place.strictConfiguration, environment: place.environment)
      try await store.own(shards: nil)
      _ = try await store.append(place.append(place.environment.newID()))
      #expect(store.health().problem == nil)
      // This simulates a failover that leads sessions to a standby: sessions that begin now stay read-only.
      try await admin("ALTER DATABASE \(place.database) SET default_transaction_read_only = on")
      try await place.terminateWriters()
      let withdrawn = place.environment.newID()
      try await eventually("the health tells why", within: .seconds(20)) {
        store.health().problem?.message.contains("read-only") == true
      }
      let began = ContinuousClock.now
      #expect(
        await refusalOf { () async throws(StoreError) in _ = try await store.append(place.append(withdrawn)) }
          == .unavailable)
      #expect(ContinuousClock.now - began < .seconds(20))
      try await admin("ALTER DATABASE \(place.database) RESET default_transaction_read_only")
      try await eventually("writes go on", within: .seconds(30)) { store.health().problem == nil }
      let stream = place.environment.newID()
      _ = try await store.append(place.append(stream))
      #expect(try await store.verify(stream) == .intact(version: 1))
      #expect(try await store.read(withdrawn, after: 0, limit: 1).isEmpty, "what was refused is never done")
      #expect(store.health() == StoreHealth())
      await store.close()
    }
  }

  @Test(
    "A session ends after a refusal that concerns the server, not after one that concerns the statement",
    arguments: [
      ("25006", true), ("57P01", true), ("57P05", true), ("08006", true), ("58030", true), ("XX000", true),
      ("XX001", true), ("26000", true), ("0A000", true), ("25P02", true), ("55000", true), ("42P05", true),
      ("23505", false), ("23514", false), ("22003", false), ("40001", false), ("40P01", false), ("55P03", false),
      ("57014", false), ("42501", false), ("42P01", false), ("53100", false), ("54000", false),
    ])
  func endsSession(code: String, ends: Bool) { #expect(SQLState(code: code).endsSession == ends) }

  @Test("While the server is silent callers get an answer within seconds, and a withdrawn append is never written")
  func silent() async throws {
    try await withPostgres { place in
      let proxy = try TCPProxy(to: place.port)
      defer { proxy.close() }
      var configuration = place.strictConfiguration
      configuration.url = place.url(port: proxy.port)
      configuration.patience = .seconds(2)
      configuration.writerSilence = .seconds(3)
      let store = try await PostgresStore.open(configuration, environment: place.environment)
      try await store.own(shards: nil)
      let appends = (0..<40).map { _ in place.append(place.environment.newID()) }
      proxy.fallSilent()
      let began = ContinuousClock.now
      let outcomes = await withTaskGroup(of: (Int, StoreError.Kind?).self) { group in
        for (index, append) in appends.enumerated() {
          group.addTask {
            (index, await refusalOf { () async throws(StoreError) in _ = try await store.append(append) })
          }
        }
        var outcomes: [Int: StoreError.Kind?] = [:]
        for await (index, kind) in group { outcomes[index] = kind }
        return outcomes
      }
      #expect(ContinuousClock.now - began < .seconds(20))
      #expect(outcomes.values.allSatisfy { $0 == .unavailable || $0 == .outcomeUnknown })
      #expect(
        await refusalOf { () async throws(StoreError) in _ = try await store.startKey(scope: "s", key: "k") }
          == .unavailable)
      #expect(ContinuousClock.now - began < .seconds(30))
      #expect(store.health().problem != nil)
      proxy.pass()
      try await eventually("writes go on", within: .seconds(30)) { store.health().problem == nil }
      for (index, append) in appends.enumerated() {
        let isThere = try await !store.read(append.stream, after: 0, limit: 1).isEmpty
        if outcomes[index] == .unavailable { #expect(!isThere, "withdrawn, and yet written") }
        // Repeated under its id, an append is there once, whatever has become of it.
        #expect(try await store.append(append).version == 1)
        #expect(try await store.verify(append.stream) == .intact(version: 1))
      }
      await store.close()
    }
  }

  @Test("A list fails after the patience that the configuration gives while the server is silent")
  func silentReadModel() async throws {
    try await withPostgres { place in
      let proxy = try TCPProxy(to: place.port)
      defer { proxy.close() }
      var configuration = place.configuration
      configuration.url = place.url(port: proxy.port)
      configuration.patience = .seconds(1)
      // The statement would wait longer than the test for its answer.
      configuration.statementTimeout = .seconds(1_200)
      let lists = try await SQLReadStore.postgres(configuration, environment: place.environment)
      _ = try await lists.list(SagaQuery(), after: nil, limit: 1)
      proxy.fallSilent()
      do throws(StoreError) {
        _ = try await lists.list(SagaQuery(), after: nil, limit: 1)
        Issue.record("a silent server answered")
      } catch {
        #expect(error.kind == .unavailable)
        #expect(error.detail == "the database has answered nothing for 1 s")
      }
      // Closing ends the connection of the statement, to which no answer comes.
      await lists.close()
    }
  }

  @Test("A row that was inserted by hand at the owner's next position is skipped and counted, and blocks nothing")
  func intruder() async throws {
    try await withPostgres { place in
      let store = try await place.open()
      try await store.own(shards: nil)
      let stream = place.environment.newID()
      let first = try await store.append(place.append(stream))
      let shard = store.shard(of: stream)
      let foreign = place.foreignStream(in: shard, of: store)
      try await place.session { (connection) throws(PostgresError) in
        try connection.runScript(place.foreignRow(foreign, version: 1, shard: shard, position: first.position + 1))
      }
      let second = try await store.append(place.append(stream, at: 1))
      #expect(second.position == first.position + 2)
      #expect(
        store.health()
          == StoreHealth(intruders: .init(count: 1, shard: shard, position: first.position + 1)))
      // In a stream that the owner writes to: the stream isn't where its writer believes it to be.
      try await place.session { (connection) throws(PostgresError) in
        try connection.runScript(place.foreignRow(stream, version: 3, shard: shard, position: second.position + 1))
      }
      #expect(
        await refusalOf { () async throws(StoreError) in _ = try await store.append(place.append(stream, at: 2)) }
          == .versionConflict(actual: 3))
      #expect(try await store.append(place.append(stream, at: 3)).position == second.position + 2)
      #expect(try await store.append(place.append(place.environment.newID())).version == 1)
      await store.close()
    }
  }

  @Test("A foreign constraint that refuses events is named, and is not reported as a connection problem")
  func rule() async throws {
    try await withPostgres { place in
      let store = try await place.open()
      try await store.own(shards: nil)
      try await place.session { (connection) throws(PostgresError) in
        try connection.runScript("ALTER TABLE events ADD CONSTRAINT no_bad CHECK (type <> 'bad')")
      }
      var bad = place.append(place.environment.newID())
      bad.events[0].type = "bad"
      let streams = (0..<20).map { _ in place.environment.newID() }
      let sent = bad
      try await withThrowingTaskGroup(of: Void.self) { group in
        for stream in streams { group.addTask { _ = try await store.append(place.append(stream)) } }
        group.addTask {
          do throws(StoreError) {
            _ = try await store.append(sent)
            Issue.record("written")
          } catch {
            #expect(error.kind == .corrupt)
            #expect(error.detail?.contains("no_bad") == true)
          }
        }
        try await group.waitForAll()
      }
      #expect(store.health() == StoreHealth())
      await store.close()
    }
  }

  @Test("An owner that was frozen while another took its shards notices it, and owns nothing any more")
  func frozen() async throws {
    try await withPostgres { place in
      let proxy = try TCPProxy(to: place.port)
      defer { proxy.close() }
      var configuration = place.strictConfiguration
      configuration.url = place.url(port: proxy.port)
      configuration.patience = .seconds(2)
      configuration.writerSilence = .seconds(2)
      configuration.beat = .milliseconds(500)
      configuration.idleSessionTimeout = .seconds(6)
      let frozen = try await PostgresStore.open(configuration, environment: place.environment)
      try await frozen.own(shards: nil)
      let stream = place.environment.newID()
      _ = try await frozen.append(place.append(stream))
      proxy.fallSilent()
      try await eventually("nothing is confirmed any more", within: .seconds(30)) { !frozen.health().isConfirmed }
      let other = try await place.open()
      try await eventually("the server has ended the silent sessions", within: .seconds(30)) {
        await refusalOf { () async throws(StoreError) in try await other.own(shards: nil) } == nil
      }
      #expect(try await other.append(place.append(stream, at: 1)).position > 0)
      proxy.lead(to: place.port)
      try await eventually("it knows that it was taken over", within: .seconds(30)) { frozen.health().isTakenOver }
      #expect(
        await refusalOf { () async throws(StoreError) in _ = try await frozen.append(place.append(stream, at: 2)) }
          == .notOwner)
      // Also when the other one has gone meanwhile: what it wrote is not known here.
      await other.close()
      #expect(
        await refusalOf { () async throws(StoreError) in _ = try await frozen.append(place.append(stream, at: 2)) }
          == .notOwner)
      await frozen.close()
    }
  }

  @Test("An owner loses its shards also when another writer wrote and left before the owner came back")
  func writtenMeanwhile() async throws {
    try await withPostgres { place in
      let proxy = try TCPProxy(to: place.port)
      defer { proxy.close() }
      var configuration = place.configuration
      configuration.url = place.url(port: proxy.port)
      let first = try await PostgresStore.open(configuration, environment: place.environment)
      try await first.own(shards: nil)
      let stream = place.environment.newID()
      _ = try await first.append(place.append(stream))
      proxy.refuse()
      let other = try await place.open()
      try await eventually("the locks are free") {
        await refusalOf { () async throws(StoreError) in try await other.own(shards: nil) } == nil
      }
      _ = try await other.append(place.append(stream, at: 1))
      await other.close()
      proxy.lead(to: place.port)
      try await eventually("it knows", within: .seconds(30)) { first.health().isTakenOver }
      await first.close()
    }
  }

  @Test("An owner whose session was ended continues when no other writer has written, with or without open appends")
  func endedAndBack() async throws {
    try await withPostgres { place in
      let store = try await place.open()
      try await store.own(shards: nil)
      let stream = place.environment.newID()
      for version in 0..<5 {
        try await place.terminateWriters()
        var append = place.append(stream, at: version)
        append.appendID = place.environment.newID()
        #expect(try await store.append(append).version == version + 1)
      }
      try await eventually("all is well") { store.health() == StoreHealth() }
      await store.close()
    }
  }
}

extension PostgresPlace {
  var database: String { URLComponents(string: url)?.path.dropFirst().description ?? "" }
  var port: Int { URLComponents(string: url)?.port ?? 5432 }

  func url(port: Int) -> String {
    var components = URLComponents(string: url)
    components?.port = port
    return components?.string ?? url
  }

  func foreignStream(in shard: Int, of store: PostgresStore) -> UniqueID {
    while true {
      let id = environment.newID()
      if store.shard(of: id) == shard { return id }
    }
  }

  /// Returns the statement that inserts a row by hand.
  func foreignRow(_ stream: UniqueID, version: Int, shard: Int, position: Int64) -> String {
    """
    INSERT INTO events (position, recorded_at, month, version, shard, stream, append_id, type, hash, chain, data, meta)
    VALUES (\(position), now(), \(PostgresPartitions.month(at: environment.now())), \(version), \(shard), '\(stream)',
      '\(environment.newID())', 'by.hand', '\\x00', '\\x00', '{}', '{}')
    """
  }
}

/// Runs a test in a database of its own.
private func withDatabase(
  _ body: @Sendable (PostgresPlace, @Sendable (String) async throws -> Void) async throws -> Void
) async throws {
  try await withPostgres { place in
    let name = "own_" + place.name
    let admin: @Sendable (String) async throws -> Void = { text in
      try await place.session { (connection) throws(PostgresError) in try connection.runScript(text) }
    }
    try await admin("CREATE DATABASE \(name)")
    var components = URLComponents(string: place.url)
    components?.path = "/" + name
    let own = PostgresPlace(url: components?.string ?? "", name: "tracseq")
    do {
      try await body(own, admin)
    } catch {
      try await admin("DROP DATABASE \(name) WITH (FORCE)")
      throw error
    }
    try await admin("DROP DATABASE \(name) WITH (FORCE)")
  }
}
