import CAssets

/// Files of the repository that are part of the program: the console, the JSON Schemas, and the page of each error
/// code. The compiler embeds them, so the program needs no separate files.
public enum Assets {
  /// The paths of all files from the repository's root, in order.
  public static var paths: [String] { table.keys.sorted() }

  /// Returns the bytes of a file.
  /// - Parameter path: the path from the repository's root, such as `docs/schema/openapi.json`.
  /// - Returns: nil when the program does not contain the file.
  public static func bytes(_ path: String) -> [UInt8]? {
    table[path].map { Array(UnsafeBufferPointer(start: $0.bytes, count: $0.count)) }
  }

  /// Returns a file as text. Every file is UTF-8.
  /// - Returns: nil when the program does not contain the file.
  public static func text(_ path: String) -> String? {
    table[path].map { String(decoding: UnsafeBufferPointer(start: $0.bytes, count: $0.count), as: UTF8.self) }
  }

  // The pointers lead to constants of the program. They are never written or freed.
  nonisolated(unsafe) private static let table: [String: tracseq_asset] = {
    var count = 0
    let rows = UnsafeBufferPointer(start: tracseq_assets(&count), count: count)
    return Dictionary(uniqueKeysWithValues: rows.map { (String(cString: $0.path), $0) })
  }()
}
