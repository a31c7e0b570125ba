import Foundation
import TestSupport
import Testing

@testable import Persistence

@Suite("The lock on a store's file", .timeLimit(.minutes(15)), .inTurn)
struct FileLockTests {
  @Test("is free when it is released, although a starting process still has a copy of its descriptor")
  func copied() throws {
    let path = try TestFolder.new("lock").appendingPathComponent("store.db").path
    var lock: FileLock? = try FileLock(path: path)
    let copy = try #require(try Self.copy(of: path + ".lock"))
    defer { close(copy) }
    #expect(throws: StoreError.self) { try FileLock(path: path) }
    withExtendedLifetime(lock) {}
    lock = nil
    _ = try FileLock(path: path)
  }

  /// Returns a second descriptor of an open file, as a process has it between fork and exec.
  private static func copy(of path: String) throws -> Int32? {
    for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
      let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")
      if link?.hasSuffix(path) == true, let descriptor = Int32(name) { return fcntl(descriptor, F_DUPFD_CLOEXEC, 10) }
    }
    return nil
  }
}
