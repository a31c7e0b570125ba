import CSystem
import Foundation
import Values

/// Files that only the user of the process may read and write: they hold what patients' samples are called.
public enum PrivateFile {
  private static let othersMode: mode_t = 0o077

  /// What belongs to a database in one file: SQLite makes the first two beside it, with the database's own rights.
  private static let beside = ["", "-wal", "-shm", "-journal", ".lock"]

  /// Makes the file when it is missing, with its rights from the first byte on.
  static func create(_ path: String) {
    let descriptor = saga_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    // SQLite says why a file can't be opened.
    if descriptor >= 0 { _ = close(descriptor) }
  }

  /// Takes the rights of others from a database's files.
  /// - Returns: the files that others could read or write.
  public static func tighten(database path: String) -> [String] {
    beside.map { path + $0 }.filter { tighten($0) }
  }

  /// Takes the rights of others from a file or a folder.
  /// - Returns: whether others had any.
  public static func tighten(_ path: String) -> Bool {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & othersMode != 0 else { return false }
    return chmod(path, status.st_mode & 0o7777 & ~othersMode) == 0
  }
}
