import Foundation
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@testable import Persistence

@Suite("Appends that come together are committed together", .timeLimit(.minutes(15)), .inTurn)
struct GroupCommitTests {
  private static let count = 1_000

  @Test("A thousand appends at once take a few transactions, on SQLite")
  func sqlite() async throws {
    try await withStore(.sqlite) { store, place in
      let before = try log(place)
      // While another connection holds the lock, the writer can't write, and new appends wait.
      let other = try Locked(path: place.location)
      try await appendAll(to: store, in: place) { other.release() }
      let after = try log(place)
      // If the log had started again in between, the frames in it would not be all of them.
      #expect(after.generation == before.generation)
      let commits = after.commits - before.commits
      #expect((1...20).contains(commits), "\(commits) transactions")
    }
  }

  @Test("A thousand appends at once take a few transactions, on Postgres")
  func postgres() async throws {
    try await withPostgres { postgres in
      let place = StorePlace(
        kind: .postgres, clock: .init(), environment: postgres.environment, shardCount: 4, location: postgres.name)
      let store = try await place.open()
      try await appendAll(to: store, in: place) {}
      await store.close()
      #expect(try await postgres.numbers("SELECT count(*) FROM events") == [Int64(Self.count)])
      // Every row knows the transaction that wrote it.
      let commits = try await postgres.numbers("SELECT count(DISTINCT xmin::text) FROM events").first ?? 0
      #expect((1...200).contains(commits), "\(commits) transactions")
    }
  }

  /// Appends from as many tasks; `begun` is called when all of them are at it.
  private func appendAll(
    to store: any EventStore, in place: StorePlace, begun: @escaping @Sendable () -> Void
  ) async throws {
    let waiting = Countdown(from: Self.count)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<Self.count {
        let append = place.append(place.newID())
        group.addTask {
          if waiting.countDown() { begun() }
          _ = try await store.append(append)
        }
      }
      try await group.waitForAll()
    }
  }

  /// How often the write-ahead log was begun, and how many transactions are in it, as its format has it.
  private func log(_ place: StorePlace) throws -> (generation: UInt32, commits: Int) {
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: place.location + "-wal")))
    func word(_ offset: Int) -> UInt32 { bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) } }
    guard bytes.count >= 32 else { return (0, 0) }
    let frame = 24 + Int(word(8))
    let salt = word(16)
    // A frame that ends a transaction says how many pages the database then has.
    let commits = stride(from: 32, through: bytes.count - frame, by: frame)
      .count { word($0 + 4) != 0 && word($0 + 8) == salt }
    return (word(12), commits)
  }
}

/// Counts to the last one.
private final class Countdown: Sendable {
  private let left: Mutex<Int>
  init(from count: Int) { left = Mutex(count) }

  /// - Returns: whether it was the last.
  func countDown() -> Bool {
    left.withLock { left in
      left -= 1
      return left == 0
    }
  }
}

/// Another connection that keeps the file from being written. One thread creates it and passes it to the thread that
/// releases it.
private final class Locked: @unchecked Sendable {
  private var database: SQLiteDatabase?

  init(path: String) throws {
    let database = try SQLiteDatabase(path: path, readOnly: false)
    try database.run("BEGIN IMMEDIATE")
    self.database = database
  }

  /// Closing takes the transaction back.
  func release() { database = nil }
}
