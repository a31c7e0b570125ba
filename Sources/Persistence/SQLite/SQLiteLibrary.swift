import CSQLite
public import Values

/// The database that a store in a file uses.
public enum SQLiteLibrary {
  public static var linked: LinkedLibrary {
    LinkedLibrary(
      name: "sqlite3", compiled: SQLITE_VERSION,
      loaded: sqlite3_libversion().map { String(cString: $0) } ?? "unknown", licence: "blessing",
      website: "https://www.sqlite.org")
  }
}
