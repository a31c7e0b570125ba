public import Persistence
public import Runtime

extension SQLReadStore {
  /// Opens the read model of the store at a Postgres connection URL, or creates it.
  public static func postgres(url: String, environment: Environment) async throws(StoreError) -> SQLReadStore {
    try await postgres(PostgresConfiguration(url: url), environment: environment)
  }

  /// Opens the read model of a store in Postgres, or creates it. Its schema has the store's name and `_read`.
  public static func postgres(
    _ configuration: PostgresConfiguration, environment: Environment
  ) async throws(StoreError) -> SQLReadStore {
    try await postgres(configuration, limits: SagaListingLimits(), environment: environment)
  }

  static func postgres(
    _ configuration: PostgresConfiguration, limits: SagaListingLimits, environment: Environment
  ) async throws(StoreError) -> SQLReadStore {
    let database = try PostgresReadDatabase(configuration, environment: environment)
    let schema = database.schema
    do throws(StoreError) {
      try await database.write { session throws(StoreError) in
        try session.script("SELECT pg_advisory_xact_lock(5927113); CREATE SCHEMA IF NOT EXISTS \(schema)")
      }
    } catch {
      await database.close()
      throw error
    }
    return try await SQLReadStore(database, limits: limits)
  }
}

extension ReadDialect {
  static let postgres = ReadDialect(
    name: "postgres", id: "uuid", bytes: "bytea", text: "text COLLATE \"C\"", position: "strpos", join: "JOIN",
    tables: "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()", clustered: "")
}
