import Dispatch

/// A connection that only reads, on its own queue. With the write-ahead log it neither waits for the writer nor blocks
/// it.
///
/// `database` is used only on `queue`. So the class is safe across threads.
/// `database` is touched on `queue` alone. That makes the class sound across threads.
final class SQLiteReader: @unchecked Sendable {
  private let queue = DispatchQueue(label: "tracseq.sqlite.reader")
  private var database: SQLiteDatabase?

  init(path: String) throws(StoreError) { database = try SQLiteDatabase(path: path, readOnly: true) }

  /// Creates a reader from a connection that may also write.
  init(_ database: sending SQLiteDatabase) { self.database = database }

  func read<Value: Sendable>(
    _ body: @escaping @Sendable (SQLiteDatabase) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    let result = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<Value, StoreError>, Never>) in
      queue.async {
        guard let database = self.database else { return continuation.resume(returning: .failure(.closed)) }
        do throws(StoreError) {
          continuation.resume(returning: .success(try body(database)))
        } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    }
    return try result.get()
  }

  func close() async {
    await withCheckedContinuation { continuation in
      queue.async {
        self.database = nil
        continuation.resume()
      }
    }
  }
}
