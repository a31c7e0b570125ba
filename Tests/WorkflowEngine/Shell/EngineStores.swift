import Foundation
import Persistence
import PostgresPersistence
import Runtime
import TestSupport
import Testing
import Values

/// The stores on which an engine runs.
enum EngineStoreKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case memory, sqlite, postgres

  fileprivate static let postgresURL = ProcessInfo.processInfo.environment["TRACSEQ_TEST_POSTGRES"]

  /// The kinds that can be tested here. Postgres needs `scripts/with-postgres`; `AllStoresTests` says so when it is missing.
  static let tested = allCases.filter { $0 != .postgres || postgresURL != nil }

  var testDescription: String { rawValue }
}

/// The place of one test's store. What is stored there outlives the engines and the connections of the test.
struct EngineStores: Sendable {
  private static let shardCount = 4

  private let kind: EngineStoreKind
  /// The store of kind `memory`. It is never closed, because nothing of it would be left.
  private let memory = MemoryStore(environment: .system, shardCount: Self.shardCount)
  /// A file, or a name within the database.
  private let location: String

  private init(_ kind: EngineStoreKind) throws {
    self.kind = kind
    location =
      switch kind {
      case .memory: ""
      case .sqlite: try TestFolder.new("engine").appendingPathComponent("engine.db").path
      case .postgres: "engine_" + Environment.system.newID().description.filter { $0 != "-" }
      }
  }

  /// Runs a test at a new place, and removes the place after it.
  static func run(_ kind: EngineStoreKind, _ body: (EngineStores) async throws -> Void) async throws {
    let stores = try EngineStores(kind)
    let result: Result<Void, any Error>
    do { result = .success(try await body(stores)) } catch { result = .failure(error) }
    try await stores.remove()
    try result.get()
  }

  /// Opens the store, which is new the first time.
  func open() async throws -> any EventStore {
    switch kind {
    case .memory: return memory
    case .sqlite:
      return try await SQLiteStore.open(
        path: location, environment: .system, shardCount: Self.shardCount, patience: .seconds(300))
    case .postgres:
      let url = try #require(EngineStoreKind.postgresURL)
      // Limits that a busy machine doesn't reach, and few connections for each store.
      return try await PostgresStore.open(
        PostgresConfiguration(
          url: url, name: location, shardCount: Self.shardCount, writers: 1, readers: 2, connectTimeout: .seconds(60),
          patience: .seconds(300), stallAfter: .seconds(60), writerSilence: .seconds(60),
          reconnectTimeout: .seconds(60), readReconnectTimeout: .seconds(60), ownershipPatience: .seconds(60),
          idleSessionTimeout: .seconds(180), statementTimeout: .seconds(300), lockTimeout: .seconds(60)),
        environment: .system)
    }
  }

  /// Closes a store that `open` returned, as at the end of a process.
  func close(_ store: any EventStore) async {
    if kind != .memory { await store.close() }
  }

  private func remove() async throws {
    guard kind == .postgres, let url = EngineStoreKind.postgresURL else { return }
    let drop = ["", "_read"].map { "DROP SCHEMA IF EXISTS \(location)\($0) CASCADE" }.joined(separator: "; ")
    let psql = try await TestProcess.run("psql", ["-X", "-q", "-d", url, "-c", drop])
    #expect(psql.status == 0, "psql could not remove the store: \(String(decoding: psql.bytes, as: UTF8.self))")
  }
}
