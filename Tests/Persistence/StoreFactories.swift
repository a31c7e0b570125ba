import Foundation
import Persistence
import PostgresPersistence

/// How each kind of store is opened and removed. A new kind adds itself here and nowhere else.
enum StoreFactories {
  /// The part that is missing to test on Postgres; nil when nothing is missing.
  static let missingPostgres: String? =
    ProcessInfo.processInfo.environment["TRACSEQ_TEST_POSTGRES"] == nil ? "TRACSEQ_TEST_POSTGRES isn't set" : nil

  static func open(_ place: StorePlace) async throws -> any EventStore {
    switch place.kind {
    case .memory: return MemoryStore(environment: place.environment, shardCount: place.shardCount)
    case .sqlite:
      return try await SQLiteStore.open(
        path: place.location, environment: place.environment, shardCount: place.shardCount, patience: .seconds(300))
    case .postgres:
      return try await PostgresStore.open(
        .patient(url: PostgresPlace.url ?? "", name: place.location, shardCount: place.shardCount),
        environment: place.environment)
    }
  }

  static func remove(_ place: StorePlace) async throws {
    switch place.kind {
    case .memory, .sqlite:
      try FileManager.default.removeItem(at: URL(fileURLWithPath: place.location).deletingLastPathComponent())
    case .postgres: try await dropPostgresStore(place.location, url: PostgresPlace.url ?? "")
    }
  }
}
