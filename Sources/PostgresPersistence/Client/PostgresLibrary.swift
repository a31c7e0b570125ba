import CPostgres
public import Values

/// The client of Postgres.
public enum PostgresLibrary {
  public static var linked: LinkedLibrary {
    LinkedLibrary(
      name: "libpq", compiled: text(postgres_header_version()), loaded: text(PQlibVersion()), licence: "PostgreSQL",
      website: "https://www.postgresql.org")
  }

  /// Returns `15.18` for 150018: since Postgres 10 a version has two parts.
  private static func text(_ number: Int32) -> String { "\(number / 10_000).\(number % 10_000)" }
}
