import Foundation
import Runtime
import Synchronization

/// What one test has made: folders, and processes that still run. All of it goes when the test ends, also when it fails.
final class TestScope: Sendable {
  @TaskLocal static var current: TestScope?

  private struct State {
    var folder: URL?
    var count = 0
    var processes: [TestProcess] = []
  }
  private let state = Mutex(State())

  func add(_ process: TestProcess) { state.withLock { $0.processes.append(process) } }

  /// Creates a folder. Its path is short, because the path of a socket may have only 107 bytes.
  func newFolder(_ name: String) throws -> URL {
    let (parent, number) = try state.withLock { state in
      let parent = try state.folder ?? TestFolder.unique("t")
      state.folder = parent
      state.count += 1
      return (parent, state.count)
    }
    let folder = parent.appendingPathComponent("\(name)-\(number)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }

  func end() async {
    let (folder, processes) = state.withLock { ($0.folder, $0.processes) }
    for process in processes { await process.killGroup() }
    guard let folder else { return }
    // A process that has just been killed may have left a child that still writes.
    try? await eventually("the test's folder is removed", within: .seconds(5)) {
      try? FileManager.default.removeItem(at: folder)
      return !FileManager.default.fileExists(atPath: folder.path)
    }
  }
}

/// Folders for tests.
public enum TestFolder {
  /// Creates a folder that is removed when the test ends.
  public static func new(_ name: String) throws -> URL {
    guard let scope = TestScope.current else {
      throw TestProcess.Failure(description: "the suite has no turn, so nothing would remove a folder of it")
    }
    return try scope.newFolder(name)
  }

  fileprivate static func unique(_ name: String) throws -> URL {
    let number = String(Environment.system.random(), radix: 36).suffix(8)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("\(name)-\(number)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }
}
