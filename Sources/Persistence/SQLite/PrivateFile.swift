import CSystem
import Foundation

/// Creates files that only the process's user may read and write. They contain the names of patients' samples.
public enum PrivateFile {
  private static let othersMode: mode_t = 0o077

  /// The files that belong to a database. SQLite creates the first two beside it, with the database's permissions.
  private static let beside = ["", "-wal", "-shm", "-journal", ".lock"]

  /// Creates the file when it is missing. The file has these permissions from its first byte.
  static func create(_ path: String) {
    let descriptor = saga_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    // When this fails, SQLite reports why the file cannot be opened.
    if descriptor >= 0 { _ = close(descriptor) }
  }

  /// Removes the permissions of other users from a database's files.
  /// - Returns: the files that other users could read or write.
  public static func tighten(database path: String) -> [String] {
    beside.map { path + $0 }.filter { tighten($0) }
  }

  /// Removes the permissions of other users from a file or a folder.
  /// - Returns: true when other users had permissions.
  public static func tighten(_ path: String) -> Bool {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & othersMode != 0 else { return false }
    return chmod(path, status.st_mode & 0o7777 & ~othersMode) == 0
  }
}
